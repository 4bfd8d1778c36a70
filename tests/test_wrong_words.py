"""Each option of each command with words that are wrong: one sentence, status 2, nothing begun."""

import argparse
import os
import socket
from pathlib import Path

import pytest
from strangers import ROOT_FISHER

from si_tutorial import __main__ as entry
from si_tutorial import datasets
from si_tutorial.experiments import asked, protocols, runner

MINE = ROOT_FISHER + '''
def six():
    y = torch.arange(6).repeat(4)
    x = torch.arange(24 * 64, dtype=torch.uint8).view(24, 1, 8, 8)
    return Dataset("six", x, y, x[:12], y[:12], source="made here", complete=True)

def five():
    data = six()
    data.y_train[data.y_train == 5] = 6
    return data

def nothing():
    pass
'''
GRID = ["run", "split-mnist", "--from", "my.py", "--method", "SI", "--with", "data=six", "tasks=3"]


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """A folder with a file of one's own, in which nothing may be begun."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.py").write_text(MINE)
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    (tmp_path / "broken.py").write_text("x = (")
    (tmp_path / "raises.py").write_text("import nowhere_to_be_found")
    (tmp_path / "exits.py").write_text("raise SystemExit(3)")
    monkeypatch.setenv("SI_TUTORIAL_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("SI_TUTORIAL_OFFLINE", "1")
    for name in ("execute", "train_first_task"):
        monkeypatch.setattr(runner, name, None)
    return tmp_path


def refused(words, capsys):
    """What is said about the words: it is checked to be one sentence, and all that happened."""
    assert entry.main(words) == 2
    out, said = capsys.readouterr()
    assert out == "" and said.count("\n") == 1 and len(said) < 700, said
    assert "Traceback" not in said and "allow_pickle" not in said
    assert not list(Path().glob("**/*.jsonl")) and not list(Path().glob("**/*.pt"))
    return said


# option → its wrong words, each with what is said about it
FOLDERS = [("file", "file"), ("file/below", "file/below"),
           pytest.param("/proc/nothing", "/proc/nothing", marks=pytest.mark.skipif(
               not os.path.isdir("/proc"), reason="a folder that nobody can write to"))]
RUN = {
    "experiment": [("svhn", "'split-mnist', 'permuted-mnist'"), ("", "'split-mnist'")],
    "--scenario": [("tasks", "'task', 'domain', 'class'"), ("0", "'task'")],
    "--method": [("GEM", "there is no GEM in"), ("si", "the package has fine-tuning, joint"),
                 ("six", "is no class on QuadraticPenalty"), ("RootFisher", "no strengths"),
                 ("Dataset", "no class on QuadraticPenalty"), ("", "there is no  in"),
                 ("QuadraticPenalty", "has no consolidate(batches, *, forward)")],
    "--strength": [("nan", "must be finite"), ("-1", "at least 0"), ("inf", "must be finite"),
                   ("strong", "invalid float"), ("", "invalid float"), ("1e999", "finite")],
    "--damping": [("nan", "must be finite"), ("-1e-9", "at least 0"), ("-inf", "must be finite"),
                  ("small", "invalid float")],
    "--seeds": [("0", "'0' is not a number of at least 1"), ("-2", "'-2'"), ("two", "'two'"),
                ("1.5", "'1.5'"), ("3:3", "from seed A to below seed B"), ("5:2", "'5:2'"),
                (":3", "':3'"), ("3:", "'3:'"), ("1:2:3", "'1:2:3'"), ("0:99999999", "A:B"),
                ("99999999", "at most 10,000"), ("9999999999:10000000001", "at most 1,000,000,000"),
                ("9" * 5000, "--seeds")],
    "--from": [("nowhere.py", "cannot be read (No such file"), ("folder", "Is a directory"),
               ("broken.py", "SyntaxError"), ("exits.py", "SystemExit: 3 (exits.py, line 1)"),
               ("raises.py", "ModuleNotFoundError: No module named 'nowhere_to_be_found' "
                "(raises.py, line 1)"), ("file", "there is no six in")],
    "--results": FOLDERS,
    "--jobs": [("0", "at least 1, or -1 for one on each core, got 0"), ("-2", "got -2"),
               ("two", "invalid int"), ("1.5", "invalid int")],
    "--dask": [("nowhere.invalid", "no Dask scheduler answers at 'nowhere.invalid'"),
               ("foo://x", "'foo://x'"), ("tcp://127.0.0.1:ten", "no Dask scheduler"),
               ("", "no Dask scheduler answers at ''")],
    "--device": [("gpu", "the device 'gpu' cannot be used here"), ("meta", "'meta' cannot be used"),
                 ("cuda:99", "'cuda:99' cannot"), ("cuda:x", "'cuda:x'"), ("", "''"),
                 ("vulkan", "'vulkan'"), ("xla", "'xla'"), ("cpu:1:2", "cpu:1:2")],
    "--with": [("epochs", "'epochs' is not FIELD=VALUE"), ("=1", "FIELD"), ("seed=3", "a FIELD of"),
               ("epoch=1", "'epoch=1' is not FIELD=VALUE with a FIELD of data, sequence, tasks")],
}
FIELDS = {
    "data": [("svhn", "there is no svhn"), ("five", "labels of five() in"), ("nothing", "NoneType"),
             ("RootFisher", "is no function"), ("[1]", "unknown data [1]"), ("3", "unknown data 3"),
             ("cifar", "not made of 'cifar'"), ("mnist", "nothing of my.py is used")],
    "sequence": [("rotated", "unknown sequence"), ("cifar", "not made of 'six'")],
    "tasks": [("0", "whole number of at least 1"), ("9", "six splits into 1 to 3 tasks, got"),
              ("1.5", "whole number"), ("many", "whole number"), ("-1", "whole number"),
              ("True", "whole number"), ("99999", "at most 1000")],
    "start": [("-1", "whole number of at least 0"), ("3", "from start=3"), ("x", "whole number")],
    "held_out": [("-1", "whole number"), ("24", "without images"), ("999", "without images"),
                 ("1.0", "whole number")],
    "network": [("cnn", "unknown network 'cnn': choose from mlp, conv"), ("[]", "unknown network"),
                ("conv", "the network four convolutions and 512 units cannot be used for six")],
    "hidden": [("7", "the layers' widths, such as (256, 256), got 7"), ("(0,)", "widths"),
               ("(3.0,)", "widths"), ("wide", "widths"), ("(10**9,)", "widths"),
               ("(999999999, 999999999)", "cannot be used for six")],
    "dropout": [("1.5", "from 0 to below 1"), ("-0.1", "from 0"), ("much", "must be a number"),
                ("1", "below 1"), ("None", "must be a number"), ("nan", "finite")],
    "head_weights": [("ones", "unknown head_weights 'ones': choose from zero, random")],
    "epochs": [("0", "at least 1, got 0"), ("-3", "at least 1"), ("2.5", "whole"), ("", "whole"),
               ("9999999999", "at most")],
    "batch_size": [("0", "at least 1"), ("64.0", "whole"), ("9999999999", "at most")],
    "learning_rate": [("0", "above 0"), ("-1", "above 0"), ("fast", "a number"), ("inf", "finite"),
                      ("1" + "0" * 400, "must be a number")],
    "weight_decay": [("-1", "at least 0"), ("nan", "finite"), ("[]", "a number")],
    "reset_optimizer": [("no", "True or False, got 'no'"), ("2", "True or False")],
    "precision": [("int8", "unknown precision"), ("float64", "choose from float32, bfloat16")],
    "schedule": [("random", "unknown schedule"), ("alone", "leaves nothing to protect")],
    "correlate": [("maybe", "True or False"), ("3", "True or False")],
    "curves": [("no", "True or False"), ("None", "True or False")],
}
OTHERS = {
    "report": {"experiment": [("svhn", "'split-mnist'")], "--results": FOLDERS},
    "export": {"experiment": [("svhn", "'split-mnist'")], "--results": FOLDERS,
               "--to": [("folder", "folder cannot be written (Is a directory)"),
                        ("nowhere/x.csv", "nowhere/x.csv cannot be written")]},
    "plot": {"experiment": [("svhn", "'split-mnist'")], "--results": FOLDERS,
             "--to": FOLDERS, "--format": [("gif", "'svg', 'png', 'pdf'")]},
    "check": {"experiment": [("svhn", "'split-mnist'")],
              "--line": [("0", "it has lines 1 to"), ("-1", "line -1"), ("one", "invalid int"),
                         ("999999", "line 999999 of split-mnist is not published")]},
    "data": {"name": [("imagenet", "mnist, cifar10, cifar100"), ("", "none of mnist")]},
}


def cases(table):
    for option, wrong in table.items():
        for case in wrong:
            values, marks = ((case.values, case.marks) if hasattr(case, "values") else (case, ()))
            yield pytest.param(option, *values, marks=marks, id=f"{option} {values[0]}"[:40])


def test_there_are_wrong_words_for_every_option_of_every_command_and_every_field():
    commands = next(action for action in entry._parser()._actions
                    if isinstance(action, argparse._SubParsersAction)).choices
    for name, command in commands.items():
        tried = {"run": RUN, **OTHERS}.get(name, {})
        takes = {action.option_strings[0] if action.option_strings else action.dest
                 for action in command._actions if action.nargs != 0}
        assert takes == set(tried), name
    assert set(FIELDS) == set(asked.CHANGEABLE)


@pytest.mark.parametrize(("option", "word", "said"), cases(RUN))
def test_a_wrong_word_for_run(option, word, said, capsys):
    if option == "experiment":
        words = ["run", word, *GRID[2:]]
    elif option == "--method":
        words = [*GRID[:5], word, *GRID[6:]]
    elif option == "--from":
        words = [*GRID[:3], word, *GRID[4:]]
    elif option == "--with":
        words = [*GRID, word]
    else:
        words = [*GRID, f"{option}={word}"]
    assert said in refused(words, capsys)


@pytest.mark.parametrize(("field", "value", "said"), cases(FIELDS))
def test_a_wrong_value_for_a_field(field, value, said, capsys):
    assert said in refused([*GRID, f"{field}={value}"], capsys)


@pytest.mark.parametrize(("command", "option", "word", "said"), [
    pytest.param(command, *case.values, marks=case.marks, id=f"{command} {case.id}")
    for command, table in OTHERS.items() for case in cases(table)])
def test_a_wrong_word_for_another_command(command, option, word, said, capsys):
    words = [command] if option in ("experiment", "name") else [command, "split-mnist"]
    assert said in refused([*words, word if option in ("experiment", "name") else
                            f"{option}={word}"], capsys)


@pytest.mark.parametrize(("words", "said"), [
    ([], "COMMAND"), (["frobnicate"], "invalid choice: 'frobnicate'"), (["run"], "experiment"),
    (["list", "split-mnist"], "unrecognized arguments: split-mnist"),
    ([*GRID, "--frobnicate"], "unrecognized arguments: --frobnicate"),
    ([*GRID, "--seed", "3"], "unrecognized arguments: --seed 3"),  # not taken for --seeds
    (["run", "split-mnist", "--method", "joint", "--strength", "1"], "for --strength to set"),
    (["run", "split-mnist", "--method", "EWC", "--damping", "1"], "none has a damping"),
    (["run", "split-mnist", "--method", "GEM"], "unknown method 'GEM': choose from fine-tuning, j"),
    (["run", "split-mnist", "--method", "RootFisher"], "needs its file: --from FILE.py"),
    (["run", "split-mnist", "--with", "data=six"], "needs its file: --from FILE.py"),
    (["run", "split-mnist", "--from", "my.py"], "nothing of my.py is used"),
    (["run", "split-mnist", "--from", "my.py", "--method", "SI"], "nothing of my.py is used"),
    (["run", "split-mnist", "--method", "EWC", "--with", "correlate=True"], "no path integral"),
    (["run", "cifar", "--method", "SI", "--with", "dropout=0.5"], "has no field dropout"),
    (["run", "cifar", "--scenario", "class"], "its scenario is 'task', got 'class'"),
    (["report", "split-mnist", "--results", "folder"], "no finished run of split-mnist is in"),
    (["run", "split-mnist", "--method", "SI"], "SI_TUTORIAL_OFFLINE forbids"),
], ids=lambda value: " ".join(value)[:50] if isinstance(value, list) else "")
def test_words_that_do_not_go_together(words, said, capsys):
    assert said in refused(words, capsys)


def test_a_store_that_is_damaged_and_one_that_is_a_folder(place, capsys, monkeypatch):
    file = place / "results" / "split-mnist.jsonl"
    file.mkdir(parents=True)
    assert entry.main([*GRID]) == 2
    assert "results cannot be written to results (Is a directory" in capsys.readouterr().err
    file.rmdir()
    file.write_text("{}}\n")
    for words in ([*GRID], ["report", "split-mnist", "--results", "results"]):
        assert entry.main(words) == 2
        assert "line 1 of results/split-mnist.jsonl is damaged" in capsys.readouterr().err


def test_a_store_that_another_process_writes_to(place, capsys):
    (place / "results").mkdir()
    with runner._only_writer(place / "results" / "split-mnist.jsonl"):
        assert "another process is writing to" in refused(GRID, capsys)


def test_an_address_at_which_something_else_listens(capsys, monkeypatch):
    monkeypatch.setattr("si_tutorial.experiments.crew.ANSWER", 1)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        assert f"no Dask scheduler answers at '{address}'" in refused([*GRID, "--dask", address],
                                                                     capsys)


@pytest.mark.parametrize("command", ["", "data", "list", "run", "report", "export", "plot",
                                     "check"])
def test_help_fits_80_columns_and_leaves_names_whole(command, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as end:
        entry.main([command, "--help"] if command else ["--help"])
    said = capsys.readouterr().out
    assert end.value.code == 0 and max(map(len, said.splitlines())) <= 80
    if command not in ("data", "list"):
        assert all(name in said for name in protocols.EXPERIMENTS)
    if command in ("", "run"):
        assert "goes on" in " ".join(said.split())


def test_the_version_is_told(capsys):
    with pytest.raises(SystemExit) as end:
        entry.main(["--version"])
    assert end.value.code == 0 and capsys.readouterr().out.startswith("si-tutorial ")


@pytest.mark.parametrize("words", [
    ["tasks=9"], ["data=five"], ["hidden=(999999999, 999999999)"], ["--device", "meta"],
    ["--jobs", "0"]], ids=lambda words: words[0])
def test_what_would_be_refused_is_refused_by_a_dry_run_too(words, capsys):
    assert refused([*GRID, *words], capsys) == refused([*GRID, *words, "--dry-run"], capsys)


def test_a_dry_run_fetches_nothing_and_says_what_would_be_fetched(monkeypatch, capsys):
    words = ["run", "cifar", "--method", "SI", "--seeds", "1", "--dry-run"]
    assert "SI_TUTORIAL_OFFLINE forbids" in refused(words, capsys)
    monkeypatch.setenv("SI_TUTORIAL_OFFLINE", "0")
    monkeypatch.setattr(datasets, "download", None)
    assert entry.main(words) == 0
    said = capsys.readouterr().out
    assert said.startswith("cifar10 (170 MB) and cifar100 (170 MB) would be downloaded first.\n")
    assert "of which 0 are done" in said and not Path("results").exists()
