"""python -m si_tutorial: what it says, and its exit status."""

from pathlib import Path

import numpy as np
import pytest

from si_tutorial import datasets
from si_tutorial.__main__ import main
from si_tutorial.experiments import command_line, protocols, runner, store
from si_tutorial.experiments.runs import METHODS, Run, execute

# ------------------------------------------------------------------------------------- data

@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SI_TUTORIAL_DATA", str(tmp_path))
    monkeypatch.setenv("SI_TUTORIAL_OFFLINE", "1")
    return tmp_path


def put_mnist(folder, monkeypatch):
    make = np.random.default_rng(0)
    arrays = {"x_train": make.integers(0, 256, (6, 28, 28), dtype=np.uint8),
              "y_train": np.arange(6, dtype=np.uint8),
              "x_test": make.integers(0, 256, (4, 28, 28), dtype=np.uint8),
              "y_test": np.arange(4, dtype=np.uint8)}
    np.savez(folder / "mnist.npz", **arrays)
    monkeypatch.setitem(datasets.KNOWN, "mnist", ("MNIST", datasets.digest(arrays)))


def test_what_is_missing_comes_with_what_to_do(folder, capsys):
    assert main(["data"]) == 0
    said = capsys.readouterr().out
    assert str(folder) in said
    for name in datasets.KNOWN:
        assert (f"{name}: missing. Run `python -m si_tutorial data {name}` to download it "
                f"({datasets.SIZES[name]})" in said)
    assert said.count("Only the experiment cifar and its chapter") == 2
    assert "5,000 of its digits" in said


def test_what_is_there_is_named_with_its_file(folder, monkeypatch, capsys):
    put_mnist(folder, monkeypatch)
    assert main(["data", "mnist"]) == 0
    said = capsys.readouterr().out
    assert "6 training and 4 test images of MNIST" in said
    assert f"read from {folder / 'mnist.npz'}, verified" in said


def test_a_damaged_file_is_reported_with_the_remedy(folder, monkeypatch, capsys):
    put_mnist(folder, monkeypatch)
    file = folder / "mnist.npz"
    file.write_bytes(file.read_bytes()[:500])
    assert main(["data", "mnist"]) == 1
    said = capsys.readouterr().out
    assert f"{file} is truncated" in said and "Delete it" in said


def test_a_named_set_that_cannot_be_had_is_a_failure(folder, capsys):
    assert main(["data", "cifar10"]) == 1
    assert "SI_TUTORIAL_OFFLINE forbids" in capsys.readouterr().out


def test_an_unknown_name_is_refused_with_the_known_ones(folder, capsys):
    assert main(["data", "imagenet"]) == 2
    assert "mnist, cifar10, cifar100" in capsys.readouterr().err


# -------------------------------------------------------------------------------------- run

TINY = ["--with", "hidden=(8,)", "epochs=2", "tasks=2", "batch_size=8", "learning_rate=0.01"]


@pytest.fixture
def asked(monkeypatch):
    """What the runner is asked for, in place of doing it."""
    calls = []
    monkeypatch.setattr(runner, "run_all", lambda protocol, folder, experiment, **settings:
                        calls.append((protocol, folder, experiment, settings)) or [])
    return calls


def runs_of(call):
    return call[0]([])


def test_without_a_grid_the_published_runs_are_done(asked):
    assert main(["run", "permuted-mnist"]) == 0
    assert main(["run", "split-mnist", "--jobs", "3", "--results", "elsewhere", "--dask", "tcp://h",
                 "--device", "cuda:1", "--keep-going"]) == 0
    assert asked == [
        (protocols.permuted_mnist, Path("results"), "permuted-mnist",
         {"jobs": 1, "dask": None, "device": "cpu", "keep_going": False}),
        (protocols.split_mnist, Path("elsewhere"), "split-mnist",
         {"jobs": 3, "dask": "tcp://h", "device": "cuda:1", "keep_going": True})]


@pytest.mark.parametrize("option", [
    ["--scenario", "class"], ["--method", "joint"], ["--strength", "2"], ["--damping", "0"],
    ["--seeds", "3"], ["--with", "epochs=10"]], ids=str)
def test_any_option_of_a_grid_chooses_the_grid(asked, option):
    assert main(["run", "split-mnist", *option]) == 0
    assert runs_of(asked[0]) != protocols.split_mnist([])
    assert {run.seed for run in runs_of(asked[0])} == {0, 1, 2}


def test_a_grid_is_what_its_options_say(asked):
    main(["run", "split-mnist", "--scenario", "task", "class", "--method", "SI", "joint",
          "--strength", "0", "1e3", "--damping", "0.5", "--seeds", "2", "--with", "epochs=3",
          "hidden=(7, 6)", "data=mnist subset", "reset_optimizer=False"])
    wanted = runs_of(asked[0])
    assert len(wanted) == len(set(wanted)) == 2 * (2 + 1) * 2
    assert {run.data.scenario for run in wanted} == {"task", "class"}
    assert {(run.method.name, run.method.strength, run.method.damping) for run in wanted} == {
        ("SI", 0.0, 0.5), ("SI", 1000.0, 0.5), ("joint", None, None)}
    base = protocols.SPLIT
    for run in wanted:
        assert run == protocols.in_scenario(base, run.data.scenario).replace(
            seed=run.seed, method=run.method.name, strength=run.method.strength,
            damping=run.method.damping, epochs=3, hidden=(7, 6),
            data="mnist subset", reset_optimizer=False)


