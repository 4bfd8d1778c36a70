"""The chapter on CIFAR: what it says follows from the published lines, and from no others."""

import copy
import importlib
import json
import re
from pathlib import Path

import numpy as np
import pytest

from si_tutorial import metrics
from si_tutorial.experiments import literature, protocols, report, store

CHAPTER = Path(__file__).resolve().parents[1] / "book/cifar.ipynb"
CELLS = json.loads(CHAPTER.read_text(encoding="utf-8"))["cells"]
TEXT = " ".join("".join("".join(cell["source"]) + "\n" for cell in CELLS).split())
NAMED = protocols.CIFAR_STRATEGIES | protocols.CIFAR_STRONGER | protocols.CIFAR_CONTROLS
# what trains, draws with the images, or is interactive: not part of what the numbers say
LEFT_OUT = {"colab", "cell-05", "cell-22", "cell-30", "cell-31", "miniature", "miniature-result"}
PUBLISHED = {name: store.published(name) for name in ("cifar", "cifar-again", "cifar-short")}


@pytest.fixture
def said(monkeypatch):
    """A function that runs the chapter on some lines and returns what it glues into its text."""
    myst_nb = importlib.import_module("myst_nb")

    def run(lines):
        found, space = {}, {}
        monkeypatch.setattr(myst_nb, "glue", lambda name, value, **_: found.update({name: value}))
        monkeypatch.setattr(store, "published", lambda experiment: lines[experiment])
        space["HERE"] = False
        for cell in CELLS:
            if cell["cell_type"] == "code" and cell["id"] not in LEFT_OUT:
                exec("".join(cell["source"]), space)
        return found
    return run


def moved(store_name, name, points, task):
    """The published lines, those of one setting moved by some points, on task 1 or on the others.

    Both just learned and at the end.
    """
    lines = copy.deepcopy(PUBLISHED)
    groups = (report.at_tuned_strength(protocols.SHORT, lines[store_name])
              if store_name == "cifar-short" else report.named(lines[store_name], NAMED))
    for record in groups[name]:
        R = np.array(record["accuracy"])
        columns = slice(0, 1) if task == 1 else slice(1, None)
        R[:, columns] += points / 100
        record["accuracy"] = R.tolist()
    return lines


def test_what_the_page_says_holds_for_the_published_lines(said):
    found, text = report.named(PUBLISHED["cifar"], NAMED), said(PUBLISHED)
    assert {report.count(len(group)) for group in found.values()} == {text["seeds"]}
    assert re.fullmatch(r"\+\d+\.\d ± \d\.\d", text["part-transfer"])
    assert re.match(r"\d\.\d ", text["part-cost-of-protection"])  # told as what it costs
    assert text["every-seed"].startswith("The order at the end is SI, then fine-tuning, then from")


@pytest.mark.parametrize(("name", "points", "task"), [
    ("SI", -6, 2), ("fine-tuning", -15, 2), ("from scratch", 6, 2),
    ("CIFAR-10, then one task", -4, 2), ("CIFAR-10, then one task", 4, 2),
    ("CIFAR-10, then heads", 9, 2), ("from scratch, decay 0.3", 4, 2), ("L2, c = 0.001", 4, 2),
    ("L2, c = 0.01", 9, 2), ("SI, shuffled", -5, 2), ("SI, shuffled", 4, 1),
    ("SI, shuffled", 2, 2), ("SI, c = 0.1", 5, 2), ("SI, c = 0.1", -4, 1),
    ("fine-tuning, steps counted on", 5, 2), ("SI, steps counted on", -4, 2)])
def test_a_sentence_that_other_lines_would_make_wrong_is_not_printed(said, name, points, task):
    with pytest.raises(AssertionError):
        said(moved("cifar", name, points, task))


@pytest.mark.parametrize(("store_name", "name", "points", "task"), [
    ("cifar-again", "SI", 5, 2), ("cifar-short", "MAS", 5, 2), ("cifar-short", "joint", 9, 2),
    ("cifar-short", "EWC", -9, 1), ("cifar-short", "SI", 5, 2), ("cifar-short", "SI", -20, 1)])
def test_nor_one_about_runs_made_twice_or_shortly(said, store_name, name, points, task):
    with pytest.raises(AssertionError):
        said(moved(store_name, name, points, task))


@pytest.mark.parametrize("name", ["from scratch", "L2, c = 0.1", "SI, steps counted on"])
def test_every_setting_has_as_many_seeds_as_the_page_says(said, name):
    records = PUBLISHED["cifar"]
    lost = report.named(records, NAMED)[name][-1]
    with pytest.raises(AssertionError):
        said(PUBLISHED | {"cifar": [record for record in records if record is not lost]})


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
