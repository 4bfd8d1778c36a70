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


INLINE = re.compile(r"(?<![\\$])\$([^$]+)\$(?!\$)")


@functools.cache
def inline() -> tuple[Equation, ...]:
    """Every formula in running text, without a label."""
    found = []
    for path in sorted((ROOT / "book").glob("*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "markdown":
                text = DISPLAYED.sub("", re.sub(r"`[^`\n]*`", "", "".join(cell["source"])))
                found += [Equation(path.stem, None, folded(latex))
                          for latex in INLINE.findall(text)]
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


class Check(NamedTuple):
    """What verifies an equation."""
    place: str   # "tests/equations/test_….py::name"
    code: str    # as it stands there


@functools.cache
def checks() -> dict[str, Check]:
    """Label → its check, for each `verifies` and `defines` here, read without importing."""
    found = {}
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)):
            for mark in getattr(node, "decorator_list", []):
                if isinstance(mark, ast.Call) and getattr(mark.func, "id", "") in (
                        "verifies", "defines"):
                    first = min(decorator.lineno for decorator in node.decorator_list)
                    code = "\n".join(text.splitlines()[first - 1:node.end_lineno])
                    found[mark.args[0].value] = Check(
                        f"tests/equations/{path.name}::{node.name}", code)
    return found


def verified() -> dict[str, str]:
    """Label → the place of its check."""
    return {label: check.place for label, check in checks().items()}


# ---------------------------------------------------------------------------- letters

GREEK = re.compile(
    r"\\(?:alpha|beta|[gG]amma|[dD]elta|epsilon|zeta|eta|[tT]heta|kappa|[lL]ambda|mu|nu|[xX]i|[pP]i"
    r"|rho|[sS]igma|tau|[pP]hi|chi|[pP]si|[oO]mega|ell)")
ACCENTS = {r"\tilde", r"\bar", r"\hat"}
WORDS = re.compile(r"\\(?:mathrm|operatorname|text|begin|end|mathbb)\{[^}]*\}")
DIFFERENTIAL = re.compile(r"(?<![A-Za-z\\])d(?=\s*(?:\\theta|[tcJ](?![A-Za-z])))|\{d\}")


def letters(latex: str) -> tuple[str, ...]:
    """The letters of a formula, each once; one with a tilde or a bar over it is another letter.

    Words in upright type are left out, and the d of a differential. A dot is a derivative.
    """
    found, accent = {}, ""
    for token in spaceless(DIFFERENTIAL.sub("{}", WORDS.sub("{}", latex))):
        if token in ACCENTS:
            accent = token
        elif GREEK.fullmatch(token) or (len(token) == 1 and token.isalpha()):
            found[f"{accent} {token}".strip()] = True
            accent = ""
    return tuple(found)
