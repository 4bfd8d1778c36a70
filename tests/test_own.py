"""A stranger's measure and data: through run, report, plot and export, and refused where unfit."""

import csv
import dataclasses
import io
import json
import multiprocessing
from pathlib import Path

import pytest
import torch
from strangers import ROOT_FISHER

from si_tutorial.__main__ import main
from si_tutorial.datasets import Dataset
from si_tutorial.experiments import (
    beforehand,
    command_line,
    crew,
    own,
    protocols,
    runner,
    runs,
    store,
)
from si_tutorial.experiments.checks import SettingsError
from si_tutorial.experiments.settings import Run
from si_tutorial.importance import UniformImportance

MINE = ROOT_FISHER + '''

class Steps(QuadraticPenalty):
    """Importance is the sum of squared gradients, which is gathered in each step."""

    _tensor_fields = ("importance", "anchor", "gathered")

    def __init__(self, network, *, strength=1.0):
        super().__init__(network, strength=strength)
        self.gathered = self._like(torch.zeros_like)

    def _after_step(self):
        for name, g in self._task_grads.items():
            self.gathered[name] += g**2

    def consolidate(self, batches=None, *, forward=None):
        self._begin_consolidation()
        return self._end_task(self.gathered, self._params)


class Forgetful(Steps):
    _tensor_fields = ("importance", "anchor")


class Broken(RootFisher):
    def consolidate(self, batches, *, forward=None):
        return 1 / 0


class Idle(RootFisher):
    def consolidate(self, batches, *, forward=None):
        return self


class Wider(RootFisher):
    def __init__(self, network, *, width, strength=1.0):
        super().__init__(network, strength=strength)


def six():
    y = torch.arange(6).repeat(8)
    x = torch.randint(0, 99, (48, 1, 5, 5), generator=torch.Generator().manual_seed(0))
    x[torch.arange(48), 0, 0, y % 5] = 255
    return Dataset("six", x.to(torch.uint8), y, x[:12].to(torch.uint8), y[:12], source="made here",
                   complete=True)
'''
WORDS = ["data=six", "tasks=2", "hidden=(6,)", "epochs=2", "batch_size=8", "learning_rate=0.01"]


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.py").write_text(MINE)
    return tmp_path


def asked(*methods, seeds="1"):
    return ["run", "split-mnist", "--from", "my.py", "--method", *methods, "--strength", "0.5",
            "--seeds", seeds, "--with", *WORDS]


def mine(method="RootFisher", **changes):
    """The run of one's own that the command line would make."""
    base = dataclasses.replace(protocols.SPLIT, file=own.file(Path("my.py")))
    return base.replace(method=method, strength=0.5, data="six", tasks=2, hidden=(6,), epochs=2,
                        batch_size=8, learning_rate=0.01, **changes)


