"""The tables are made from the store alone, and say what it says."""

import json
import shlex
from typing import get_args

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from si_tutorial import metrics
from si_tutorial.__main__ import main
from si_tutorial.experiments import literature, protocols, report, runner
from si_tutorial.experiments.settings import (
    CONTROLS,
    DAMPED,
    METHODS,
    PENALISED,
    SCENARIOS,
    Run,
    Training,
)

BASE = protocols.SPLIT
SI = protocols.authors(BASE)
ORIGIN = {"machine": "a processor", "kind": "model 17, AVX512", "device": "cpu", "threads": 1,
          "system": "Linux",
          "versions": {"python": "3.11.7", "torch": "2.12.1"}, "data_source": "MNIST",
          "data_digest": "06b0", "commit": "c0ffee", "finished": "2026-01-01"}


def line(run, *last, seconds=90.0, **origin):
    """A made-up line of a store, as it is read: `last` are the accuracies after the last task."""
    accuracy = [[0.5] * len(last)] * (len(last) - 1) + [list(last)] if last else None
    return json.loads(json.dumps(run.fields | ORIGIN | origin | {
        "accuracy": accuracy, "seconds": seconds if last else None,
        "failed": None if last else "the training loss has become nan"}))


def seeds(run, *scores, **fields):
    return [line(run.replace(seed=seed), *(() if score is None else (score, score)), **fields)
            for seed, score in enumerate(scores)]


# --------------------------------------------------------------------------------------- results

def test_one_row_per_setting_with_its_mean_and_its_intervals():
    stronger = SI.replace(strength=2.0)
    records = [*seeds(SI, 0.98, 0.99, 1.0), line(BASE, 0.7, 0.9), *seeds(stronger, 0.98, 0.99)]
    si, two, plain = sorted(report.results(records[::-1]).to_dict("records"),
                            key=lambda row: -row["mean"])
    assert (si["scenario"], si["method"], si["c"], si["ξ"], si["seeds"]) == (
        "task", "SI", 1.0, 1e-3, 3)
    assert si["mean"] == pytest.approx(99) and si["minutes each"] == pytest.approx(1.5)
    assert si["lowest"] == pytest.approx(98) and si["highest"] == pytest.approx(100)
    # s = 1, n = 3, t = 4.303: the mean ± 2.48; a new seed ± 4.97, which ends at 100 %
    assert (si["95 % of means"], si["95 % of seeds"]) == ("96.5 to 100.0", "94.0 to 100.0")
    assert plain["mean"] == pytest.approx(80) and plain["seeds"] == 1 and two["seeds"] == 2
    for row in (plain, two):  # no text: fewer seeds than metrics.ENOUGH have no interval
        assert isinstance(row["95 % of means"], float)


def test_tuning_and_results_never_share_a_table():
    records = seeds(SI, 0.9, 0.8) + [line(run, 0.5, 0.5) for run in protocols.tuning(BASE)]
    results, tuning = report.results(records), report.results(records, held_out=True)
    assert len(results) == 1 and results["mean"].tolist() == pytest.approx([85])
    assert len(tuning) == 25 and set(tuning["seeds"]) == {2}
    assert tuning["mean"].tolist() == pytest.approx([50] * 25)


def test_a_setting_with_a_failed_run_has_no_mean_but_is_not_left_out():
    strong = SI.replace(strength=100.0)
    table = report.results(seeds(SI, 0.9, 0.8) + seeds(strong, 0.9, None))
    assert table["c"].tolist() == [1.0, 100.0] and table["seeds"].tolist() == [2, 2]
    assert table["mean"].isna().tolist() == [False, True]
    assert report.results(seeds(strong, None, None))["minutes each"].tolist() == [0]


def test_settings_are_told_apart_by_everything_but_the_seed():
    others = [SI.replace(strength=2.0), SI.replace(dropout=0.5), SI.replace(epochs=3),
              SI.replace(head_weights="random")]
    groups = report.by_setting(seeds(SI, 0.1, 0.2)[::-1] + [line(run, 0.1, 0.1) for run in others])
    assert [len(group) for group in groups.values()].count(2) == 1 and len(groups) == 5
    assert [record["seed"] for record in groups[SI]] == [0, 1]
    assert report.label(others[1]) == "SI, dropout 0.5"
    assert report.label(others[3]) == "SI, random heads"
    assert report.label(protocols.in_scenario(SI, "class")) == "SI"  # there they always are


