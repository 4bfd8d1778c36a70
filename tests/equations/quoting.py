"""Tie a test to the equation on the page that it verifies.

    @verifies("eq-importance", r"\\Omega_k = \\sum_\\mu \\frac{…}{…}")
    def test_importance(): …

The decorated test fails if the book's equation of that label reads differently, so that a sign
flipped on the page is caught even if the code is right. Labels that begin with `eq-def-` mark
definitions, which introduce a symbol. They are quoted beside the function that computes them,

    @defines("eq-def-importance", formulas.importance, r"\\Omega_k^\\mu = …")
    def importance(function): return atoms, binders, values   # as `reading.evaluate` takes them

and `test_definitions.py` compares the two on numbers.
"""

import ast
import functools
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
DISPLAYED = re.compile(r"\$\$(.+?)\$\$[ \t]*(?:\((eq-[\w-]+)\))?", re.DOTALL)
TOKEN = re.compile(r"\\[A-Za-z]+|\\.|.", re.DOTALL)


class Equation(NamedTuple):
    chapter: str        # file name without its ending
    label: str | None   # None if the author forgot it
    latex: str          # white space folded


def folded(latex: str) -> str:
    return " ".join(latex.split())


def spaceless(latex: str) -> tuple[str, ...]:
    """The tokens of the LaTeX, without the white space that TeX does not see."""
    return tuple(token for token in TOKEN.findall(latex) if not token.isspace())


@functools.cache
def equations() -> tuple[Equation, ...]:
    """Every displayed equation of the book, in the order of the files and their cells."""
    found = []
    for path in sorted((ROOT / "book").glob("*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "markdown":
                for latex, label in DISPLAYED.findall("".join(cell["source"])):
                    found.append(Equation(path.stem, label or None, folded(latex)))
    return tuple(found)


def check_the_page(label: str, latex: str) -> None:
    on_page = [e.latex for e in equations() if e.label == label]
    assert [spaceless(there) for there in on_page] == [spaceless(latex)], (
        f"the equation {label} reads\n  {on_page}\nin the book, but its test verifies\n"
        f"  {folded(latex)}")


def verifies(label: str, latex: str):
    """Mark a test as the one that verifies the equation `label`, which reads `latex`."""
    def decorate(test):
        @functools.wraps(test)
        def checked(*args, **kwargs):
            check_the_page(label, latex)
            return test(*args, **kwargs)
        return checked
    return decorate


class Definition(NamedTuple):
    label: str
    function: Callable   # computes what the definition defines
    latex: str
    example: Callable    # of the function: what the letters are worth, and what comes out

    def check_the_page(self) -> None:
        check_the_page(self.label, self.latex)

    def meaning(self):
        return self.example(self.function)


_definitions: dict[str, Definition] = {}


def defines(label: str, function: Callable, latex: str):
    """Quote the definition `label` beside the function that computes it, with an example."""
    def register(example):
        _definitions[label] = Definition(label, function, latex, example)
        return example
    return register


def definitions() -> dict[str, Definition]:
    """Those that were registered so far."""
    return _definitions


@functools.cache
def verified() -> dict[str, str]:
    """Label → "file::name" for each `verifies` and `defines` here, read without importing."""
    found = {}
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for mark in getattr(node, "decorator_list", []):
                if isinstance(mark, ast.Call) and getattr(mark.func, "id", "") in (
                        "verifies", "defines"):
                    found[mark.args[0].value] = f"tests/equations/{path.name}::{node.name}"
    return found
