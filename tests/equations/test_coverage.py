"""No displayed equation without a label, no label without a test, no test without its equation."""

from collections import Counter

from equations.quoting import equations, verified


def test_every_displayed_equation_has_a_label():
    assert [e for e in equations() if e.label is None] == []


def test_no_label_is_used_twice():
    assert [label for label, n in Counter(e.label for e in equations()).items() if n > 1] == []


def test_every_claim_has_a_test():
    claims = {e.label for e in equations() if e.label and not e.label.startswith("eq-def-")}
    assert claims - verified().keys() == set()


def test_every_test_verifies_an_equation_of_the_book():
    assert verified().keys() - {e.label for e in equations()} == set()
