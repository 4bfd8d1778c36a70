"""The live figures, opened from disk without a kernel: every control, by keyboard alone."""

import re
from pathlib import Path

import pytest
from live_figures import FIGURES, LEAVES, TARGETS, looks, make, record

from si_tutorial import explorables
from si_tutorial.explorables.explorable import Explorable
from si_tutorial.explorables.published import summaries

FOLDER = Path(explorables.__file__).parent
NAMES = sorted(FIGURES)
ONCE, BOTH = looks("wide"), looks("wide", "phone")
OUTSIDE = """(figure) => [...figure.querySelectorAll("svg:not(.si-inside)")].flatMap((svg) => {
  const frame = svg.getBoundingClientRect();
  return [...svg.querySelectorAll("text, .si-grip, rect")].filter((node) => {
    if (node.parentNode.closest(".si-inside") || !node.getClientRects().length) return false;
    const box = node.getBoundingClientRect();
    return box.left < frame.left - 1 || box.right > frame.right + 1
        || box.top < frame.top - 1 || box.bottom > frame.bottom + 1;
  }).map((node) => node.outerHTML);
}).concat([...figure.querySelectorAll("*:not(style)")].filter((node) =>
  !node.closest("svg") && node.getBoundingClientRect().right > innerWidth + 1)
  .map((node) => node.outerHTML))"""


def in_order(figure, look):
    """What is shown is finite, inside its frame, and has cost no error and no request."""
    shown = figure.evaluate("f => f.querySelector('.si-fig').outerHTML.replace("
                            "/<style>[^]*?<\\/style>/, '')")
    assert not re.search(r"NaN|Infinity|undefined|\[object", shown), shown
    assert figure.evaluate(OUTSIDE) == []
    assert look.errors == []
    assert [u for u in look.requests if not u.startswith(("file:", "data:", "blob:"))] == []


def press_each(controls, look, after=lambda: None):
    """Presses one after another; to press one may bring others, or take some away."""
    at = 0
    while at < min(controls.count(), 40):
        controls.nth(at).focus()
        look.keyboard.press("Space")
        after()
        at += 1


def test_every_figure_of_the_package_is_tested_here():
    elsewhere = {"playground"}  # it has tests of its own
    assert {path.stem for path in FOLDER.glob("*.js")} - elsewhere == set(FIGURES) == set(TARGETS)


@ONCE
@pytest.mark.parametrize("name", NAMES)
def test_sliders_go_as_far_as_the_traits_do(name, opened, look):
    figure, _ = opened(name)
    traits = make(name).traits()
    for slider in figure.locator("input[type=range]").all():
        wide = slider.evaluate("s => s.closest('.si-slider').parentNode.clientWidth")
        assert slider.bounding_box()["width"] > 0.3 * wide
        if slider.get_attribute("name") not in traits:
            continue  # a flipbook's sliders go from its first page to its last
        trait = traits[slider.get_attribute("name")]
        assert (float(slider.get_attribute("min")), float(slider.get_attribute("max"))) == (
            trait.min, trait.max), slider.get_attribute("name")


@BOTH
@pytest.mark.parametrize("name", NAMES)
def test_every_control_at_both_ends_by_keyboard(name, opened, look):
    figure, other = opened(name)
    in_order(figure, look)
    untouched = other.inner_text()
    for button in figure.locator("button").all():
        if button.is_enabled():
            button.focus()
            look.keyboard.press("Enter")
            in_order(figure, look)
    look.wait_for_timeout(50)
    for slider in figure.locator("input[type=range]").all():
        for key in ("End", "Home", "ArrowRight"):
            if slider.is_enabled():
                slider.focus()
                look.keyboard.press(key)
                in_order(figure, look)
        look.keyboard.press("End")  # the next one is moved with this one at its end
    press_each(figure.locator("input[type=radio], input[type=checkbox]"), look,
               lambda: in_order(figure, look))
    for handle in figure.locator(".si-handle").all():
        for key in ("ArrowLeft", "ArrowUp", "ArrowRight", "ArrowDown"):
            handle.focus()
            for _ in range(12):
                look.keyboard.press(f"Shift+{key}")
            in_order(figure, look)
    assert other.inner_text() == untouched


@pytest.mark.parametrize("name", NAMES)
def test_its_target_is_reached_by_keyboard_and_start_again_puts_it_back(name, opened, look):
    figure, _ = opened(name)
    goal, said = figure.locator(".si-goal"), figure.locator(".si-said")
    first = said.inner_text()
    assert goal.get_attribute("data-reached") == "false"
    assert len(first.split()) > 6 and said.get_attribute("aria-live") == "polite"
    for step in TARGETS[name]:
        where, keys = step
        figure.locator(where).first.focus()
        for key in keys.split():
            key, _, times = key.partition("*")
            for _ in range(int(times or 1)):
                look.keyboard.press(key)
    figure.locator(".si-goal[data-reached=true]").wait_for(timeout=5000)
    assert said.inner_text() != first
    in_order(figure, look)
    where, key = LEAVES[name]  # whoever leaves the solution has it no more, and may come back
    figure.locator(where).first.press(key)
    assert goal.get_attribute("data-reached") == "false"
    assert figure.locator(".si-heard").inner_text() == ""
    again = figure.get_by_role("button", name="Start again")
    again.focus()
    look.keyboard.press("Enter")
    assert goal.get_attribute("data-reached") == "false" and said.inner_text() == first


