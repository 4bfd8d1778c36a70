"""The published lines: complete, of one kind, and what the code gives."""

import json
import re
from pathlib import Path

import pytest

from si_tutorial import datasets, metrics
from si_tutorial.experiments import own, protocols, report, store
from si_tutorial.experiments.runs import SOURCES, execute
from si_tutorial.experiments.settings import Run

ROOT = Path(__file__).resolve().parents[1]
PUBLISHED = [name for name in protocols.EXPERIMENTS if store.published(name)]


def test_something_is_published():
    assert "split-mnist" in PUBLISHED


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_lines_are_the_runs_of_the_protocol(name):
    records = store.published(name)
    done = [Run.of(record) for record in records]
    wanted = protocols.EXPERIMENTS[name][1](records)
    assert len(done) == len(set(done))
    if name == "cifar":  # it takes days: the lines that are there, seed by seed
        assert set(done) <= set(wanted)
    else:
        assert set(done) == set(wanted)


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_line_says_what_it_was_made_with_and_nothing_private(name):
    for record in store.published(name):
        names = SOURCES[Run.of(record).data.name]
        assert record["data_digest"] == " ".join(datasets.KNOWN[one][1] for one in names)
        assert re.fullmatch("[0-9a-f]{40}", record["commit"])  # no "+": a commit without changes
        assert record["threads"] == 1 and record["seconds"] > 0
        assert not re.search(r"(?<!\w)/(home|root|tmp|work|usr)/|\\\\Users", json.dumps(record))


@pytest.mark.parametrize("name", PUBLISHED)
def test_tuning_chose_no_strength_at_the_end_of_its_range_where_it_matters(name):
    base = protocols.EXPERIMENTS[name][0]
    for method, strength in protocols.tuned(base, store.published(name)).items():
        strengths = protocols.STRENGTHS[base.data.sequence][method]
        assert strength not in (strengths[0], strengths[-1])


def test_a_published_line_comes_out_again():
    if not (datasets.folder() / "mnist.npz").exists():
        pytest.skip("needs the full MNIST: python -m si_tutorial data mnist")
    records = store.published("split-mnist")
    run = protocols.authors(protocols.SPLIT)
    record, unprotected = (next(record for record in records if Run.of(record) == one)
                           for one in (run, protocols.SPLIT))
    low, _ = report.elsewhere(record, records)
    assert metrics.average_accuracy(unprotected["accuracy"]) < low  # a lost penalty would be seen
    again = execute(run)
    assert report.agrees(record, again, records), (
        f"{record['accuracy'][-1]} is stored, now it is {again['accuracy'][-1]}")


def test_the_example_of_a_measure_of_ones_own_is_that_of_the_file_beside_the_pages():
    file = own.file(ROOT / "book/own_measures.py")
    records = store.published("own-split-mnist")
    assert {record["code"] for record in records} == {file.code}
    assert {record["method"] for record in records} == {"RootFisher"}
    tuning = [record for record in records if record["held_out"]]
    assert {record["seed"] for record in tuning} == set(protocols.TUNING_SEEDS)
    assert len({record["strength"] for record in tuning}) == 5
