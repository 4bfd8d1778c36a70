"""A store is readable whatever happened to it, and loses no finished line."""

import json

import numpy as np
import pytest

from si_tutorial.experiments import store

RECORDS = [{"seed": 0, "accuracy": [[0.5, 1.0], [0.25, 1.0]], "machine": "einfach · schnell"},
           {"seed": 1, "accuracy": None, "failed": "the training loss has become nan\nstop"},
           {"seed": 2, "strength": 0.1, "damping": 1e-05, "hidden": [2000, 2000]}]


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
    store.append(tmp_path / "s.jsonl", {"accuracy": numbers})
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
    for position in range(len(cut)):
        file.write_bytes(before + cut[:position])
        assert store.read(file) == RECORDS[:lines]
        store.append(file, {"seed": "next"})
        assert store.read(file) == [*RECORDS[:lines], {"seed": "next"}]
        assert file.read_bytes() == before + b'{"seed": "next"}\n'


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


# --------------------------------------------------------------------------------------- tables

def record(seed, accuracy, **fields):
    return {"scenario": "task", "method": "SI", "strength": 1.0, "damping": 1e-3, "dropout": 0.0,
            "head_weights": "zero", "seed": seed, "accuracy": accuracy, "hidden": [5]} | fields


def test_one_row_per_run_with_its_mean_accuracy_after_the_last_task():
    table = store.runs([record(0, [[1.0, 0.1], [0.5, 1.0]]), record(1, None, method="MAS")])
    assert table["seed"].tolist() == [0, 1] and table["method"].tolist() == ["SI", "MAS"]
    assert table["ACC"][0] == 0.75 and np.isnan(table["ACC"][1])
    assert not {"accuracy", "hidden"} & set(table.columns)


def test_one_row_per_run_and_trained_and_tested_task():
    table = store.accuracies([record(4, [[0.1, 0.2], [0.3, 0.4]]), record(5, None)])
    assert table["seed"].tolist() == [4] * 4
    assert table[["trained", "tested", "accuracy"]].values.tolist() == [
        [1, 1, 0.1], [1, 2, 0.2], [2, 1, 0.3], [2, 2, 0.4]]
    assert set(table["method"]) == {"SI"} and set(table["strength"]) == {1.0}
