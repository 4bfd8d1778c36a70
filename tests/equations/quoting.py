"""Tie a test to the equation on the page that it verifies.

    @verifies("eq-importance", r"\\Omega_k = \\sum_\\mu \\frac{…}{…}")
    def test_importance(): …

The decorated test fails if the book's equation of that label reads differently, so that a sign
flipped on the page is caught even if the code is right. Labels that begin with `eq-def-` mark
definitions: they introduce a symbol and claim nothing that could be tested.
"""

import ast
import functools
import json
import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
DISPLAYED = re.compile(r"\$\$(.+?)\$\$[ \t]*(?:\((eq-[\w-]+)\))?", re.DOTALL)


class Equation(NamedTuple):
    chapter: str        # file name without its ending
    label: str | None   # None if the author forgot it
    latex: str          # white space folded


def folded(latex: str) -> str:
    return " ".join(latex.split())


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


def verifies(label: str, latex: str):
    """Mark a test as the one that verifies the equation `label`, which reads `latex`."""
    def decorate(test):
        @functools.wraps(test)
        def checked(*args, **kwargs):
            on_page = [e.latex for e in equations() if e.label == label]
            assert on_page == [folded(latex)], (
                f"the equation {label} reads\n  {on_page}\nin the book, but its test verifies\n"
                f"  {folded(latex)}")
            return test(*args, **kwargs)
        return checked
    return decorate


@functools.cache
def verified() -> dict[str, str]:
    """Label → "file::test" for each use of `verifies` in this folder, read without importing."""
    found = {}
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for mark in getattr(node, "decorator_list", []):
                if isinstance(mark, ast.Call) and getattr(mark.func, "id", "") == "verifies":
                    found[mark.args[0].value] = f"tests/equations/{path.name}::{node.name}"
    return found
