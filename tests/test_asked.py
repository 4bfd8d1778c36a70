"""What a chapter asks its readers: questions beside the text, and exercises, each in its form."""

import functools
import json
import re
from collections import Counter
from typing import NamedTuple

import pytest
import yaml
from test_book import HTML, ROOT

TOC = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
CHAPTERS = [c["file"].split("/")[1] for part in TOC["parts"] if part.get("numbered")
            for c in part["chapters"]]
QUESTION = re.compile(r"^```\{question\}\n(?::picture: (\S+)\n\n)?(.*?)^```$",
                      re.DOTALL | re.MULTILINE)
EXERCISE = re.compile(r"```\{exercise-start\} ([^\n]+)\n:label: (ex-[\w-]+)\n```\n(.*?)"
                      r"```\{exercise-end\}", re.DOTALL)
FACTS = re.compile(r"\*(Easy|Medium|Hard), (ten|fifteen|twenty) minutes(, paper only)?\.\* "
                   r"|\*(Easy|Medium|Hard), half an hour(, paper only)?\.\* ")
HINT = re.compile(r"```\{hint\}\n:class: dropdown\n\n(.+?)\n```\n", re.DOTALL)


class Asked(NamedTuple):
    picture: str | None
    source: str
    cell: int


@functools.cache
def cells(chapter):
    return json.loads((ROOT / f"book/{chapter}.ipynb").read_text(encoding="utf-8"))["cells"]


def questions(chapter):
    return [Asked(picture, source, i) for i, cell in enumerate(cells(chapter))
            if cell["cell_type"] == "markdown"
            for picture, source in QUESTION.findall("".join(cell["source"]))]


def exercises(chapter):
    """Of each exercise its label and its text, with the code cells that stand in it as \x00."""
    whole = "".join("".join(c["source"]) + "\n\n" if c["cell_type"] == "markdown"
                    else "" if c["metadata"].get("tags") else "\x00" for c in cells(chapter))
    return [(label, text.strip(), whole) for _, label, text in EXERCISE.findall(whole)]


def test_the_readers_below_see_every_question_and_exercise():
    for chapter in [path.stem for path in (ROOT / "book").glob("*.ipynb")]:
        text = "".join("".join(c["source"]) for c in cells(chapter))
        assert len(questions(chapter)) == text.count("{question}")
        assert len(exercises(chapter)) == text.count("{exercise-start}")


@pytest.mark.parametrize("chapter", ["playground", *CHAPTERS])
def test_a_chapter_asks_two_to_five_questions_where_it_teaches(chapter):
    asked = questions(chapter)
    assert 2 <= len(asked) <= 5
    below, heading = [], ""
    for cell in cells(chapter):
        for line in cell["source"] if cell["cell_type"] == "markdown" else ():
            heading = line if re.match("#+ ", line) else heading
            if line.startswith("```{question}"):
                below.append(heading)
    assert len(set(below)) > 1
    assert not {"## Exercises\n", "## What to take away\n"} & set(below)


@pytest.mark.parametrize("chapter", ["playground", *CHAPTERS])
def test_a_question_on_a_picture_names_a_figure_that_has_been_seen(chapter):
    figures = {cell["id"]: i for i, cell in enumerate(cells(chapter))
               if "figure" in cell["metadata"].get("tags", [])}
    pictures = [(one.picture, one.cell) for one in questions(chapter) if one.picture]
    assert pictures
    for name, cell in pictures:
        assert name in figures, f"no figure in a cell {name}"
        assert figures[name] < cell


@pytest.mark.parametrize("chapter", ["playground", *CHAPTERS])
def test_a_question_can_be_read_as_text(chapter):
    for one in questions(chapter):
        assert max(map(len, one.source.splitlines())) <= 76, one.source


def test_the_right_choice_is_not_always_in_one_place():
    marks = [re.findall(r"^- \((.)\)", one.source, re.MULTILINE)
             for chapter in ["playground", *CHAPTERS] for one in questions(chapter)]
    places = Counter(found.index("x") for found in marks)
    assert len(places) == 3 and max(places.values()) <= len(marks) / 2


@pytest.mark.parametrize("chapter", [*CHAPTERS, "further_theory"])
def test_an_exercise_says_its_level_and_time_has_a_hint_and_a_solution(chapter):
    found = exercises(chapter)
    assert found
    for label, text, whole in found:
        assert FACTS.match(text), f"{label}: level and duration come first"
        hints = HINT.findall(text + "\n")
        assert len(hints) == 1 and text.endswith("```"), f"{label}: one hint, at its end"
        assert "Hint:" not in text, label
        assert whole.count(f"```{{solution-start}} {label}\n:class: dropdown\n```") == 1, label
        assert whole.index(f":label: {label}\n") < whole.index(f"{{solution-start}} {label}\n")


@pytest.mark.parametrize("chapter", [*CHAPTERS, "further_theory"])
def test_an_exercise_has_a_cell_to_start_from_unless_it_needs_paper_only(chapter):
    for label, text, _ in exercises(chapter):
        paper = "paper only" in FACTS.match(text)[0]
        assert ("\x00" in text) != paper, label


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_two_exercises_of_a_chapter_need_paper_only(chapter):
    assert sum("paper only" in FACTS.match(text)[0] for _, text, _ in exercises(chapter)) >= 2


@pytest.mark.built
@pytest.mark.parametrize("chapter", ["playground", *CHAPTERS])
def test_on_a_page_each_question_has_its_choices_their_answers_and_one_that_is_right(chapter):
    page = (HTML / f"book/{chapter}.html").read_text(encoding="utf-8")
    fields = re.findall(r'<fieldset class="si-quiz".*?</fieldset>', page, re.DOTALL)
    asked = questions(chapter)
    assert len(fields) == len(asked)
    for field, one in zip(fields, asked, strict=True):
        marks = re.findall(r"^- \((.)\)", one.source, re.MULTILINE)
        choices = re.findall(r'<input type="radio"[^>]* value="(\w)"><label', field)
        answers = re.findall(r'data-to="(\w)" data-right="(\w+)">.*?<p>(.*?)</p>', field,
                             re.DOTALL)
        assert len(choices) == len(marks) and [to for to, *_ in answers] == choices
        assert [right == "true" for _, right, _ in answers] == [mark == "x" for mark in marks]
        words = [re.sub("<[^>]+>", "", text) for *_, text in answers]
        assert all(len(text.split()) > 8 for text in words)
        assert [text.startswith("Right.") for text in words] == [m == "x" for m in marks]
    assert "{question}" not in page


@pytest.mark.built
@pytest.mark.parametrize("chapter", [*CHAPTERS, "further_theory"])
def test_on_a_page_each_hint_is_folded_inside_its_exercise(chapter):
    page = (HTML / f"book/{chapter}.html").read_text(encoding="utf-8")
    for label, *_ in exercises(chapter):
        begin = page.index(f'id="{label}"')
        between = page[begin:page.index('class="solution', begin)]
        assert len(re.findall(r'class="[^"]*dropdown[^"]*hint|class="[^"]*hint[^"]*dropdown',
                              between)) == 1, label
