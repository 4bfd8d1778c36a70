"""A store is readable whatever happened to it, and loses no finished line."""

import importlib.resources
import json
import re

import numpy as np
import pytest

from si_tutorial.experiments import protocols, store
from si_tutorial.experiments.runs import execute
from si_tutorial.experiments.settings import Run


def record(seed, accuracy=None, **found):
    """A line of the present version, as `execute` would have it."""
    run = protocols.authors(protocols.SPLIT).replace(seed=seed)
    return run.fields | {"hidden": [5], "version": store.VERSION, "accuracy": accuracy} | found


RECORDS = [record(0, [[0.5, 1.0], [0.25, 1.0]], machine="einfach · schnell"),
           record(1, failed="the training loss has become nan\nstop"),
           record(2, seconds=1e-05, strength=0.1)]
# a line as the first version wrote them
OLD = {"experiment": "split-mnist", "sequence": "split", "scenario": "task", "method": "L2",
       "strength": 0.01, "damping": None, "seed": 5, "tasks": 5, "hidden": [256, 256],
       "dropout": 0.0, "head_weights": "zero", "epochs": 10, "batch_size": 64,
       "learning_rate": 0.001, "reset_optimizer": True, "held_out": 0, "correlate": False,
       "data": "mnist", "accuracy": [[1.0]], "at_start": [0.5], "seconds": 1.0, "failed": None,
       "correlation": None, "data_source": "MNIST", "data_digest": "06b0", "device": "cpu",
       "machine": "AMD EPYC", "system": "Linux", "threads": 1, "versions": {"torch": "2.12.1"},
       "commit": "c0ffee", "finished": "2026-11-23"}


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "folder" / "some.jsonl"
    for record in RECORDS:
        store.append(file, record)
    return file


# ------------------------------------------------------------------------- lines that are whole

def test_what_is_read_is_what_was_appended_in_its_order(file):
    assert store.read(file) == RECORDS
    assert file.read_bytes().count(b"\n") == 3 and file.read_bytes().endswith(b"\n")


def test_floating_point_numbers_come_back_bit_for_bit(tmp_path):
    numbers = [*np.random.default_rng(0).random(500).tolist(), 0.1 + 0.2, 5e-324, 1e16, -0.0]
    store.append(tmp_path / "s.jsonl", record(0, numbers))
    back = store.read(tmp_path / "s.jsonl")[0]["accuracy"]
    assert np.array(back).tobytes() == np.array(numbers).tobytes()


def test_a_store_that_is_not_there_holds_nothing(tmp_path):
    assert store.read(tmp_path / "none.jsonl") == []
    assert not list(tmp_path.iterdir())
    assert store.published("never-run") == []


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), object()])
def test_what_is_no_json_leaves_the_store_as_it_was(file, bad):
    before = file.read_bytes()
    with pytest.raises((ValueError, TypeError)):
        store.append(file, {"accuracy": bad})
    assert file.read_bytes() == before