def tuned_to(base, best):
    """Made-up lines of both rounds of tuning, of which the strength `best(method)` is the best."""
    records = []
    for _ in range(2):
        records = [line(run, score, score) for run in protocols.tuning(base, records)
                   for score in [0.9 if run.method.strength == best(run.method.name) else 0.2]]
    return records


def test_the_strength_chosen_is_the_one_that_tuning_liked_best():
    records = []
    for scenario, best in (("task", 0.1), ("class", 10.0)):
        records += tuned_to(protocols.in_scenario(BASE, scenario),
                            dict.fromkeys(PENALISED, best).get)
    table = report.chosen("split-mnist", records)
    assert table.loc["SI"].to_dict() == {"task": 0.1, "class": 10.0}
    assert table.loc["MAS"].to_dict() == {"task": 0.1, "class": 10.0}
    assert set(table.index) == set(PENALISED)


def test_each_reported_setting_comes_with_its_command_and_its_origin():
    records = (seeds(SI, 0.9, 0.8) + seeds(BASE, 0.5)
               + [line(run, 0.5, 0.5) for run in protocols.tuning(BASE)[:2]])
    records[1]["machine"] = "another one"
    si, plain = report.reproduction("split-mnist", records).to_dict("records")
    assert si["result"] == "task: SI, c = 1, ξ = 0.001" and plain["result"] == "task: fine-tuning"
    assert si["command"] == ("python -m si_tutorial run split-mnist --scenario task --method SI "
                             "--seeds 2 --strength 1.0 --damping 0.001")
    assert si["minutes"] == pytest.approx(3) and si["machine"] == "a processor; another one"
    assert plain["machine"] == "a processor" and plain["data_digest"] == "06b0"
    assert plain["versions"] == "python 3.11.7, torch 2.12.1" and plain["threads"] == "1"


@pytest.mark.parametrize("changes", [{"correlate": True}, {"epochs": 1}, {"batch_size": 32},
                                     {"dropout": 0.5}, {"head_weights": "random"}], ids=str)
def test_settings_that_differ_are_told_apart_in_words(changes):
    assert report.label(SI) == "SI" != report.label(SI.replace(**changes))
    assert report.label(SI.replace(held_out=100)) == "SI"  # these have a table of their own


def test_the_command_makes_the_seeds_that_are_there():
    both = seeds(BASE, 0.5, 0.6)
    for some, words in ((both[1:], "--seeds 1:2"), (both, "--seeds 2")):
        (row,) = report.reproduction("split-mnist", some).to_dict("records")
        assert row["command"].endswith(words)


# ------------------------------------------------------------------------------ for the chapters

def test_a_readable_table_shows_every_setting_and_no_blank_as_a_number():
    table = report.readable(report.results([*seeds(SI, 0.98123, 0.99), line(BASE, 0.7)]))
    si, plain = table.loc["SI"], table.loc["fine-tuning"]
    assert (si["c"], si["ξ"], si["mean"]) == ("1", "0.001", 98.6)
    assert (plain["c"], plain["ξ"]) == ("", "")
    assert not {"scenario", "minutes each"} & set(table)


@pytest.mark.parametrize("scenario", ["task", "class"])
def test_at_tuned_strength_are_all_seeds_of_the_best_strength_and_no_others(scenario):
    base = protocols.in_scenario(BASE, scenario)
    best = {method: strengths[1] for method, strengths in protocols.STRENGTHS["split"].items()}
    tuning = tuned_to(base, best.get)
    wanted = protocols.reported(base, tuning, count=3)
    other = [*protocols.seeds(protocols.with_method(base, "SI", 1e4), 3),
             *(run.replace(dropout=0.5) for run in wanted),
             *protocols.reported(protocols.in_scenario(BASE, "domain"), [], count=3)]
    found = report.at_tuned_strength(base, tuning + [line(run, 0.8) for run in other + wanted])
    assert list(found) == list(METHODS)
    assert [Run.of(record) for group in found.values() for record in group] == wanted


def test_a_group_of_records_gives_its_name_to_its_curve():
    table = report.accuracies({"SI, c = 1": seeds(SI, 0.9, 0.8), "plain": [line(BASE, 0.7, 0.9)]})
    assert table.groupby("method").size().to_dict() == {"SI, c = 1": 8, "plain": 4}
    last = table.query("method == 'plain' and trained == 2")
    assert last["accuracy"].tolist() == [0.7, 0.9] and last["tested"].tolist() == [1, 2]


