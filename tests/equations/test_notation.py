"""The notation page: every letter of the displayed equations, with every meaning it has."""

import ast
import json
from collections import defaultdict

import pytest

from equations.quoting import ROOT, equations, letters

CONSTANTS = {"e", r"\pi"}


def symbols():
    """Letter → its meanings (words, name in code, label, chapters), as the page's code has them."""
    notebook = json.loads((ROOT / "book/notation.ipynb").read_text(encoding="utf-8"))
    code = next("".join(cell["source"]) for cell in notebook["cells"]
                if "SYMBOLS = {" in "".join(cell["source"]))
    table = next(node.value for node in ast.parse(code).body if isinstance(node, ast.Assign)
                 and node.targets[0].id == "SYMBOLS")
    found = defaultdict(list)
    for symbol, meanings in ast.literal_eval(table).items():
        found[letters(symbol)[0]] += meanings
    return found


SYMBOLS = symbols()
BY_LABEL = {e.label: e for e in equations()}


@pytest.mark.parametrize("chapter", sorted({e.chapter for e in equations()}))
def test_every_letter_of_a_chapter_has_a_meaning_that_holds_there(chapter):
    """Under the label of an equation of this chapter, or with the chapter's name beside it."""
    used = {letter for e in equations() if e.chapter == chapter for letter in letters(e.latex)}
    without = [letter for letter in sorted(used - CONSTANTS) if not any(
        chapters == "*" or chapter in chapters.split() or BY_LABEL[label].chapter == chapter
        for _, _, label, chapters in SYMBOLS[letter] if label in BY_LABEL)]
    assert without == [], f"give them a meaning in book/notation.ipynb that holds in {chapter}"


@pytest.mark.parametrize("letter", sorted(SYMBOLS))
def test_a_meaning_is_introduced_by_an_equation_that_has_the_letter(letter):
    for words, _, label, _ in SYMBOLS[letter]:
        assert label in BY_LABEL, f"{words}: no equation {label} in the book"
        assert letter in letters(BY_LABEL[label].latex), f"{words}: {label} does not show it"


@pytest.mark.parametrize("letter", sorted(SYMBOLS))
def test_chapters_beside_a_meaning_use_the_letter(letter):
    using = {e.chapter for e in equations() if letter in letters(e.latex)}
    for words, _, _, chapters in SYMBOLS[letter]:
        assert chapters == "*" or set(chapters.split()) <= using, words


@pytest.mark.parametrize(("latex", "found"), [
    (r"\tilde L^\mu(\theta)", {r"\tilde L", r"\mu", r"\theta"}),
    (r"H Q + Q H = H\, d\, d^\top H", {"H", "Q", "d"}),
    (r"\int_0^T g_k\, \dot\theta_k\, dt", {"T", "g", "k", r"\theta", "t"}),
    (r"\frac{dJ}{dc} + \mathbb{E}_y\, \mathrm{ACC}", {"J", "c", "y"})])
def test_letters_are_told_from_words_and_differentials(latex, found):
    assert set(letters(latex)) == {" ".join(letters(letter)) for letter in found}