@ONCE
@pytest.mark.parametrize("name", NAMES)
def test_a_screen_reader_finds_names_and_words(name, opened, look):
    figure, _ = opened(name)
    for svg in figure.locator("svg:not(.si-inside)").all():
        assert len((svg.get_attribute("aria-label") or "").split()) >= 8
    for control in figure.locator("input, button, .si-handle").all():
        assert control.evaluate("c => c.ariaLabel || c.textContent || c.labels[0]?.textContent")
        control.focus()
    for slider in figure.locator("input[type=range]").all():
        slider.focus()
        look.keyboard.press("ArrowRight")
        assert slider.get_attribute("aria-valuetext")
        ring = slider.evaluate("s => getComputedStyle(s).outlineWidth")
        assert float(ring.removesuffix("px")) >= 2


@BOTH
@pytest.mark.parametrize("name", NAMES)
def test_no_word_is_smaller_than_eleven_pixels(name, opened, look):
    figure, _ = opened(name)
    small = figure.evaluate("""f => [...f.querySelectorAll("svg text, p, span, button, th, td")]
      .filter((n) => n.textContent.trim() && !n.closest("[hidden]")).map((n) => [n.textContent,
        parseFloat(getComputedStyle(n).fontSize) * (n.getScreenCTM?.().a ?? 1)])
      .filter(([, size]) => size < 11)""")
    assert small == []


@ONCE
@pytest.mark.parametrize("name", NAMES)
def test_it_prints_as_a_still(name, opened, look):
    figure, _ = opened(name)
    look.emulate_media(media="print")
    assert figure.locator(".si-stage").is_visible() and figure.locator(".si-said").is_visible()
    assert not any(control.is_visible() for control in
                   figure.locator("button, input[type=range]").all())


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_is_small_and_its_own(name):
    figure = make(name)
    page = figure.static()
    assert isinstance(figure, Explorable) and len(page.encode()) <= 60_000
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", page)
    assert page.count("</script>") == 1  # nothing in it can end the script early


HOSTILE = '</script><img src=x onerror="window.caught = 1"><b onclick=0>'


@ONCE
@pytest.mark.parametrize("name", ["method_explorer", "flipbook"])
def test_a_hostile_name_in_the_data_never_becomes_markup(name, opened, look):
    if name == "method_explorer":
        runs = summaries([record(HOSTILE, None, None, 0.7, scenario=scenario)
                          for scenario in (HOSTILE, "constructor", "task")]
                         + [record("fine-tuning", 1.0, HOSTILE, 0.7, scenario=HOSTILE)])
        figure, _ = opened(name, runs=runs, method=HOSTILE, scenario=HOSTILE)
    else:
        figure, _ = opened(name, method=[HOSTILE, "SI"])
    in_order(figure, look)
    assert HOSTILE in figure.inner_text()
    press_each(figure.locator("input"), look)
    assert figure.locator("b, script").count() == 0 and figure.locator("[onerror]").count() == 0
    assert look.evaluate("window.caught") is None
    in_order(figure, look)


@ONCE
def test_the_bowl_of_the_book_in_which_a_stiffer_spring_forgets_more(opened, look):
    figure, _ = opened("best_c", angle1=135.0, flat1=0.0, steep1=2.0, angle2=90.0, flat2=1.0,
                       steep2=5.0, shift_x=1.0, shift_y=1.0, log_strength=0.0)
    told = figure.locator("td[data-what]").all_inner_texts()
    assert told[:2] == ["0.000", "0.056"]


@BOTH
def test_a_point_follows_the_pointer_and_stays_inside(opened, look):
    figure, _ = opened("draw_a_path")
    figure.scroll_into_view_if_needed()
    grip = figure.locator(".si-grip").first.bounding_box()
    svg = figure.locator("svg").first.bounding_box()
    look.mouse.move(grip["x"] + grip["width"] / 2, grip["y"] + grip["height"] / 2)
    look.mouse.down()
    look.mouse.move(svg["x"] + svg["width"] / 2, svg["y"] + 200, steps=3)
    moved = figure.locator(".si-grip").first.bounding_box()
    assert abs(moved["x"] + moved["width"] / 2 - svg["x"] - svg["width"] / 2) < 2
    look.mouse.move(svg["x"] - 50, svg["y"] - 80, steps=3)
    look.mouse.up()
    frame, grip = (figure.locator(where).first.bounding_box() for where in ("svg", ".si-grip"))
    assert frame["x"] < grip["x"] and frame["y"] < grip["y"]
    in_order(figure, look)


@ONCE
def test_arrow_keys_stay_with_the_figure(opened, look):
    """JupyterLab's notebook would otherwise take them away from a slider."""
    figure, _ = opened("two_bowls")
    look.evaluate("document.addEventListener('keydown', (event) => event.preventDefault())")
    slider = figure.locator("input[name=valley_a]")
    before = float(slider.input_value())
    slider.focus()
    look.keyboard.press("ArrowRight")
    assert float(slider.input_value()) == before + 1
    assert figure.locator("[data-lm-suppress-shortcuts]").count() == 1


@ONCE
def test_no_motion_where_none_is_wanted(opened, look):
    look.emulate_media(reduced_motion="reduce")
    figure, _ = opened("two_bowls")
    figure.get_by_role("button", name="Then learn B").click()
    assert "forgotten" in figure.locator(".si-said").inner_text()  # at once


@ONCE
def test_without_interaction_the_best_strength_is_one(opened, look):
    figure, _ = opened("best_c", angle1=35.0, angle2=70.0)
    said = figure.locator(".si-said")
    assert not said.inner_text().endswith("the best c is 1.")
    figure.get_by_role("switch").focus()
    look.keyboard.press("Space")
    assert said.inner_text().endswith("the best c is 1.")