def test_what_was_just_learned_stands_on_the_diagonal_and_what_was_kept_below():
    record = line(SI, 0.6, 0.8)
    record["accuracy"][0] = [0.9, 0.1]
    table = report.learned_and_kept([record, *seeds(SI.replace(strength=5.0), 0.5)], "strength")
    assert table["strength"].tolist() == [1.0, 5.0]
    assert table["just learned"].tolist() == pytest.approx([0.85, 0.5])
    assert table["at the end"].tolist() == pytest.approx([0.7, 0.5])


def test_a_difference_is_paired_and_its_interval_does_not_see_what_both_have_in_common():
    common = np.array([0.2, 0.9, 0.5])
    # differences −1, −2, −3 points: s = 1, t = 4.303 for two degrees, 4.303 / √3 = 2.48
    assert report.difference(common, common + np.array([0.01, 0.02, 0.03])) == "−2.0 ± 2.5"


def test_settings_go_by_their_names_and_those_without_a_finished_run_are_left_out():
    settings = {"memory": SI, "none": BASE, "strong": SI.replace(strength=9.0),
                "absent": SI.replace(strength=5.0)}
    records = [*seeds(SI, 0.9, None, 0.8), *seeds(BASE, 0.7)[::-1],
               *seeds(SI.replace(strength=9.0), None), *seeds(SI.replace(epochs=3), 0.1)]
    found = report.named(records, settings)
    assert list(found) == ["memory", "none"]
    assert [record["seed"] for record in found["memory"]] == [0, 2]


def test_runs_are_paired_by_the_seeds_that_all_have():
    one, two = seeds(SI, 0.9, 0.8, 0.7), seeds(BASE, 0.6, 0.5, 0.4)
    found = report.paired(one[::-1], two[1:], two)
    assert [[record["seed"] for record in pair] for pair in found] == [[1, 1, 1], [2, 2, 2]]
    assert [pair[0]["method"] for pair in found] == ["SI", "SI"]
    assert report.paired(one[:1], two[1:]) == []


def test_an_interval_is_shown_from_three_seeds_on_and_the_seeds_themselves_before():
    # s = 1, t = 4.303 for two degrees, 4.303 / √3 = 2.48
    assert report.told([-3.0, -2.0, -1.0]) == "−2.0 ± 2.5 (three seeds)"
    assert report.told([4.0, 5.0]) == "+4.5 (two seeds: +4.0 and +5.0)"
    assert report.told([-0.26]) == "−0.3 (one seed)"
    assert report.told([-0.04]) == report.told([0.04]) == "+0.0 (one seed)"
    assert report.told(np.arange(12.0)).endswith("(12 seeds)")
    assert np.isnan(report.half_interval([1.0, 2.0])) and report.half_interval([1.0] * 3) == 0


def test_how_many_seeds_there_are_is_left_out_where_the_page_has_said_it():
    assert report.told([-3.0, -2.0, -1.0], said=3) == "−2.0 ± 2.5"
    assert report.told([4.0, 5.0], said=2) == "+4.5 (+4.0 and +5.0)"
    assert report.told([-0.26], said=1) == "−0.3"
    assert report.told([-0.26], said=3) == "−0.3 (one seed)"


# -------------------------------------------------------------------------------------- commands

def asked_for(monkeypatch, command):
    """What the real command line would run."""
    python, dash_m, name, *words = shlex.split(command)
    assert (python, dash_m, name) == ("python", "-m", "si_tutorial")
    asked = []
    with monkeypatch.context() as patched:
        patched.setattr(runner, "run_all", lambda protocol, folder, experiment, **_: asked.extend(
            (experiment, run) for run in protocol([])) or [])
        assert main(words) == 0
    assert {experiment for experiment, _ in asked} <= {run.experiment for _, run in asked}
    return [run for _, run in asked]


@pytest.mark.parametrize("name", protocols.EXPERIMENTS)
def test_the_command_of_each_published_run_asks_for_exactly_that_run(monkeypatch, capsys, name):
    base, protocol = protocols.EXPERIMENTS[name]
    records = [line(run, run.method.strength and 1 / run.method.strength)
               for scenario in (["task"] if base.data.sequence == "cifar" else SCENARIOS)
               for run in protocols.tuning(protocols.in_scenario(base, scenario))]
    settings = {run.replace(seed=0) for run in protocol(records)}
    assert len(settings) > {"permuted-mnist": 1, "cifar": 10}.get(name, 30)
    for setting in settings:
        expected = [setting.replace(seed=seed) for seed in range(3)]
        assert asked_for(monkeypatch, report.command(setting, 3)) == expected


POSITIVE = st.floats(0, 1e300)