def test_a_grid_of_nothing_said_is_every_method_with_its_own_strengths(asked):
    main(["run", "permuted-mnist-small", "--seeds", "1"])
    assert runs_of(asked[0]) == protocols.grid([protocols.SMALL], METHODS)


def test_seeds_are_so_many_or_from_one_to_below_another(asked):
    for words, seeds in (("2", {0, 1}), ("3:6", {3, 4, 5}), ("0:1", {0})):
        main(["run", "split-mnist", "--method", "SI", "--seeds", words])
        assert {run.seed for run in runs_of(asked[-1])} == seeds


def test_a_grid_is_run_stored_and_reported_and_not_run_again(
        run_data, tmp_path, monkeypatch, capsys):
    words = ["run", "split-mnist", "--method", "fine-tuning", "--seeds", "3", *TINY,
             "--results", str(tmp_path)]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "fine-tuning" in said and "95 % of seeds" in said
    before = (tmp_path / "split-mnist.jsonl").read_bytes()
    assert before.count(b"\n") == 3
    monkeypatch.setattr(runner, "execute", None)
    assert main(words) == 0
    assert capsys.readouterr().out == said
    assert (tmp_path / "split-mnist.jsonl").read_bytes() == before


# ----------------------------------------------------------------------------- list, report

def small(seed=0, **changes):
    return protocols.SPLIT.replace(hidden=(8,), epochs=2, tasks=2, batch_size=8, seed=seed,
                   learning_rate=0.01, **changes)


@pytest.fixture
def published(run_data, monkeypatch):
    """Two seeds of a small run, and one that fails."""
    records = [execute(small()), execute(small(1)), execute(small().replace(learning_rate=1e30))]
    monkeypatch.setattr(store, "published", lambda experiment: records)
    return records


def test_the_list_names_every_experiment_and_counts_what_is_published(monkeypatch, capsys):
    done = [run.fields | {"accuracy": [[0.5]]} for run in protocols.permuted_mnist([])[:1]]
    other = [small().fields | {"accuracy": [[0.5]]}]
    monkeypatch.setattr(store, "published",
                        lambda name: {"permuted-mnist": done + other}.get(name, []))
    assert main(["list"]) == 0
    said = capsys.readouterr().out
    for name, (_, protocol) in protocols.EXPERIMENTS.items():
        count = 1 if name == "permuted-mnist" else 0
        assert f"{name}: " in said and f"{count} of {len(protocol([]))} runs" in said
        assert protocol.__doc__.splitlines()[0] in said
    assert "784-2000-2000, 20 epochs of batches of 256" in said


def test_the_report_is_made_from_the_store_that_is_named(published, tmp_path, capsys):
    for record in published[:2]:
        store.append(tmp_path / "split-mnist.jsonl", record)
    assert main(["report", "split-mnist", "--results", str(tmp_path)]) == 0
    from_folder = capsys.readouterr().out
    assert main(["report", "split-mnist"]) == 0
    shipped = capsys.readouterr().out
    for title in ("Results", "Tuning, on held-out", "Strength chosen", "How to reproduce"):
        assert f"\n{title}" in from_folder
    assert from_folder.count("(none)") == 2 and "Empty" not in from_folder
    assert "--method fine-tuning --seeds 2 --with" in from_folder
    assert from_folder.count("learning_rate=1e+30") == 0 < shipped.count("learning_rate=1e+30")


# ------------------------------------------------------------------------------------- check

@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_published_line_that_comes_out_again_agrees(published, capsys, number):
    assert main(["check", "split-mnist", "--line", str(number)]) == 0
    said = capsys.readouterr().out
    assert f"line {number}: {Run.of(published[number - 1])}" in said
    assert "the same set-up: agrees" in said
    assert str(published[number - 1]["failed"] or published[number - 1]["accuracy"][-1]) in said


def test_a_published_line_with_another_digit_differs(published, capsys):
    published[0]["accuracy"][-1][0] += 1e-6
    assert main(["check", "split-mnist", "--line", "1"]) == 1
    assert "the same set-up: DIFFERS" in capsys.readouterr().out


def test_a_line_of_another_machine_is_judged_by_its_interval(published, capsys):
    for record in published:
        record["machine"] = "another one"
    published[0]["accuracy"], published[1]["accuracy"] = [[0.0, 0.0]] * 2, [[1.0, 1.0]] * 2
    assert main(["check", "split-mnist", "--line", "1"]) == 0  # so wide that anything agrees
    said = capsys.readouterr().out
    assert "another set-up: agrees" in said
    assert "the mean accuracy is expected from 0.0000 to 1.0000" in said
    del published[1]
    assert main(["check", "split-mnist", "--line", "1"]) == 1
    assert "choose another line" in capsys.readouterr().out


def test_without_a_number_any_line_is_checked(published, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(command_line.random, "randint", lambda a, b: asked.append((a, b)) or 2)
    assert main(["check", "split-mnist"]) == 0
    assert asked == [(1, 3)] and "line 2: " in capsys.readouterr().out


def test_where_nothing_is_published_every_command_says_what_makes_it(monkeypatch, capsys):
    monkeypatch.setattr(store, "published", lambda experiment: [])
    for words in (["check", "cifar"], ["check", "cifar", "--line", "1"], ["report", "cifar"],
                  ["export", "cifar"], ["plot", "cifar"]):
        assert main(words) == 2
        said = capsys.readouterr().err
        assert said == "no finished run of cifar is in the package: `run cifar` makes them\n"
