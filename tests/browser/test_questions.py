"""Questions on the built pages: by keyboard, for those who listen, on paper, without a script."""

import re

import pytest
from axe_playwright_python.base import AXE_FILE_PATH
from browser.test_every_page import AXE
from test_asked import CHAPTERS
from test_book import HTML

pytestmark = pytest.mark.built
PAGE = HTML / "book/synaptic_intelligence.html"


def opened(page, path=PAGE):
    page.goto(path.as_uri())
    page.wait_for_function("() => !!window.MathJax?.startup?.promise")
    page.evaluate("() => MathJax.startup.promise")
    return page.locator(".si-quiz")


def right_one(question):
    to = question.locator('.si-answer[data-right="true"]').get_attribute("data-to")
    return question.locator(f'input[value="{to}"]')


def test_a_question_is_answered_with_the_keyboard(look):
    first = opened(look).first
    buttons, said = first.locator("input[type=radio]"), first.get_by_role("status")
    assert said.inner_text() == ""
    for _ in range(300):     # from the top of the page, as with no mouse
        look.keyboard.press("Tab")
        if first.evaluate("e => e.contains(document.activeElement) "
                          "&& document.activeElement.matches('input')"):
            break
    look.keyboard.press("Space")
    heard = []
    for i in range(buttons.count()):
        assert buttons.nth(i).is_checked()
        words = said.inner_text()
        answer = first.locator(".si-answer").nth(i)
        right = answer.get_attribute("data-right") == "true"
        assert words.startswith("Right." if right else "Not quite.") and len(words) > 60
        assert said.is_visible() and said.get_attribute("data-right") == str(right).lower()
        heard.append(words)
        look.keyboard.press("ArrowDown")
    assert len(set(heard)) == buttons.count() and buttons.first.is_checked()   # round again
    look.keyboard.press("Tab")
    assert not first.evaluate("e => e.querySelectorAll('input').values()"
                              ".some((b) => b === document.activeElement)")
    assert look.errors == [] and all(url.startswith(("file:", "data:", "blob:"))
                                     for url in look.requests)


def test_a_question_is_a_named_group_of_radio_buttons_with_a_status(look):
    for question in opened(look).all():
        tree = question.aria_snapshot()
        legend = question.locator("legend").inner_text()
        assert re.match(r"- group ", tree) and legend.split()[0] in tree.splitlines()[0]
        labels = [label.inner_text() for label in question.locator("label").all()]
        assert len(re.findall(r"- radio \"", tree)) == len(labels) == 3
        for label in labels:
            assert label.split()[0] in tree
        right_one(question).check()
        assert re.search(r"- status:(.|\n)*Right\.", question.aria_snapshot())


def test_answered_questions_have_no_fault_that_axe_finds(look):
    for question in opened(look).all():
        right_one(question).check()
    look.evaluate(AXE_FILE_PATH.read_text(encoding="utf-8"))
    assert look.evaluate(AXE) == []


def test_formulas_in_choices_and_answers_are_set_by_the_page_itself(look):
    questions = opened(look)
    with_formula = questions.filter(has=look.locator(".si-answer .math"))
    assert with_formula.count() and questions.locator("label mjx-container").count()
    question = with_formula.first
    to = question.locator(".si-answer").filter(has=look.locator(".math")).first
    question.locator(f'input[value="{to.get_attribute("data-to")}"]').check()
    formula = question.locator(".si-quiz-said mjx-container").first
    assert formula.is_visible() and formula.bounding_box()["width"] > 5
    assert question.locator("mjx-merror").count() == 0
    label = look.locator("label:has(mjx-container)").first
    label.locator("mjx-container").first.click()     # a formula is a part of its choice
    assert look.locator(f"#{label.get_attribute('for')}").is_checked()


@pytest.mark.parametrize("chapter", ["playground", *CHAPTERS])
def test_nothing_sticks_out_at_any_answer(look, chapter):
    opened(look, HTML / f"book/{chapter}.html")
    assert look.evaluate("""() => [...document.querySelectorAll(".si-quiz input")].filter(
        (button) => {
          button.click();
          const box = button.closest(".si-quiz");
          const right = document.querySelector("article.bd-article").getBoundingClientRect().right;
          return box.getBoundingClientRect().right > right + 1
            || [...box.querySelectorAll("*:not(mjx-container *, .si-answers *)")].some((e) =>
              e.getBoundingClientRect().right > box.getBoundingClientRect().right + 1);
        }).map((b) => b.id)""") == []
    assert look.errors == []


def test_an_answer_is_text_and_never_markup(look):
    question = opened(look).first
    question.locator(".si-answer").first.evaluate(
        "e => e.append('<img src=x onerror=window.hurt=1>')")
    question.locator("input").first.check()
    assert "<img" in question.locator(".si-quiz-said").inner_text()
    assert question.locator("img").count() == 0 and not look.evaluate("window.hurt")


def is_a_plain_list(question):
    """Choices with letters, no buttons, and below them one answer for each letter."""
    letters = [letter.inner_text().strip() for letter in question.locator("label .si-letter").all()]
    assert letters == ["a.", "b.", "c."]
    assert not question.locator("input").first.is_visible()
    assert not question.locator(".si-quiz-said").is_visible()
    answers = question.locator(".si-answer").all()
    assert all(answer.is_visible() for answer in answers)
    assert [answer.inner_text()[:2] for answer in answers] == letters
    lowest = question.locator("label").last.bounding_box()
    assert answers[0].bounding_box()["y"] >= lowest["y"] + lowest["height"] - 1


def test_on_paper_a_question_is_a_list_and_its_answers_come_last(look):
    questions = opened(look)
    questions.first.locator("input").first.check()    # as a reader may have left it
    look.emulate_media(media="print")
    for question in questions.all():
        is_a_plain_list(question)


def test_without_a_script_a_question_is_a_list_too(browser):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(PAGE.as_uri())
    is_a_plain_list(page.locator(".si-quiz").first)
    context.close()


@pytest.mark.parametrize(("motion", "behavior"), [("reduce", "instant"),
                                                  ("no-preference", "smooth")])
def test_the_answer_comes_into_the_window_and_glides_only_where_motion_is_wanted(
        look, motion, behavior):
    look.emulate_media(reduced_motion=motion)
    look.add_init_script("""const scroll = Element.prototype.scrollIntoView;
      window.asked = [];
      Element.prototype.scrollIntoView = function (how) {
        asked.push(how.behavior);
        scroll.call(this, { ...how, behavior: "instant" }); };""")
    first = opened(look).first
    button = first.locator("input").last
    button.evaluate("e => e.focus({ preventScroll: true })")
    button.evaluate("e => scrollBy(0, e.getBoundingClientRect().bottom - innerHeight + 8)")
    look.keyboard.press("Space")
    box = first.get_by_role("status").bounding_box()
    assert box["height"] > 20 and box["y"] + box["height"] <= look.viewport_size["height"] + 1
    assert look.evaluate("asked") == [behavior]
    before = look.evaluate("scrollY")
    look.keyboard.press("ArrowUp")      # what is in the window already moves nothing
    box = first.get_by_role("status").bounding_box()
    assert box["y"] + box["height"] <= look.viewport_size["height"] + 1
    assert look.evaluate("scrollY") >= before
