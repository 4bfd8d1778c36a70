"""The directive for questions: what it makes of a list, and what it says to an author."""

import html
import json
import re
import sys
from io import StringIO
from pathlib import Path

import pytest
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

EXTENSIONS = Path(__file__).resolve().parents[1] / "_ext"
GOOD = """
```{question}
:picture: cell-03

Which curve, for $c < 1$, is
the stiffer?

- ( ) The lower, with $a < b$ & more.

  It is *lower* because of $x^2$.

  A second paragraph.
- (x) The upper one.

  It rises faster.
- ( ) Both.

  They cross.
```
"""


def build(folder, page, builder="html", name="page.md"):
    """The built page, or an empty string if there is none, and the warnings."""
    source = folder / "source"
    source.mkdir(exist_ok=True)
    (source / name).write_text(page, encoding="utf-8")
    (source / "conf.py").write_text(
        f"import sys\nsys.path.insert(0, {str(EXTENSIONS)!r})\n"
        f"extensions = ['{'myst_nb' if name.endswith('ipynb') else 'myst_parser'}', 'questions']\n"
        "myst_enable_extensions = ['dollarmath', 'tasklist', 'linkify', 'substitution']\n"
        "nb_execution_mode = 'off'\nroot_doc = 'page'\nhtml_theme = 'basic'\n"
        "suppress_warnings = ['config.cache']\n", encoding="utf-8")
    warnings = StringIO()
    out = folder / builder
    with docutils_namespace():   # several builds in one process
        Sphinx(source, source, out, folder / "doctrees", builder, status=None, warning=warnings,
               freshenv=True).build()
    sys.path.remove(str(EXTENSIONS))
    end = {"html": ".html", "text": ".txt", "latex": ".tex"}[builder]
    found = [path for path in out.glob(f"*{end}") if path.stem not in ("genindex", "search")]
    plain = re.sub(r"\x1b\[[\d;]*m", "", warnings.getvalue())
    return found[0].read_text(encoding="utf-8"), plain


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    built, warnings = build(tmp_path_factory.mktemp("good"),
                            f"# Page\n{GOOD}\nText between.\n{GOOD}")
    assert warnings == ""
    return built


def test_a_list_becomes_radio_buttons_with_labels_in_a_fieldset_with_a_legend(page):
    questions = re.findall(r"<fieldset.*?</fieldset>", page, re.DOTALL)
    assert len(questions) == 2
    assert re.search(r"<legend>Which curve, for .*? is\s+the stiffer\?</legend>", questions[0])
    buttons = re.findall(r'<input type="radio" name="([^"]+)" id="([^"]+)" value="(.)">'
                         r'<label for="([^"]+)">', questions[0])
    assert [value for _, _, value, _ in buttons] == ["a", "b", "c"]
    assert len({name for name, *_ in buttons}) == 1
    assert all(ident == target for _, ident, _, target in buttons)
    assert questions[0].count('role="status"></div>') == 1


def test_every_choice_has_its_answer_and_one_is_right(page):
    found = re.findall(r'data-to="(.)" data-right="(\w+)">(.*?)</div>', page, re.DOTALL)[:3]
    assert [(to, right) for to, right, _ in found] == [
        ("a", "false"), ("b", "true"), ("c", "false")]
    words = [re.sub(r"<[^>]+>|\s+", " ", text) for *_, text in found]
    assert "Not quite. It is lower because of" in re.sub(" +", " ", words[0])
    assert "A second paragraph." in words[0] and "Right. It rises faster." in re.sub(
        " +", " ", words[1])


def test_questions_of_a_page_have_names_of_their_own(page):
    idents = re.findall(r' id="([^"]+)"', page)
    assert len(set(idents)) == len(idents)
    assert len(set(re.findall(r'name="(page-question-\d)"', page))) == 2


def test_text_is_not_read_as_markup(page):
    assert "&lt; b" in page and "&amp; more" in page
    assert "( )" not in html.unescape(page) and "(x)" not in page


@pytest.mark.parametrize("builder", ["text", "latex"])
def test_elsewhere_it_is_a_list_and_the_answers_come_last(tmp_path, builder):
    built, warnings = build(tmp_path, f"# Page\n{GOOD}", builder)
    assert warnings == ""
    order = ["Which curve", "The lower", "The upper one", "Both.", "Answers", "Not quite. It is",
             "Right. It rises", "Not quite. They"]
    plain = re.sub(r"\\\w+(?:\[\w+\])?|[{}]", "", built)
    at = [re.sub(r"\s+", " ", plain).index(words) for words in order]
    assert at == sorted(at)
    if builder == "text":
        assert len(re.findall(r"^\s*[123]\. ", built, re.MULTILINE)) == 6


BAD = {
    "0 choices are marked as right": GOOD.replace("(x)", "( )"),
    "2 choices are marked as right": GOOD.replace("( ) Both", "(x) Both"),
    "choice 2 has no answer": GOOD.replace("  It rises faster.\n", ""),
    "one choice: add another": GOOD[:GOOD.index("- (x)")].replace("( )", "(x)") + "```\n",
    "begin choice 3 with ( )": GOOD.replace("( ) Both", "Both"),
    "one paragraph that asks": GOOD.replace("the stiffer?\n", "the stiffer?\n\nTell me.\n"),
    "in place of the HTML “<b>”": GOOD.replace("The upper one", "The <b>upper</b> one"),
}


@pytest.mark.parametrize("words", BAD)
def test_a_mistake_is_a_warning_that_says_where_and_what_to_do(tmp_path, words):
    built, warnings = build(tmp_path, f"# Page\n\n{BAD[words]}")
    assert warnings.count("WARNING") == 1
    assert "page.md:4: WARNING: question 1, line 4: " in warnings and words in warnings
    assert "<fieldset" not in built


def test_in_a_notebook_the_place_is_a_cell_and_a_line(tmp_path):
    cells = [{"cell_type": "markdown", "metadata": {}, "id": f"c{i}", "source": source}
             for i, source in enumerate(("# Page", "Text.", BAD["0 choices are marked as right"]))]
    notebook = json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    _, warnings = build(tmp_path, notebook, name="page.ipynb")
    assert "question 1, line 2 of cell 3: 0 choices are marked as right: mark one" in warnings
