"""The chapter on CIFAR: it holds with one seed as with five, and its worked numbers are right."""

import importlib
import json
import re
from pathlib import Path

import numpy as np
import pytest

from si_tutorial import metrics
from si_tutorial.experiments import literature, protocols, report, store
from si_tutorial.experiments.settings import Run

CHAPTER = Path(__file__).resolve().parents[1] / "book/cifar.ipynb"
CELLS = json.loads(CHAPTER.read_text(encoding="utf-8"))["cells"]
TEXT = " ".join("".join("".join(cell["source"]) + "\n" for cell in CELLS).split())
NAMED = protocols.CIFAR_STRATEGIES | protocols.CIFAR_STRONGER | protocols.CIFAR_CONTROLS
# what trains, draws with the images, or is interactive: not part of what the numbers say
LEFT_OUT = {"colab", "cell-05", "cell-22", "cell-30", "cell-31", "miniature", "miniature-result"}


def like(record, run, seed, random):
    """A line for another run: the record's, with a little chance in its accuracies."""
    def shaken(values, size=0.003):
        values = np.array(values, dtype=float)
        return np.clip(values + size * random.standard_normal(values.shape), 0, 1).tolist()
    changed = {name: shaken(record[name]) for name in ("accuracy", "curve")}
    return {**record, **run.replace(seed=seed).fields, **changed}


def extended(number):
    """The published lines of the strategies, and made-up ones so that each has `number` seeds."""
    random, records = np.random.default_rng(number), store.published("cifar")
    found = report.named(records, protocols.CIFAR_STRATEGIES)
    for name, group in found.items():
        records += [like(group[0], NAMED[name], seed, random)
                    for seed in range(number) if seed not in {r["seed"] for r in group}]
    return records


def every_control(records):
    """A made-up line for each control, and for the runs in two precisions, from two seeds."""
    random, found = np.random.default_rng(0), report.named(records, protocols.CIFAR_STRATEGIES)
    done = {Run.of(record) for record in records}
    for run in protocols.cifar([]):
        if run in done or run.seed > 1:
            continue
        kind = ("from scratch" if run.training.schedule != "sequence" else
                "fine-tuning" if run.method.name == "fine-tuning" else "SI")
        record = like(found[kind][0], run, run.seed, random)
        if run.data.tasks == 1:
            record["accuracy"] = [[record["accuracy"][1][1]]]
        records.append(record)
    return records


@pytest.fixture
def said(monkeypatch):
    """A function that runs the chapter on other lines and returns what it glues into its text."""
    myst_nb = importlib.import_module("myst_nb")

    def run(records):
        found, space = {}, {}
        monkeypatch.setattr(myst_nb, "glue", lambda name, value, **_: found.update({name: value}))
        monkeypatch.setattr(store, "published", lambda experiment: records)
        space["HERE"] = False
        for cell in CELLS:
            if cell["cell_type"] == "code" and cell["id"] not in LEFT_OUT:
                exec("".join(cell["source"]), space)
        return found
    return run


def test_with_the_published_lines_the_page_says_how_many_seeds_there_are(said):
    records = store.published("cifar")
    found, text = report.named(records, NAMED), said(records)
    for name in protocols.CIFAR_STRATEGIES:
        assert report.count(len(found[name])) in text["seeds"]


def only(number):
    """The published lines of the strategies alone, or made-up ones, in so many seeds."""
    strategies = set(protocols.CIFAR_STRATEGIES.values())
    return [record for record in extended(number) if record["seed"] < number and (
        Run.of(record).replace(seed=0) in strategies or record["schedule"] == "first, then heads")]


def test_one_plain_sentence_says_what_is_not_there_and_no_other_speaks_of_it(said):
    text = said(only(1))
    assert text["not-yet"].startswith("No runs are published of ")
    for words in ("one later task straight after CIFAR-10", "SI with shuffled importances",
                  "L2", "weight decay", "ten times the strength",
                  "SI with Adam's steps counted on"):
        assert text["not-yet"].count(words) == 1
    assert "heads" not in text["not-yet"] and text["precision"] == text["surely"] == ""
    some = only(1) + [r for r in every_control(only(1)) if (r["method"], r["strength"]) == (
        "L2", protocols.STRENGTHS["cifar"]["L2"][1])]
    assert "L2, c = 0.01, L2, c = 0.1" in said(some)["not-yet"]   # the others, by name


def test_with_one_seed_no_number_pretends_to_more_and_the_page_says_so_once(said):
    text = said(only(1))
    assert text["seeds"].startswith("one seed of each strategy")
    assert text["every-seed"] == "The order at the end is SI, then fine-tuning, then from scratch."
    assert not any("seed" in words or "±" in words for name, words in text.items()
                   if name not in ("seeds", "every-seed"))


