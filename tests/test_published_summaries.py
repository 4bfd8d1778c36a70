"""Stored runs as data for the figures, and the flipbook's pages."""

import numpy as np
import pytest
from live_figures import picture, record

from si_tutorial.experiments import protocols, store
from si_tutorial.explorables.flipbook import flipbook
from si_tutorial.explorables.method_explorer import MethodExplorer
from si_tutorial.explorables.published import summaries


def test_a_setting_is_the_mean_over_its_seeds_with_their_range():
    one, = summaries([record("SI", 1.0, 0.1, kept, seed=seed)
                      for seed, kept in enumerate((0.8, 0.9, 0.85))])
    assert (one["method"], one["strength"], one["damping"], one["seeds"]) == ("SI", 1.0, 0.1, 3)
    assert one["accuracy"][1:3] == [[85.0, 99.5], [85.0, 85.0, 99.5]]
    assert [len(row) for row in one["accuracy"]] == [1, 2, 3, 4]
    assert one["low"][0] == one["high"][0] == 99.5
    np.testing.assert_allclose([one["low"][3], one["high"][3]],
                               [(3 * 80 + 99.5) / 4, (3 * 90 + 99.5) / 4], atol=0.051)


def test_the_mean_at_the_end_is_taken_before_the_accuracies_are_rounded():
    some = record("SI", 1.0, 0.1, 0.5004)
    some["accuracy"][-1][-1] = 0.501
    one, = summaries([some])
    assert one["accuracy"][-1] == [50, 50, 50, 50.1] and one["end"] == 50.1


def test_tuning_runs_are_shown_only_where_there_is_no_test_run():
    tested, tuned = summaries([record("SI", 1.0, 0.1, 0.5), record("SI", 1.0, 0.1, 0.9, held_out=9),
                               record("SI", 2.0, 0.1, 0.7, held_out=9)])
    assert (tested["held_out"], tested["seeds"], tested["accuracy"][1][0]) == (False, 1, 50.0)
    assert (tuned["held_out"], tuned["strength"], tuned["accuracy"][1][0]) == (True, 2.0, 70.0)


def test_what_is_not_usual_has_a_name_of_its_own_and_failed_runs_are_left_out():
    plain, failed = record("SI", 1.0, 0.1, 0.5), record("SI", 1.0, 0.1, 0.5, seed=1)
    failed["accuracy"] = None
    names = [setting["method"] for setting in summaries([
        plain, failed, {**plain, "head_weights": "random"}, {**plain, "dropout": 0.5},
        {**plain, "schedule": "alone"}, {**plain, "schedule": "alone", "weight_decay": 0.3},
        {**plain, "reset_optimizer": "moments"}, {**failed, "strength": 9.0}])]
    assert names == ["SI", "SI, alone", "SI, alone, decay 0.3", "SI, dropout", "SI, random heads",
                     "SI, steps counted on"]
    one, = summaries([plain, {**plain, "dropout": 0.5, "seed": 1}],
                     name=lambda record: record["method"])
    assert one["seeds"] == 2


def test_methods_and_scenarios_stand_in_the_books_order():
    found = summaries([record(method, None, None, 0.5, scenario=scenario)
                       for scenario in ("class", "task")
                       for method in ("joint", "SI", "new", "L2")])
    assert [(s["scenario"], s["method"]) for s in found] == [
        (scenario, method) for scenario in ("task", "class")
        for method in ("L2", "SI", "joint", "new")]


@pytest.mark.parametrize("experiment", ["split-mnist", "permuted-mnist-small", "permuted-mnist"])
def test_published_runs_agree_with_their_records(experiment):
    records = store.published(experiment)
    for setting in summaries(records):
        same = [r for r in records if r["scenario"] == setting["scenario"]
                and (r["strength"], r["damping"]) == (setting["strength"], setting["damping"])
                and setting["method"].startswith(r["method"]) and r["accuracy"]
                and bool(r["held_out"]) == setting["held_out"]]
        finals = [100 * np.mean(r["accuracy"][-1]) for r in same]
        assert min(finals) - 0.1 <= np.mean(setting["accuracy"][-1]) <= max(finals) + 0.1


@pytest.mark.parametrize("experiment", ["split-mnist", "permuted-mnist-small"])
def test_the_explorer_of_the_published_runs_is_small(experiment):
    base, records = protocols.EXPERIMENTS[experiment][0], store.published(experiment)
    shown = protocols.without_second_round(base, records)
    assert {r["strength"] for r in records if not r["held_out"]} <= {r["strength"] for r in shown}
    page = MethodExplorer(runs=summaries(shown)).static()
    assert len(page.encode()) <= 60_000, "leave the tuning runs out, in the chapter and here"


def test_a_flipbook_draws_each_page_once_and_the_last_setting_turns_fastest():
    drawn = []

    def draw(method, batch_size):
        drawn.append((method, batch_size))
        return picture(method, batch_size)
    book = flipbook(draw, question="?", method=["SI", "EWC"], batch_size=[10, 40])
    assert drawn == [("SI", 10), ("SI", 40), ("EWC", 10), ("EWC", 40)]
    assert book.chosen == {"method": "SI", "batch_size": 10}
    assert [page["alt"] for page in book.pages] == [picture(*pair).alt for pair in drawn]
    assert '"batch_size":[10,40]' in book.static()


@pytest.mark.parametrize("settings", [{}, {"batch_size": []}])
def test_a_flipbook_without_pages_says_what_it_needs(settings):
    with pytest.raises(ValueError, match=r"batch_size=\[10, 40\]"):
        flipbook(picture, question="?", **settings)


def test_only_a_setting_can_lie_side_by_side():
    with pytest.raises(ValueError, match="'measure' is none of the settings, method, task"):
        flipbook(picture, question="?", beside="measure", method=["SI"], task=[1])


def test_a_run_that_was_made_again_to_watch_it_counts_once():
    runs = [record("SI", 1.0, 0.1, kept, seed=seed) for seed, kept in enumerate((0.6, 0.9, 0.9))]
    again = [{**run, "correlate": True} for run in runs[:2]]
    assert summaries(runs + again) == summaries(again + runs) == summaries(runs)
    assert summaries(runs)[0]["seeds"] == 3  # two seeds may well end alike


def test_two_results_of_one_seed_are_not_averaged():
    runs = [record("SI", 1.0, 0.1, kept) for kept in (0.6, 0.9)]
    with pytest.raises(ValueError, match="seed 0 stands twice among the runs of SI"):
        summaries(runs)
    assert len(summaries(runs, name=lambda run: str(run["accuracy"]))) == 2
    tuned = {**runs[1], "held_out": 9}  # another question, which a test run leaves out
    assert summaries([runs[0], tuned]) == summaries(runs[:1])


@pytest.mark.parametrize("experiment", ["split-mnist", "permuted-mnist-small", "permuted-mnist"])
def test_no_published_setting_has_more_seeds_than_there_are(experiment):
    records = [r for r in store.published(experiment) if r["accuracy"]]
    settings = summaries(records)
    for setting in settings:
        assert setting["seeds"] <= len({r["seed"] for r in records
                                        if r["method"] == setting["method"].partition(",")[0]
                                        and r["scenario"] == setting["scenario"]
                                        and r["strength"] == setting["strength"]
                                        and bool(r["held_out"]) == setting["held_out"]})
    assert {s["seeds"] for s in settings if s["method"] == "fine-tuning"} <= {1, 3, 10}
