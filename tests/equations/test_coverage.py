"""No displayed equation without a label, no label without a test, no test without its equation."""

from collections import Counter

from equations.quoting import equations, verified


def test_every_displayed_equation_has_a_label():
    assert [e for e in equations() if e.label is None] == []


def test_no_label_is_used_twice():
    assert [label for label, n in Counter(e.label for e in equations()).items() if n > 1] == []


def test_every_equation_has_a_test():
    """A definition too: it is quoted and compared with its function in test_definitions.py."""
    assert {e.label for e in equations() if e.label} - verified().keys() == set()


def test_definitions_and_claims_are_told_apart():
    for label, place in verified().items():
        assert label.startswith("eq-def-") == ("test_definitions.py" in place), label


def test_every_test_verifies_an_equation_of_the_book():
    assert verified().keys() - {e.label for e in equations()} == set()
