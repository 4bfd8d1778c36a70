"""The built wheel: every file of the package, what it needs, and a command line that works."""

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
SETUPTOOLS = int(importlib.metadata.version("setuptools").split(".")[0])


def package_files(folder):
    return {path.relative_to(folder).as_posix() for path in (folder / "si_tutorial").rglob("*")
            if path.is_file() and "__pycache__" not in path.parts}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A copy of the tree, with one published result more, and the wheel that is built from it."""
    if SETUPTOOLS < 77:
        pytest.skip(f"building needs setuptools 77 or newer; here is {SETUPTOOLS}: "
                    "pip install -r requirements.txt")
    tree = tmp_path_factory.mktemp("tree")
    shutil.copytree(ROOT / "si_tutorial", tree / "si_tutorial",
                    ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "requirements", tree / "requirements")
    for name in ("pyproject.toml", "README.md", "LICENSE", "requirements.txt"):
        shutil.copy(ROOT / name, tree)
    (tree / "si_tutorial/results").mkdir(exist_ok=True)
    (tree / "si_tutorial/results/made-up.jsonl").write_text("{}\n")
    expected = package_files(tree)
    done = subprocess.run([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps",
                           "--no-build-isolation", "--wheel-dir", "dist", "."],
                          cwd=tree, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return expected, next((tree / "dist").glob("*.whl"))


def test_the_wheel_holds_every_file_of_the_package_and_nothing_else(built):
    expected, wheel = built
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert names == expected
    assert {Path(name).suffix for name in names} >= {".py", ".js", ".jsonl", ".typed"}


def test_its_metadata_lists_what_it_needs_and_its_extras(built):
    wheel = zipfile.ZipFile(built[1])
    info = next(name for name in wheel.namelist() if name.endswith("METADATA"))
    metadata = Parser().parsestr(wheel.read(info).decode("utf-8"))
    needs = metadata.get_all("Requires-Dist")
    assert {need for need in needs if ";" not in need} == set(PROJECT["dependencies"])
    assert set(metadata.get_all("Provides-Extra")) == {"book", "notebooks", "cluster", "dev"}
    assert any(re.match(r"torch==\S+; extra == .book", need) for need in needs)
    assert info.replace("METADATA", "licenses/LICENSE") in wheel.namelist()


def test_installed_from_it_the_command_line_works_in_an_empty_folder(built, tmp_path):
    site, empty = tmp_path / "site", tmp_path / "empty"
    zipfile.ZipFile(built[1]).extractall(site)
    empty.mkdir()

    def run(*words):
        return subprocess.run([sys.executable, *words], cwd=empty, capture_output=True, text=True,
                              encoding="utf-8", check=True,
                              env={**os.environ, "PYTHONPATH": str(site)}).stdout
    where = run("-c", "import si_tutorial; print(si_tutorial.__file__)").strip()
    assert Path(where).is_relative_to(site)
    assert "split-mnist: 5 tasks" in run("-m", "si_tutorial", "list")


@pytest.mark.parametrize("extra", ["notebooks", "cluster", "dev"])
def test_an_extra_asks_for_the_versions_that_the_book_is_built_with(extra):
    def lines(name):
        text = (ROOT / name).read_text(encoding="utf-8")
        return dict(re.findall(r"^([\w-]+)(.*)$", text, re.MULTILINE))
    book, mine = lines("requirements.txt"), lines(f"requirements/{extra}.txt")
    assert {name: limits for name, limits in mine.items()
            if book.get(name, limits) != limits} == {}
    assert set(mine) - set(book) <= {"myst-nb", "pyyaml"}  # these come with jupyter-book
