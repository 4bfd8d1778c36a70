"""python -m si_tutorial doctor: a sound installation, and each thing that may be wrong."""

import importlib.metadata
import os
import platform
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

from si_tutorial.__main__ import main
from si_tutorial.importance import SynapticIntelligence

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture
def patient(tmp_path, monkeypatch):
    """A sound installation, with the requirements of this tree and an empty data folder."""
    requires = [*PROJECT["dependencies"], 'no-such-package>=3; extra == "book"']
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: requires)
    monkeypatch.setenv("SI_TUTORIAL_DATA", str(tmp_path))
    return monkeypatch


@pytest.fixture
def wrong(capsys):
    """A function that runs the doctor and returns what it finds wrong, with the remedies."""
    def examine():
        status = main(["doctor"])
        findings, _, verdict = capsys.readouterr().out.rpartition("\n\n")
        assert status == (0 if verdict == "Nothing is wrong.\n" else 1)
        assert findings.count("WRONG") == verdict.count("What to do:") == (
            int(verdict.splitlines()[0].removeprefix("Wrong: ")) if status else 0)
        return verdict
    return examine


def version_of(package, version):
    real = importlib.metadata.version

    def told(name):
        if name == package and version is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return version if name == package else real(name)
    return told


def test_a_sound_installation_is_described(patient, capsys):
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    for name in ("torch", "numpy"):
        assert f"  {name} {importlib.metadata.version(name)}\n" in said
    assert f"Python {platform.python_version()}" in said
    assert "mnist: missing; `python -m si_tutorial data mnist` downloads it (12 MB)\n" in said
    assert "`python -m si_tutorial data cifar100` downloads it (170 MB)\n" in said
    assert "  for the book: no-such-package missing\n" in said  # told, and not wrong
    assert said.endswith("\n\nNothing is wrong.\n")


@pytest.mark.parametrize(("version", "said", "remedy"), [
    ("2.3.9", "torch is 2.3.9, but >=2.4 is needed", 'pip install --upgrade "torch>=2.4"'),
    (None, "torch is not installed", 'pip install "torch>=2.4"')])
def test_a_package_that_is_too_old_or_missing(patient, wrong, version, said, remedy):
    patient.setattr(importlib.metadata, "version", version_of("torch", version))
    verdict = wrong()
    assert said in verdict and remedy in verdict


def test_a_module_that_is_missing_is_named_once_with_its_remedy(patient, wrong):
    patient.setitem(sys.modules, "packaging.requirements", None)  # what the doctor itself needs
    assert "1. packaging is not installed.\n     What to do: `pip install packaging`." in wrong()
    patient.setitem(sys.modules, "si_tutorial.datasets", None)    # later parts only say so
    assert wrong().startswith("Wrong: 1\n")


@pytest.mark.parametrize("version", ["2.10.0", "2.4.0", "2.13.0.dev20260101+cpu"])
def test_a_newer_version_is_not_wrong(patient, wrong, version):
    patient.setattr(importlib.metadata, "version", version_of("torch", version))
    assert wrong() == "Nothing is wrong.\n"


def test_a_python_that_is_too_old(patient, wrong):
    patient.setattr(platform, "python_version", lambda: "3.10.4")
    assert f"Python is 3.10.4, but {PROJECT['requires-python']} is needed" in wrong()


def test_a_folder_that_was_never_installed(patient, wrong):
    def unknown(name):
        raise importlib.metadata.PackageNotFoundError(name)
    patient.setattr(importlib.metadata, "metadata", unknown)
    verdict = wrong()
    assert "si-tutorial is not installed" in verdict and "pip install -e ." in verdict


def test_a_damaged_data_file(patient, wrong, tmp_path):
    np.savez(tmp_path / "mnist.npz", x_train=np.zeros((600, 28, 28), dtype=np.uint8))
    verdict = wrong()
    assert "mnist.npz is truncated or not a data file" in verdict
    assert "What to do: delete it and run `python -m si_tutorial data mnist`." in verdict


def test_importance_of_the_wrong_sign(patient, wrong):
    patient.setattr(SynapticIntelligence, "_integrand", lambda self, name, task_grad: -task_grad)
    verdict = wrong()
    assert "Σω = -1.5" in verdict and "the loss fell by 1.5" in verdict and "make unit" in verdict


def test_a_penalty_that_does_nothing(patient, wrong):
    real = SynapticIntelligence.__init__
    patient.setattr(SynapticIntelligence, "__init__",
                    lambda self, net, **options: real(self, net, **{**options, "strength": 0.0}))
    verdict = wrong()
    assert "after two tasks" in verdict and "Σω" not in verdict and "½H" not in verdict


def run(**environment):
    return subprocess.run([sys.executable, "-m", "si_tutorial", "doctor"], capture_output=True,
                          cwd=ROOT, env={**os.environ, **environment}, encoding="utf-8")


def test_it_speaks_where_pytorch_does_not_load(tmp_path):
    (tmp_path / "torch.py").write_text("raise OSError('libtorch.so: wrong ELF class')")
    paths = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    done = run(PYTHONPATH=paths)
    assert done.returncode == 1 and done.stderr == ""
    assert "torch cannot be imported (OSError: libtorch.so: wrong ELF class)" in done.stdout
    assert "--force-reinstall torch torchvision" in done.stdout
    assert "Wrong: 1\n" in done.stdout  # the parts that need PyTorch add nothing


def test_what_no_one_foresaw_is_reported(patient, wrong):
    def surprise():
        raise KeyError("SC_PHYS_PAGES")
    patient.setattr(os, "cpu_count", surprise)
    assert "the hardware stopped with KeyError: 'SC_PHYS_PAGES'" in wrong()


def test_what_it_says_can_be_sent_and_names_no_home(tmp_path):
    home = {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path)}
    done = run(SI_TUTORIAL_DATA=str(tmp_path / "data"), PYTHONIOENCODING="ascii", **home)
    assert f"folder ~{os.sep}data" in done.stdout and str(tmp_path) not in done.stdout
    assert "Σω = drop of the loss and Ω = ½H" in done.stdout