@st.composite
def any_run(draw):
    name = draw(st.sampled_from([*protocols.EXPERIMENTS]))
    cifar = name.startswith("cifar")
    schedule = draw(st.sampled_from(get_args(Training.__annotations__["schedule"])))
    method = draw(st.sampled_from(METHODS + CONTROLS)) if schedule == "sequence" else "fine-tuning"
    scenario = "task" if cifar else draw(st.sampled_from(SCENARIOS))
    return Run.of({
        "experiment": name, "method": method, "seed": 0,
        "data": "cifar" if cifar else draw(st.sampled_from(["mnist", "mnist subset"])),
        "sequence": "cifar" if cifar else draw(st.sampled_from(["split", "permuted"])),
        "scenario": scenario, "tasks": draw(st.integers(1, 20)),
        "start": draw(st.integers(0, 3)) if scenario == "task" else 0,
        "held_out": draw(st.integers(0, 99)),
        "strength": draw(POSITIVE) if method in PENALISED + CONTROLS else None,
        "damping": draw(POSITIVE) if method in DAMPED else None,
        "network": draw(st.sampled_from(["mlp", "conv"])),
        "hidden": draw(st.lists(st.integers(1, 5000), max_size=3)),
        "dropout": draw(st.floats(0, 1, exclude_max=True)),
        "head_weights": draw(st.sampled_from(["zero", "random"])),
        "epochs": draw(st.integers(1, 99)), "batch_size": draw(st.integers(1, 999)),
        "learning_rate": draw(st.floats(1e-9, 1e300)), "weight_decay": draw(POSITIVE),
        "reset_optimizer": draw(st.booleans()), "schedule": schedule,
        "precision": draw(st.sampled_from(["float32", "bfloat16"])),
        "curves": draw(st.booleans()),
        "correlate": method in ("SI", "fine-tuning") and schedule == "sequence"
        and draw(st.booleans())})


@given(run=any_run())
def test_every_run_has_a_command_that_asks_for_exactly_that_run(run):
    with pytest.MonkeyPatch.context() as monkeypatch:
        assert asked_for(monkeypatch, report.command(run, 1)) == [run]


# --------------------------------------------------------------------------------- is it the same?

STORED = seeds(SI, 0.98, 0.99, 1.0)


@pytest.mark.parametrize("name", ["machine", "kind", "device", "threads", "versions", "data_source",
                                  "data_digest"])
def test_a_set_up_is_the_same_if_nothing_that_decides_bits_differs(name):
    again = STORED[0] | {"commit": "beef", "finished": "2027-01-01", "seconds": 1.0}
    assert report.same_setup(STORED[0], again)
    assert not report.same_setup(STORED[0], again | {name: "other"})


def test_a_processors_name_is_not_enough():
    old = {name: value for name, value in STORED[0].items() if name != "kind"}
    for one, other in ((old, STORED[0]), (STORED[0], old), (old, old)):
        assert not report.same_setup(one, other)


def test_on_a_graphics_card_not_every_digit_counts():
    one, again = (STORED[0] | {"device": "NVIDIA H200", "seconds": s} for s in (1.0, 2.0))
    assert not report.same_setup(one, again)
    assert report.agrees(one, again | {"accuracy": STORED[1]["accuracy"]}, STORED)


def test_with_the_same_set_up_every_digit_counts():
    again = json.loads(json.dumps(STORED[0]))
    assert report.agrees(STORED[0], again | {"commit": "beef"}, STORED)
    again["accuracy"][0][1] += 1e-6  # one digit, and not of the last row
    assert not report.agrees(STORED[0], again, STORED)


def test_elsewhere_the_accuracy_lies_in_the_prediction_interval_of_all_seeds():
    low, high = metrics.prediction_interval([0.98, 0.99, 1.0], level=0.999)
    for score, expected in ((low + 1e-9, True), (low - 1e-9, False), (0.99, True),
                            (high - 1e-9, True), (high + 1e-9, False)):
        again = line(SI, score, score, machine="another one")
        assert report.agrees(STORED[0], again, STORED) == expected


