"""python -m si_tutorial: what it says, and its exit status."""

import numpy as np
import pytest

from si_tutorial import datasets
from si_tutorial.__main__ import main


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
        assert f"{name}: missing. Run `python -m si_tutorial data {name}`" in said
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
    with pytest.raises(SystemExit) as stop:
        main(["data", "imagenet"])
    assert stop.value.code == 2 and "mnist, cifar10, cifar100" in capsys.readouterr().err