def test_with_three_seeds_there_are_intervals_and_no_excuse(said):
    controls_too, text = extended(3), said(only(3))
    assert text["seeds"].startswith("three seeds of each") and "interval" in text["certainty"]
    assert re.fullmatch(r"\+10\.\d ± \d\.\d", text["part-transfer"])
    assert text["every-seed"].endswith("from scratch, in all three seeds.")
    assert "Read one by one, these intervals lie above zero: SI − from scratch" in text["surely"]
    counted = report.named(controls_too, NAMED)["fine-tuning, steps counted on"]
    assert report.count(len(counted)) in said(controls_too)["full-size"]  # a control may have fewer


def test_with_two_seeds_both_are_told_and_no_interval(said):
    text = said(only(2))
    assert re.fullmatch(r"\+10\.\d \(\+1\d\.\d and \+1\d\.\d\)", text["part-transfer"])
    assert "Two are too few for an interval" in text["certainty"]
    assert text["every-seed"].endswith("from scratch, in both seeds.")


def test_where_one_strategy_has_more_seeds_each_is_named(said):
    records = [r for r in only(3) if r["schedule"] != "alone" or r["seed"] < 2]
    text = said(records)
    assert text["seeds"] == (
        "three seeds of fine-tuning, three seeds of SI and two seeds from scratch")
    assert " and " in text["part-transfer"]          # of the seeds that all three have


def test_the_cost_of_protection_is_told_as_what_it_costs(said):
    for number in (1, 2, 3):
        assert re.match(r"\d\.\d", said(only(number))["part-cost-of-protection"])


def test_with_every_control_nothing_is_called_missing(said):
    records = every_control(extended(5))
    text = said(records)
    assert text["not-yet"] == "" and "two seeds" in text["heads"]
    assert "On the second task alone" in text["precision"]
    assert "(two seeds)" in text["full-size"]
    for end, verdict in (([0.70] * 6, "points unexplained"), ([0.58] * 6, "points more"),
                         (np.array(literature.CIFAR["fine-tuning"]) / 100, "closes the gap")):
        for record in records:
            if record["reset_optimizer"] == "moments":
                record["accuracy"] = [*record["accuracy"][:-1], list(end)]
        assert verdict in said(records)["full-size"]


@pytest.mark.parametrize(("less", "verdict"), [
    ([0] * 6, "little from which of its weights are"),
    ([0.03] * 6, "So it does matter"), ([0.03] + [0] * 5, "matters for the oldest task"),
    ([0] + [0.03] * 5, "too little to tell")])
def test_what_shuffled_importances_tell_is_read_off_their_runs(said, less, verdict):
    records = only(2)
    assert said(records)["mixed"] == ""
    for record in report.named(records, protocols.CIFAR_STRATEGIES)["SI"]:
        rows = [*record["accuracy"][:-1], list(np.array(record["accuracy"][-1]) - less)]
        records.append({**record, **NAMED["SI, shuffled"].replace(seed=record["seed"]).fields,
                        "accuracy": rows})
    assert verdict in said(records)["mixed"]


def test_the_three_parts_by_hand():
    alone, plain, held = ([[80, 0, 0], [80, 60, 0], [80, 60, 70]],
                          [[80, 0, 0], [0, 75, 0], [55, 61, 83]],
                          [[80, 0, 0], [0, 72, 0], [74, 70, 80]])
    parts = [metrics.transfer(plain, alone), metrics.protection_cost(held, plain),
             metrics.retention(plain), metrics.retention(held)]
    assert parts == [14, 3, -7, -1]
    for sentence in ("Transfer is (15 + 13)/2 = 14, the cost of protection (3 + 3)/2 = 3.",
                     "Fine-tuning retains (−14 + 0)/2 = −7, the protected network (−2 + 0)/2 = −1.",
                     "ends 14 − 3 − 1 = 10 points above", "fine-tuning 14 − 7 = 7.",
                     f"(74 + 70 + 80)/3 = {metrics.average_accuracy(held):.1f} %",
                     f"(55 + 61 + 83)/3 = {metrics.average_accuracy(plain):.1f} %"):
        assert sentence in TEXT


def test_how_long_adams_first_steps_are_without_its_correction():
    def longer(n):
        return (1 - 0.9**n) / (1 - 0.999**n) ** 0.5
    for sentence in (f"0.1 divided by the root of 0.001, which is {longer(1):.1f}.",
                     f"{1 - 0.9**12:.3f} divided by the root of {1 - 0.999**12:.4f}, which is "
                     f"{longer(12):.1f}.",
                     f"after 1,000 steps the factor is still {longer(1000):.1f}."):
        assert sentence in TEXT
    assert max(range(1, 2000), key=longer) in range(10, 16)


def test_the_authors_means_are_those_of_the_design():
    means = {name: round(float(np.mean(values)), 1) for name, values in literature.CIFAR.items()}
    assert means == {"fine-tuning": 62.5, "SI": 73.5, "SI, c = 0.1": 72.0, "from scratch": 71.1}
    assert literature.CIFAR_JUST_LEARNED["from scratch"] == round(
        float(np.mean(literature.CIFAR["from scratch"][1:])), 1)
