"""Formulas in running text: each that states something is checked on numbers, or has a reason.

A formula needs nothing if it only names a value (c = 1), or is a piece of a displayed equation.
Every other one with a relation, or a fraction with a sum in it, stands in `stated.py` as the page
has it, so that a sign flipped on the page is found here: in STATED with numbers on which its
sides are equal, in ASSUMED with what it introduces.
"""

import contextlib
import re

import numpy as np
import pytest

from equations.quoting import equations, inline, spaceless
from equations.reading import UnreadableError, evaluate, mutations, statements, tokens
from equations.stated import ASSUMED, STATED

SIMPLE = re.compile(
    r"[-+]?(?:\d+(?:[.,]\d+)*|\\infty|(?:\\(?:tilde|bar|hat|dot)\s*)?(?:\\[A-Za-z]+|[A-Za-z])"
    r"(?:[_^](?:\{[A-Za-z\d]*\}|\\[A-Za-z]+|[A-Za-z\d*]))*)")


def states_something(latex):
    if pairs := statements(latex):   # more than letters and numbers on its sides
        return not all(SIMPLE.fullmatch(side) for pair in pairs for side in pair)
    outside = re.sub(r"\^\{[^}]*\}", "", latex)   # of exponents
    return bool(re.search(r"/|\\frac", outside) and re.search(r".[-+]", outside))


def part_of_a_displayed_equation(latex):
    part = tokens(latex)
    return any(part == whole[i:i + len(part)] for whole in DISPLAYED
               for i in range(len(whole) - len(part) + 1))


DISPLAYED = [tokens(e.latex) for e in equations()]
ON_PAGES = {spaceless(e.latex): e for e in inline() if states_something(e.latex)}
LISTED = {spaceless(latex): latex for latex in [*STATED, *ASSUMED]}


def test_what_a_formula_in_running_text_states_is_known():
    unknown = [f"{e.chapter}: ${e.latex}$" for key, e in ON_PAGES.items()
               if key not in LISTED and not part_of_a_displayed_equation(e.latex)]
    assert unknown == [], "give it a label, or put it into tests/equations/stated.py"


def test_no_formula_is_listed_that_no_page_has():
    assert [latex for key, latex in LISTED.items() if key not in ON_PAGES] == []


@pytest.mark.parametrize("latex", STATED)
def test_a_formula_in_running_text_holds(latex):
    assert holds(latex, *STATED[latex]())


@pytest.mark.parametrize("latex", STATED)
def test_a_mistake_in_a_formula_in_running_text_would_show(latex):
    case = STATED[latex]()
    for wrong in mutations(latex):
        with contextlib.suppress(UnreadableError):
            assert not holds(wrong, *case), f"{latex} could as well read {wrong}"


def holds(latex, atoms, binders=None, worth=None):
    """Whether all sides are equal; a formula without a relation has the value `worth`."""
    pairs = [(evaluate(left, atoms, binders), evaluate(right, atoms, binders))
             for left, right in statements(latex)]
    if worth is not None:
        pairs = [(evaluate(latex, atoms, binders), worth)]
    return all(np.allclose(*np.broadcast_arrays(np.squeeze(one), np.squeeze(other)), rtol=1e-4,
                           atol=1e-7) for one, other in pairs)


@pytest.mark.parametrize(("latex", "states"), [
    ("c = 1", False), (r"\tilde\theta = \theta^*", False), (r"\xi > 0", False),
    (r"t = \infty", False), (r"H_{kk}", False), (r"1/a^2", False), (r"\Omega = h/2", True),
    (r"g = -\tau\,\dot\theta", True), (r"\Delta = h D", True), (r"hD/(h - 2c\,\Omega)", True),
    (r"1/(H^{-1})_{kk}", False)])
def test_what_states_something(latex, states):
    assert states_something(latex) == states
