"""The tour's own button, what stays in sight at a step, the way of the keyboard, and the target."""

from itertools import pairwise

import pytest
from live_figures import looks
from test_book import HTML

from si_tutorial.explorables.playground import Playground

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>playground</title>
<meta name="viewport" content="width=device-width"></head>
<body style="margin: 16px; max-width: 760px">{}<div style="height: 3000px"></div></body></html>"""
STEPS = ["Learn", "Forget", "Remember", "Too weak", "Too strong"]
SEEN = """() => { window.seen = new Set();
  new MutationObserver(() => seen.add(document.querySelectorAll(".play-two [data-absent]").length
    + " not yet, " + document.querySelector(".si-main").textContent))
    .observe(document.querySelector(".si-fig"), { subtree: true, childList: true }); }"""
SAID = "Task 1:"  # a step's outcome


@pytest.fixture
def opened(look, tmp_path):
    def go(**traits):
        page = tmp_path / "playground.html"
        page.write_text(PAGE.format(Playground(**{"speed": "fast", **traits}).static()),
                        encoding="utf-8")
        look.goto(page.as_uri())
        figure = look.locator("[data-figure=playground]")
        figure.locator(".play-knows b").first.wait_for()
        return figure
    return go


def pressed(figure):
    return figure.locator(".play-tour [aria-pressed=true]").all_inner_texts()


@looks("wide", "phone")
def test_the_main_button_leads_from_step_to_step_and_its_words_fit(opened, look):
    figure = opened()
    main = figure.locator(".si-main")
    figure.get_by_role("button", name="1 Learn").click()
    for number, name in enumerate(STEPS, start=1):
        assert pressed(figure) == [f"{number} {name}"]
        figure.locator(".si-said", has_text=SAID).wait_for(timeout=60_000)
        if name != STEPS[-1]:
            assert main.inner_text() == f"▶ Tour: step {number + 1}"
            assert main.evaluate("n => n.scrollWidth <= n.clientWidth")
            main.click()
            figure.locator(".si-said", has_not_text=SAID).wait_for(timeout=60_000)
    assert main.inner_text() == "▶ Go on" and look.errors == []


@looks("wide")
def test_a_pause_stays_in_the_tour_and_another_button_leaves_it(opened):
    figure = opened(speed="slow")
    figure.get_by_role("button", name="3 Remember").click()
    main = figure.locator(".si-main", has_text="Pause")
    main.click(timeout=60_000)
    figure.locator(".si-main", has_text="Go on").wait_for()
    assert pressed(figure) == ["3 Remember"]
    figure.locator("input[value=fast]").check(force=True)
    figure.locator(".si-main", has_text="Go on").click()
    figure.locator(".si-main", has_text="Tour: step 4").wait_for(timeout=60_000)
    assert figure.locator(".play-knows b").all_inner_texts() == ["1", "2"]
    figure.get_by_role("button", name="Start again").click()
    figure.locator(".si-main", has_text="Train both").wait_for()
    assert pressed(figure) == []


@looks("wide")
def test_at_a_step_what_was_learned_stays_until_the_next_is_there(opened, look):
    figure = opened()
    figure.get_by_role("button", name="1 Learn").click()
    figure.locator(".si-said", has_text=SAID).wait_for(timeout=60_000)
    look.evaluate(SEEN)
    figure.get_by_role("button", name="2 Forget").click()
    figure.locator(".si-said", has_text="Each cross").wait_for(timeout=60_000)
    seen = look.evaluate("[...seen]")
    assert seen and not [one for one in seen if one.startswith("8") or "Train both" in one]


@looks("wide", "phone")
def test_tab_meets_what_is_seen_from_top_to_bottom(opened, look):
    opened()
    look.keyboard.press("Tab")
    tops = []
    while (at := look.evaluate("""() => { const n = document.activeElement;
        return n.closest(".si-fig") && [n.closest("label, button, input")
          .getBoundingClientRect().bottom + scrollY, n.textContent || n.name]; }""")):
        tops.append(at[0])
        look.keyboard.press("Tab")
    assert len(tops) > 15
    assert all(after > before - 40 for before, after in pairwise(tops))


@looks("wide", "phone")
def test_the_button_that_the_keyboard_is_at_stays_in_the_window(opened, look):
    figure = opened()
    inside = """() => { const box = document.activeElement.getBoundingClientRect();
      return box.top >= 0 && box.bottom <= innerHeight; }"""
    for name in ("Learn all tasks with this setting", "2 Forget"):
        figure.get_by_role("button", name=name).focus()
        look.keyboard.press("Enter")
        look.wait_for_function("() => document.querySelector('.si-main').textContent.includes('❚')")
        look.wait_for_function("""() => new Promise((yes) => {
          const y = scrollY; setTimeout(() => yes(y === scrollY), 250); })""")
        assert look.evaluate(inside)


@looks("wide")
def test_half_of_the_target_is_told(opened):
    figure = opened()
    goal, strength = figure.locator(".si-goal"), figure.locator("input[name=log_strength]")
    for key, words in (("Home", "Found: too weak."), ("End", "")):
        strength.press(key)
        figure.get_by_role("button", name="Learn all tasks with this setting").click()
        figure.locator(".si-main", has_text="Pause").wait_for()
        figure.get_by_role("button", name="Train again").wait_for(timeout=120_000)
        assert goal.locator("strong").inner_text() == words
        assert goal.get_attribute("data-reached") == str(not words).lower()


@looks("wide")
def test_what_the_tour_has_shown_is_not_the_reader_s_find(opened):
    figure = opened()
    figure.get_by_role("button", name="5 Too strong").click()
    figure.locator(".si-said", has_text=SAID).wait_for(timeout=60_000)
    figure.locator("input[name=log_strength]").press("ArrowLeft")
    figure.locator(".si-said", has_text="acts from the next step").wait_for()
    assert figure.locator(".si-goal strong").inner_text() == ""


@pytest.mark.built
@looks("wide")
def test_on_its_page_the_keyboard_comes_to_the_playground_before_its_code(look):
    look.goto((HTML / "book/playground.html").as_uri())
    look.locator(".play-knows b").first.wait_for()
    assert look.evaluate("""() => {
      const code = [...document.querySelectorAll(".cell > details")].find((fold) =>
        fold.parentElement.querySelector(".si-explorable, [data-figure]"));
      const figure = code.parentElement.querySelector(".si-fig");
      return Boolean(figure.compareDocumentPosition(code) & Node.DOCUMENT_POSITION_FOLLOWING);
    }""")