def test_a_measure_and_data_of_ones_own_go_through_run_report_plot_and_export(place, capsys):
    assert main(asked("RootFisher", "L2", seeds="3:5")) == 0
    assert "RootFisher" in capsys.readouterr().out
    records = store.read(place / "results/split-mnist.jsonl")
    assert [(r["method"], r["seed"], r["data"]) for r in records] == [
        (name, seed, "six") for name in ("RootFisher", "L2") for seed in (3, 4)]
    assert all(r["code"] == own.file(Path("my.py")).code for r in records)
    assert str(place) not in json.dumps(records)  # a store names no folder of its machine
    assert Run.of(records[0]) == mine(seed=3)
    assert main(["report", "split-mnist", "--results", "results"]) == 0
    said = capsys.readouterr().out
    assert "--method RootFisher --seeds 3:5 --from my.py --strength 0.5" in said
    assert main(["plot", "split-mnist", "--results", "results"]) == 0
    drawn = capsys.readouterr().out.splitlines()
    assert "figures/split-mnist-task-seen.svg" in drawn and len(drawn) == 4
    assert all("RootFisher" in Path(f).read_text() for f in drawn if "L2" not in f)
    assert main(["export", "split-mnist", "--results", "results"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["method"] for row in rows] == ["RootFisher", "RootFisher", "L2", "L2"]
    assert main(["export", "split-mnist", "--results", "results", "--accuracies", "--to",
                 "a.csv"]) == 0
    assert Path("a.csv").read_text().count("\n") == 1 + 4 * 2 * 2


def test_a_measure_that_ships_is_the_same_run_with_a_file_at_hand_and_without(place):
    with_file, without = mine("L2").replace(data="mnist"), protocols.SPLIT.replace(
        method="L2", strength=0.5, tasks=2, hidden=(6,), epochs=2, batch_size=8, learning_rate=0.01)
    assert with_file == without and with_file.key == without.key and "code" not in without.fields


def test_a_changed_file_makes_other_runs_and_is_not_taken_for_the_one_that_was_asked_for(place):
    before = mine()
    (place / "my.py").write_text(MINE + "\n# changed\n")
    after = mine()
    assert before != after and before.key != after.key
    assert before.first_task is None  # whatever it gathers in its first task is its own
    with pytest.raises(SettingsError, match=r"my.py has changed since its runs were asked for"):
        own._module(before.file.path, before.code)
    own._module(after.file.path, after.code)


def test_what_a_measure_gathers_in_the_first_task_is_not_taken_from_another_run(place):
    """A first task that runs have in common is watched by SI alone."""
    wanted = [mine("Steps"), mine("L2"), mine("SI", damping=0.1)]
    found = runner.run_all(lambda _: wanted, place / "r", "split-mnist", progress=False)
    for run, record in zip(wanted, found, strict=True):
        assert runs.execute(run)["accuracy"] == record["accuracy"]
    penalty = own.measure(wanted[0], torch.nn.Linear(2, 2), strength=1.0)
    assert set(penalty.state_dict()) >= {"gathered"}


def test_a_twin_of_a_measure_that_ships_gives_its_numbers(place):
    (place / "my.py").write_text(MINE + "from si_tutorial.importance import UniformImportance\n"
                                 "class Twin(UniformImportance):\n    pass\n")
    assert issubclass(own.kind(own.file(Path("my.py")), "Twin"), UniformImportance)
    assert runs.execute(mine("Twin"))["accuracy"] == runs.execute(mine("L2"))["accuracy"]


@pytest.mark.parametrize(("method", "said"), [
    ("Broken", r"fails when it is tried out: ZeroDivisionError: division by zero \(my.py, line 42"),
    ("Idle", "does not end its task"), ("Forgetful", "keeps gathered for each parameter"),
    ("Wider", r"cannot be built with .*missing 1 required keyword-only argument: 'width'")])
def test_a_measure_that_does_not_fit_is_refused_before_any_work(place, method, said):
    with pytest.raises(SettingsError, match=said):
        beforehand.check([mine(method)])


def test_a_run_of_ones_own_is_not_done_without_its_file(place):
    record = json.loads(json.dumps(runs.execute(mine())))
    with pytest.raises(SettingsError, match=r"needs my.py [0-9a-f]{16}: name that file with --f"):
        runs.execute(Run.of(record))


def test_it_reaches_the_processes_of_a_crew(place):
    run = mine()
    with crew.Processes(1, lambda *_: None, print) as work:
        (_, record), = work([(runs.execute, run)], _plainly)
    assert record["accuracy"] == runs.execute(run)["accuracy"]
    assert not multiprocessing.active_children()


def _plainly(job, run, meanwhile):
    return job(run)


def test_a_plan_tells_what_is_to_do_and_how_long_stored_lines_took(place, capsys):
    words = asked("RootFisher", "L2", seeds="2")
    assert main([*words, "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "4 runs, of which 0 are done" in said and "no stored line tells how long" in said
    assert not Path("results").exists()
    record = runs.execute(mine()) | {"seconds": 600.0}
    store.append(Path("results/split-mnist.jsonl"), record)
    assert main([*words, "--dry-run", "--jobs", "2"]) == 0
    said = capsys.readouterr().out
    assert "4 runs, of which 1 are done: the other 3 take about 15.0 minutes with 2 at a" in said


def test_words_of_a_store_are_no_formula_of_a_spreadsheet(place, capsys):
    record = runs.execute(mine()) | {"machine": "=HYPERLINK(1)"}
    store.append(Path("results/split-mnist.jsonl"), record)
    assert main(["export", "split-mnist", "--results", "results"]) == 0
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert row["machine"] == "'=HYPERLINK(1)" and row["strength"] == "0.5"


IMAGES = torch.zeros(12, 1, 3, 3, dtype=torch.uint8)
LABELS = torch.arange(6).repeat(2)


@pytest.mark.parametrize(("part", "value", "said"), [
    ("x_train", IMAGES.float(), "x_train of mine must be a uint8 tensor"),
    ("x_test", IMAGES[:, 0], "x_test of mine must be a uint8 tensor of shape"),
    ("x_train", IMAGES[:0], "x_train of mine must be"),
    ("y_train", LABELS.int(), "y_train of mine must be an int64 tensor"),
    ("y_test", LABELS[:5], "one label for each of the 12 images"),
    ("y_train", LABELS + 1, "the labels of mine must be 0, 1, …"),
    ("y_test", LABELS % 5, "images of each to train and to test on"),
    ("x_test", IMAGES[..., :2], "the images of mine differ in shape")])
def test_images_of_ones_own_that_no_network_could_learn_from_are_refused(part, value, said):
    parts = {"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES, "y_test": LABELS}
    own._check_images("mine", Dataset("mine", **parts, source="here", complete=True))
    with pytest.raises(SettingsError, match=said):
        own._check_images("mine", Dataset("mine", **parts | {part: value}, source="here",
                                          complete=True))


def test_every_measure_of_a_grid_is_tried_out_and_not_only_the_first(place):
    with pytest.raises(SettingsError, match="Broken fails when it is tried out"):
        beforehand.check([mine(), mine("Broken")])
    wrong = mine("L2").replace(tasks=9)
    with pytest.raises(SettingsError, match="six splits into 1 to 3 tasks"):
        beforehand.check([mine(), wrong])


@pytest.mark.parametrize("first", "=+-@\t\r")
def test_whatever_a_spreadsheet_would_compute_becomes_a_word(first):
    assert command_line._no_formula(f"{first}A1") == f"'{first}A1"
    assert command_line._no_formula(f"A1{first}") == f"A1{first}"
    assert command_line._no_formula(-1.5) == -1.5


def test_data_of_one_name_from_two_files_are_both_looked_at(place):
    (place / "other.py").write_text("def six():\n    return None\n")
    base = dataclasses.replace(protocols.SPLIT, file=own.file(Path("other.py")))
    other = base.replace(**{k: v for k, v in mine("L2").fields.items() if k != "code"})
    with pytest.raises(SettingsError, match=r"six\(\) in .*other.py returns NoneType"):
        beforehand.check([mine("L2"), other])
