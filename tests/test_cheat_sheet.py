"""The cheat sheet says what the chapters say: its code is theirs, and so are its formulas."""

import json
import re
import textwrap

import pytest
from equations.quoting import inline
from equations.test_inline import part_of_a_displayed_equation, states_something, tokens
from test_book import ROOT

SHEET = (ROOT / "book/cheat_sheet.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", SHEET, re.DOTALL)
FORMULAS = re.findall(r"\$([^$]+)\$", SHEET)


def cells(chapter):
    notebook = json.loads((ROOT / f"book/{chapter}.ipynb").read_text(encoding="utf-8"))
    return ["".join(cell["source"]) for cell in notebook["cells"]]


@pytest.mark.parametrize(("block", "chapter"), zip(BLOCKS, ["index", "synaptic_intelligence"],
                                                   strict=True))
def test_its_code_is_that_of_a_page_where_it_is_run_or_shown(block, chapter):
    """As it stands there, but for what the lines are indented by."""
    indented = [textwrap.indent(block.rstrip("\n"), by) for by in ("", "    ")]
    assert any(code in cell for code in indented for cell in cells(chapter))


def test_the_method_is_twenty_lines():
    assert len(BLOCKS[1].splitlines()) == 20


@pytest.mark.parametrize("formula", FORMULAS)
def test_its_formulas_are_those_of_the_chapters(formula):
    known = {tokens(one.latex) for one in inline()}
    assert (not states_something(formula) or tokens(formula) in known
            or part_of_a_displayed_equation(formula))
