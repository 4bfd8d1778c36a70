"""The reader of LaTeX, on formulas whose value is known."""

import numpy as np
import pytest

from equations.reading import Over, UnreadableError, evaluate, mutations, statements

ATOMS = {"a": 2.0, "a_k": lambda k: k, "b": 3.0, "M": np.array([[1.0, 2], [0, 1]]),
         "u": np.array([[1.0], [1]])}
OVER = {r"\sum_k": Over("k", range(1, 4)), r"\langle": Over("k", range(1, 4), lambda: 1 / 3)}


@pytest.mark.parametrize(("latex", "value"), [
    (r"\tfrac12\, a b", 3), (r"\frac{a}{b + 1} - 10", -9.5), (r"-a^2 + b", -1),
    (r"b \sum_k a_k^2 + a", 44), (r"\big\langle a_k \big\rangle_x \cdot b", 6),
    (r"\left| a - b \right|", 1), (r"a/b^2", 2 / 9), (r"\sqrt{a + 14}", 4),
    (r"u^\top M\, u", 4), (r"a\,(b - a)^{-1}", 2)])
def test_a_formula_has_its_value(latex, value):
    assert np.squeeze(evaluate(latex, ATOMS, OVER)) == pytest.approx(value)


@pytest.mark.parametrize("latex", ["a +", "a c", r"a_j", "a)", r"\frac{a", "(a", "a^b"])
def test_what_has_no_meaning_is_refused(latex):
    with pytest.raises(UnreadableError):
        evaluate(latex, ATOMS, OVER)


def test_an_equation_is_taken_apart_at_its_relations_alone():
    assert statements(r"x = [\, j = y \,] \approx 2 , \qquad y \le \sum_{k=1}^n k .") == [
        ("x", r"[\, j = y \,]"), (r"[\, j = y \,]", "2"), ("y", r"\sum_{k=1}^n k")]


def test_mistakes_are_made_one_at_a_time():
    assert set(mutations(r"-\tfrac12 x^2 + y_1")) == {
        r"+\tfrac12 x^2 + y_1", r"- x^2 + y_1", r"-\tfrac12 x + y_1", r"-\tfrac12 x^2 - y_1"}
