"""A line of a page ends neither before a % nor between a formula and its comma."""

from types import SimpleNamespace

import pytest
from docutils import nodes
from scripts import script

HTML = SimpleNamespace(builder=SimpleNamespace(format="html"))


def paragraph(*parts):
    return nodes.paragraph("", "", *(nodes.Text(part) if isinstance(part, str) else part
                                     for part in parts))


def formula():
    return nodes.math("", "c")


@pytest.mark.parametrize(("parts", "expected"), [
    (["98.4 % of 5 %, and % alone"], "98.4\u00a0% of 5\u00a0%, and % alone"),
    ([nodes.inline("", "98.4"), " % of it"], "98.4\u00a0% of it"),
    (["a ", formula(), ", a ", formula(), ", and (", formula(), ")"],
     "a c\u2060, a c\u2060, and (\u2060c\u2060)"),  # two texts that are equal
    ([formula(), " is"], "c is"),
    ([nodes.literal("", "5 % 3")], "5 % 3")])
def test_what_belongs_together_is_tied(parts, expected):
    doctree = nodes.section("", paragraph(*parts))
    script("_ext/unbroken.py").tie(HTML, doctree, "book/x")
    assert doctree.astext() == expected


def test_on_paper_of_another_kind_nothing_is_changed():
    doctree = nodes.section("", paragraph("98.4 %"))
    script("_ext/unbroken.py").tie(SimpleNamespace(builder=SimpleNamespace(format="latex")),
                                   doctree, "book/x")
    assert doctree.astext() == "98.4 %"