def test_the_spread_is_pooled_over_the_strengths_beside_and_the_mean_is_the_settings_own():
    pair = seeds(SI.replace(strength=2.0), 0.5, 0.53)
    low, high = metrics.prediction_interval([0.98, 0.99, 1.0], 0.999, alike=[[0.5, 0.53]])
    own = metrics.prediction_interval([0.98, 0.99, 1.0], 0.999)
    assert own[0] < low - 0.01  # more seeds tell the spread better
    for score, expected in ((low + 1e-9, True), (low - 1e-9, False), (high + 1e-9, False)):
        again = line(SI, score, score, machine="another one")
        assert report.agrees(STORED[0], again, STORED + pair) == expected
        other = [*seeds(BASE, 0.1, 0.9), *seeds(protocols.in_scenario(SI, "class"), 0.1, 0.9),
                 *(seed for change in ({"strength": 20.0}, {"epochs": 1}, {"damping": 0.1})
                   for seed in seeds(SI.replace(**change), 0.1, 0.9))]
        assert report.agrees(STORED[0], again, STORED + pair + other) == expected
    beside = SI.replace(damping=5e-3, held_out=100)  # one seed is judged by the others' spread
    one = seeds(beside, 0.7)
    inside, outside = (line(beside, score, machine="another one") for score in (0.71, 0.2))
    assert report.agrees(one[0], inside, STORED + one)
    assert not report.agrees(one[0], outside, STORED + one)


def test_where_few_seeds_are_beside_the_spread_is_pooled_over_all_settings_on_the_same_data():
    """A single seed is judged by what others say of chance: as wide as theirs, and no wider."""
    alone = SI.replace(dropout=0.5)
    others = [seeds(BASE, 0.70, 0.72, 0.71), seeds(SI.replace(epochs=3), 0.90, 0.91)]
    elsewhere = seeds(protocols.in_scenario(BASE, "class"), 0.1, 0.9)
    records = [*seeds(alone, 0.95), *others[0], *others[1], *elsewhere]
    low, high = report.elsewhere(records[0], records)
    assert (low, high) == pytest.approx(metrics.prediction_interval(
        [0.95], 0.999, alike=[[0.70, 0.72, 0.71], [0.90, 0.91]]))
    assert 0.72 < low < high - 0.1  # it finds a lost penalty
    well_known = [*seeds(SI, 0.5, 0.6, 0.7, 0.8), *others[0], *others[1]]
    assert report.elsewhere(well_known[0], well_known) == metrics.prediction_interval(
        [0.5, 0.6, 0.7, 0.8], 0.999)


@pytest.mark.parametrize(("others", "pooled"), [
    ([0.70, 0.72, 0.71], True), ([0.700, 0.703, 0.706], False), ([0.70, 0.78, 0.74], False)])
def test_a_spread_from_a_few_seeds_is_pooled_with_others_that_are_like_it(others, pooled):
    own = [0.90, 0.91, 0.92, 0.90, 0.91]  # four degrees of freedom, and s = 0.0084
    records = [*seeds(SI, *own), *seeds(BASE, *others), *seeds(SI.replace(epochs=3), *others)]
    together = metrics.prediction_interval(own, 0.999, alike=[others, others])
    assert report.elsewhere(records[0], records) == pytest.approx(
        together if pooled else metrics.prediction_interval(own, 0.999))


@pytest.mark.parametrize("machine", ["a processor", "another one"])
def test_a_failed_run_is_confirmed_by_a_failed_one_alone(machine):
    failed, fine = line(SI, machine=machine), line(SI, 0.98, 0.98, machine=machine)
    records = [*seeds(SI, None, 0.99, 1.0), *seeds(SI.replace(strength=9.0), None, None)]
    assert report.agrees(records[0], failed, records)
    assert not report.agrees(records[0], fine, records)
    assert not report.agrees(STORED[0], failed, STORED)
    assert report.agrees(records[1], line(SI, 0.99, 0.99, machine=machine), records)


def test_one_seed_cannot_judge_another_set_up():
    alone, again = seeds(SI, 0.9), line(SI, 0.9, 0.9, machine="another one")
    assert report.agrees(alone[0], line(SI, 0.9, 0.9), alone)
    for records in (alone, seeds(SI, 0.9, None)):
        with pytest.raises(ValueError, match=r"neither this setting .* choose another line"):
            report.agrees(records[0], again, records)


def test_published_numbers_stand_below_ours_method_by_method():
    ours = pd.DataFrame([("this book", method, 1.0, 2.0, 3.0) for method in ("fine-tuning", "SI")],
                        columns=literature.SPLIT_MNIST.columns)
    beside = literature.split_mnist_beside(ours)
    theirs = ["van de Ven & Tolias 2018", "Hsu et al. 2018"]
    assert list(beside.index) == [(method, source) for method in ("fine-tuning", "SI")
                                  for source in ("this book", *theirs)]
    assert beside.loc[("SI", "this book")].tolist() == [1, 2, 3]
    assert beside.loc[("fine-tuning", "Hsu et al. 2018")].tolist() == [93.5, 55.2, 19.7]