def test_a_line_is_on_the_disk_when_append_returns(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(store.os, "fsync", lambda descriptor: synced.append(
        (tmp_path / "s.jsonl").read_bytes()))
    store.append(tmp_path / "s.jsonl", RECORDS[0])
    assert [json.loads(line) for line in synced] == RECORDS[:1]


# ------------------------------------------------------------------------ lines that are broken

@pytest.mark.parametrize("lines", [0, 1, 2])
def test_a_last_line_cut_off_anywhere_is_dropped_and_no_finished_one_is_lost(file, lines):
    """What a kill leaves behind: all the lines before, and of the next its first bytes."""
    whole = file.read_bytes().splitlines(keepends=True)
    before, cut = b"".join(whole[:lines]), whole[lines]
    for position in range(len(cut) - 1):
        file.write_bytes(before + cut[:position])
        assert store.read(file) == RECORDS[:lines]
        store.append(file, record(9))
        assert store.read(file) == [*RECORDS[:lines], record(9)]
        assert file.read_bytes() == before + json.dumps(record(9)).encode() + b"\n"


def test_a_last_line_that_only_lacks_its_end_is_kept(file):
    file.write_bytes(file.read_bytes().removesuffix(b"\n"))
    assert store.read(file) == RECORDS
    store.append(file, record(9))
    assert store.read(file) == [*RECORDS, record(9)]
    assert file.read_bytes().count(b"\n") == 4


@pytest.mark.parametrize("damage", [
    b"{", b'{"seed": 1}}', b"\x00" * 30, b"\xff\xfe{}", b"seed"], ids=str)
@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_damaged_line_is_an_error_that_names_it_and_the_remedy(file, number, damage):
    lines = file.read_bytes().splitlines()
    lines[number - 1] = damage
    damaged = b"".join(line + b"\n" for line in lines)
    file.write_bytes(damaged)
    with pytest.raises(ValueError, match=f"line {number} of .*some.jsonl is damaged .*: delete "):
        store.read(file)
    assert file.read_bytes() == damaged
    file.write_bytes(b"".join(line + b"\n" for line in lines if line is not damage))
    assert store.read(file) == [r for i, r in enumerate(RECORDS, start=1) if i != number]


# ------------------------------------------------------------------------- lines of other kinds

@pytest.mark.parametrize("foreign", ["[1, 2]", "3", '{"a": 1}', "null", '"seed"', '{"seed": 1}'])
@pytest.mark.parametrize("number", [1, 2, 4])
def test_a_line_that_is_no_record_is_named_and_passed_over(file, number, foreign):
    lines = file.read_text(encoding="utf-8").splitlines()
    lines.insert(number - 1, foreign)
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    with pytest.warns(RuntimeWarning, match=f"line {number} of .*some.jsonl is no record of a run "
                                            f"and is passed over: {re.escape(foreign)}"):
        assert store.read(file) == RECORDS
    before = file.read_bytes()
    store.append(file, record(9))
    assert file.read_bytes().startswith(before)  # nothing is lost, neither theirs nor ours


@pytest.mark.parametrize(("changes", "message"), [
    ({"version": 3}, "line 2 of .* has version 3, and this package reads versions 1 to 2: bring"),
    ({"version": "new"}, "has version 'new'"), ({"version": 0}, "has version 0"),
    ({"rotation": 30}, "has the unknown field rotation, which may change what its result means"),
    ({"schedule": "backwards"}, "does not know .unknown schedule 'backwards'"),
    ({"epochs": None}, "does not know .epochs must be a whole number")], ids=str)
def test_what_a_newer_version_may_have_written_is_refused_by_name(tmp_path, changes, message):
    for one in (record(0), record(1) | changes):
        store.append(tmp_path / "s.jsonl", one)
    with pytest.raises(ValueError, match=message):
        store.read(tmp_path / "s.jsonl")


def test_a_record_that_lacks_a_field_is_refused_by_name(tmp_path):
    store.append(tmp_path / "s.jsonl", {k: v for k, v in record(0).items() if k != "epochs"})
    with pytest.raises(ValueError, match=r"line 1 of .* lacks the field 'epochs': delete"):
        store.read(tmp_path / "s.jsonl")


def test_a_line_of_the_first_version_means_what_it_meant(tmp_path):
    store.append(tmp_path / "s.jsonl", OLD)
    back, = store.read(tmp_path / "s.jsonl")
    assert {name: back[name] for name in OLD} == OLD  # nothing that it says is changed
    assert back["version"] == store.VERSION
    assert Run.of(back) == protocols.with_method(protocols.SPLIT, "L2", 0.01).replace(seed=5)
    assert back["curve"] is back["spread"] is None


@pytest.mark.parametrize(("name", "count"), [
    ("split-mnist", 328), ("permuted-mnist", 2), ("permuted-mnist-small", 96)])
def test_every_line_that_was_published_is_still_wanted_and_says_what_it_said(name, count):
    file = importlib.resources.files("si_tutorial") / "results" / f"{name}.jsonl"
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    old = [line for line in lines if "version" not in line]
    records = store.published(name)
    assert len(old) == count
    for line, back in zip(lines, records, strict=True):
        assert {field: back[field] for field in line if field != "version"} == {
            field: line[field] for field in line if field != "version"}
    wanted = protocols.EXPERIMENTS[name][1](records)
    assert {Run.of(record) for record in records} == set(wanted)


def test_a_line_holds_the_runs_fields_what_was_found_and_where(run_data):
    tiny = protocols.SPLIT.replace(tasks=1, hidden=(3,), epochs=1, batch_size=99)
    made = execute(tiny)
    assert made.keys() == {"version", *tiny.fields, *store.FOUND, *store.ORIGIN}


# --------------------------------------------------------------------------------------- tables

def test_one_row_per_run_with_its_mean_accuracy_after_the_last_task():
    table = store.runs([record(0, [[1.0, 0.1], [0.5, 1.0]]), record(1, method="MAS")])
    assert table["seed"].tolist() == [0, 1] and table["method"].tolist() == ["SI", "MAS"]
    assert table["ACC"][0] == 0.75 and np.isnan(table["ACC"][1])
    assert not {"accuracy", "hidden"} & set(table.columns)


def test_one_row_per_run_and_trained_and_tested_task():
    table = store.accuracies([record(4, [[0.1, 0.2], [0.3, 0.4]]), record(5)])
    assert table["seed"].tolist() == [4] * 4
    assert table[["trained", "tested", "accuracy"]].values.tolist() == [
        [1, 1, 0.1], [1, 2, 0.2], [2, 1, 0.3], [2, 2, 0.4]]
    assert set(table["method"]) == {"SI"} and set(table["strength"]) == {1.0}
