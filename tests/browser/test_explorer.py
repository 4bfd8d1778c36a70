"""The method explorer: nothing jumps, and what it says follows from the runs."""

import re

import pytest
from live_figures import RECORDS, looks, record

from si_tutorial.experiments import protocols, store
from si_tutorial.explorables.published import summaries

ONCE, BOTH = looks("wide"), looks("wide", "phone")
PUBLISHED = {"split-mnist": protocols.SPLIT, "permuted-mnist-small": protocols.SMALL}
PLACES = """f => [f.offsetHeight, ...[...f.querySelectorAll(
  "svg:not(.si-inside), table, tr, .si-said, .si-spare")]
  .flatMap((n) => { const box = n.getBoundingClientRect();
                    return [Math.round(box.top - f.getBoundingClientRect().top),
                            Math.round(box.height)]; })]"""


def choose(figure, name, value):
    figure.locator(f"input[data-name={name}][value='{value}']").press("Space")


@BOTH
@pytest.mark.parametrize("experiment", PUBLISHED)
def test_no_choice_moves_anything(experiment, opened, look):
    runs = summaries(protocols.without_second_round(PUBLISHED[experiment],
                                                    store.published(experiment)))
    figure, _ = opened("method_explorer", runs=runs)
    before = figure.evaluate(PLACES)
    settings = {(r["scenario"], r["method"]) for r in runs}
    for scenario, method in sorted(settings):
        if len({r["scenario"] for r in runs}) > 1:
            choose(figure, "scenario", scenario)
        choose(figure, "method", method)
        for one in figure.locator("input[data-name=strength]:visible").all()[::3]:
            one.press("Space")
            assert figure.evaluate(PLACES) == before, (scenario, method)
        assert figure.evaluate(PLACES) == before, (scenario, method)


@ONCE
def test_a_control_that_offers_nothing_is_not_there(opened, look):
    figure, _ = opened("method_explorer")
    strength = figure.locator("fieldset", has=look.locator("input[data-name=strength]"))
    assert not strength.is_visible()  # of fine-tuning
    choose(figure, "method", "SI")
    assert strength.is_visible()
    plain = summaries([record("fine-tuning", None, None, 0.6), record("from scratch", None, None,
                                                                      0.9)])
    figure, _ = opened("method_explorer", runs=plain)
    assert figure.locator("input[data-name=strength], input[data-name=damping]").count() == 0


@ONCE
def test_the_goal_speaks_of_joint_training_only_where_there_is_some(opened, look):
    task = [r for r in RECORDS if r["scenario"] == "task"]
    for runs in (task, [r for r in task if r["method"] != "joint"]):
        joint = any(r["method"] == "joint" for r in runs)
        figure, _ = opened("method_explorer", runs=summaries(runs), goal="Find it")
        goal = figure.locator(".si-goal").inner_text()
        assert goal.strip().startswith("Find it.") and ("Joint" in goal) == joint


@ONCE
def test_a_band_is_announced_where_there_is_one(opened, look):
    figure, _ = opened("method_explorer")
    keys = figure.locator("svg:not(.si-inside)").nth(1).locator("text")
    assert keys.get_by_text("band: range of 3 seeds").count() == 1
    choose(figure, "method", "joint")
    assert keys.get_by_text("(one seed)").count() == 1
    assert keys.get_by_text("band").count() == 0


@ONCE
def test_the_scale_tells_methods_apart_that_are_close(opened, look):
    runs = summaries([record(method, None, None, kept) for method, kept in (
        ("fine-tuning", 0.75), ("EWC", 0.97), ("SI", 0.99))])
    figure, _ = opened("method_explorer", runs=runs)
    places = [dot.bounding_box()["x"] for dot in figure.locator(".si-track span").all()]
    assert places[2] - places[1] > 0.04 * (places[2] - places[0]) > 1
    assert sorted(places) == places
    low, high = figure.locator(".si-scale span").all_inner_texts()
    ends = [float(re.search(r"[\d.]+", words)[0])
            for words in figure.locator("td[data-method]").all_inner_texts()]
    assert float(low) < min(ends) and max(ends) <= float(high) == 100


@ONCE
def test_the_target_is_the_best_of_the_scenario_that_is_shown_first(opened, look):
    figure, _ = opened("method_explorer")
    choose(figure, "scenario", "class")
    choose(figure, "method", "EWC")  # the best there, but not asked for
    assert figure.locator(".si-goal").get_attribute("data-reached") == "false"


@ONCE
@pytest.mark.parametrize("experiment", PUBLISHED)
def test_every_method_and_scenario_of_the_published_runs_is_explained(experiment, opened, look):
    runs = summaries(store.published(experiment))
    figure, _ = opened("method_explorer", runs=runs)
    for method in dict.fromkeys(r["method"] for r in runs if r["scenario"] == runs[0]["scenario"]):
        choose(figure, "method", method)
        assert f"{method}: " in figure.locator(".si-choose").inner_text()


@ONCE
def test_a_method_is_listed_at_the_best_of_its_settings_with_the_most_seeds(opened, look):
    runs = [record("SI", 1.0, 1e-3, kept, seed=seed) for seed, kept in enumerate((0.8, 0.82))]
    runs += [record("SI", 1.0, 1e-2, 0.95), record("SI", 9.0, 1e-3, 0.99, held_out=9)]
    runs += [record("EWC", 5.0, None, 0.9)]  # which has one seed, and no more
    figure, _ = opened("method_explorer", runs=summaries(runs))
    choose(figure, "method", "EWC")
    assert figure.locator(".si-goal").get_attribute("data-reached") == "true"
    assert figure.locator("td[data-method]").all_inner_texts() == ["92.4 %", "85.6 %"]
    choose(figure, "method", "SI")  # falls back to the same setting
    assert "2 seeds" in figure.locator(".si-said").inner_text()
