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
    assert set(done) == set(wanted)


@pytest.mark.parametrize("name", [*PUBLISHED, "cifar-again"])
def test_every_line_says_what_it_was_made_with_and_nothing_private(name):
    for record in store.published(name):
        names = SOURCES[Run.of(record).data.name]
        assert record["data_digest"] == " ".join(datasets.KNOWN[one][1] for one in names)
        assert re.fullmatch("[0-9a-f]{40}", record["commit"])  # no "+": a commit without changes
        assert record["threads"] == 1 and record["seconds"] > 0
        assert not re.search(r"(?<!\w)/(home|root|tmp|work|usr)/|\\\\Users", json.dumps(record))


def test_the_runs_that_were_made_again_differ_in_their_device_alone():
    first = {Run.of(record): record for record in store.published("cifar")}
    again = store.published("cifar-again")
    assert len({Run.of(record) for record in again}) == len(again) == 6
    for record in again:
        other = first[Run.of(record)]
        assert other["device"] == "cpu"
        assert record["device"] == "NVIDIA H200 after a first task on cpu"
        assert record["curve"][0] == other["curve"][0]  # the very same first task


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


@pytest.mark.parametrize(("experiment", "rounds"), [
    ("split-mnist", {"RootFisher": 1, "EmpiricalFisher": 2, "ReversedLogits": 2}),
    ("permuted-mnist-small", {"EmpiricalFisher": 2, "ReversedLogits": 2})])
def test_the_measures_beside_the_pages_were_tuned_as_the_text_says(experiment, rounds):
    file = own.file(ROOT / "book/own_measures.py")
    records = store.published(f"own-{experiment}")
    assert {record["code"] for record in records} == {file.code}
    assert {record["method"] for record in records} == rounds.keys()
    for method, count in rounds.items():
        of_it = [record for record in records if record["method"] == method]
        scores = {}
        for record in of_it:
            if record["held_out"]:
                scores.setdefault(record["strength"], []).append(record)
        assert all({record["seed"] for record in tried} == set(protocols.TUNING_SEEDS)
                   for tried in scores.values())
        means = {strength: sum(metrics.average_accuracy(record["accuracy"]) for record in tried)
                 for strength, tried in scores.items()}
        tens = [c for c in means if f"{c:e}".startswith("1.0")]
        assert len(tens) == 5 and max(tens) == 1e4 * min(tens)
        second = protocols.finer(max(tens, key=means.get)) if count == 2 else ()
        assert set(means) == {*tens, *second}
        told = [record for record in of_it if not record["held_out"]]
        assert {record["strength"] for record in told} == {max(means, key=means.get)}
        base = protocols.EXPERIMENTS[experiment][0]
        published = report.at_tuned_strength(base, store.published(experiment))["EWC"]
        assert {record["seed"] for record in told} == {record["seed"] for record in published}
