"""The live figures, opened from disk without a kernel: every control, by keyboard alone."""

import importlib
import re

import pytest
from live_figures import FIGURES, TARGETS, make

from si_tutorial.explorables.explorable import Explorable

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>figures</title>
<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">
<style>body {{ font: 16px sans-serif; margin: 16px; max-width: 800px }}</style></head>
<body>{}</body></html>"""
NAMES = sorted(FIGURES)
OUTSIDE = """(figure) => [...figure.querySelectorAll("svg:not(.si-inside)")].flatMap((svg) => {
  const frame = svg.getBoundingClientRect();
  return [...svg.querySelectorAll("text, .si-grip, rect")].filter((node) => {
    if (node.parentNode.closest(".si-inside")) return false;
    const box = node.getBoundingClientRect();
    return box.left < frame.left - 1 || box.right > frame.right + 1
        || box.top < frame.top - 1 || box.bottom > frame.bottom + 1;
  }).map((node) => node.outerHTML);
}).concat([...figure.querySelectorAll("*:not(style)")].filter((node) =>
  !node.closest("svg") && node.getBoundingClientRect().right > innerWidth + 1)
  .map((node) => node.outerHTML))"""


@pytest.fixture
def opened(look, tmp_path):
    """Opens the named figure twice on one page, from disk; returns both."""
    def go(name, **traits):
        page = tmp_path / f"{name}.html"
        page.write_text(PAGE.format(make(name, **traits).static() + make(name, **traits).static()),
                        encoding="utf-8")
        look.goto(page.as_uri())
        figures = look.locator(f"[data-figure={name}]")
        figures.nth(1).locator(".si-fig").wait_for()
        return figures.nth(0), figures.nth(1)
    return go


def in_order(figure, look):
    """What is shown is finite, inside its frame, and has cost no error and no request."""
    shown = figure.evaluate("f => f.querySelector('.si-fig').outerHTML.replace("
                            "/<style>[^]*?<\\/style>/, '')")
    assert not re.search(r"NaN|Infinity|undefined|\[object", shown), shown
    assert figure.evaluate(OUTSIDE) == []
    assert look.errors == []
    assert [u for u in look.requests if not u.startswith(("file:", "data:", "blob:"))] == []


def test_every_figure_of_the_package_is_tested_here(tmp_path):
    folder = importlib.import_module("si_tutorial.explorables").__path__[0]
    pages = {path.stem for path in importlib.resources.files("si_tutorial.explorables").iterdir()
             if path.suffix == ".js"}
    assert pages == set(FIGURES) == set(TARGETS), folder


@pytest.mark.parametrize("name", NAMES)
def test_sliders_go_as_far_as_the_traits_do(name, opened, look):
    if look.viewport_size["width"] < 600:
        pytest.skip("the same at every width")
    figure, _ = opened(name)
    traits = make(name).traits()
    for slider in figure.locator("input[type=range]").all():
        trait = traits[slider.get_attribute("name")]
        assert (float(slider.get_attribute("min")), float(slider.get_attribute("max"))) == (
            trait.min, trait.max), slider.get_attribute("name")


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
    for control in figure.locator("input[type=radio], input[type=checkbox]").all():
        control.focus()
        look.keyboard.press("Space")
        in_order(figure, look)
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
        where = figure.locator(where).first
        where.focus()
        for key in keys.split():
            key, _, times = key.partition("*")
            for _ in range(int(times or 1)):
                look.keyboard.press(key)
    figure.locator(".si-goal[data-reached=true]").wait_for(timeout=5000)
    assert said.inner_text() != first
    in_order(figure, look)
    again = figure.get_by_role("button", name="Start again")
    again.focus()
    look.keyboard.press("Enter")
    assert goal.get_attribute("data-reached") == "false" and said.inner_text() == first


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


@pytest.mark.parametrize("name", NAMES)
def test_no_word_is_smaller_than_eleven_pixels(name, opened, look):
    figure, _ = opened(name)
    small = figure.evaluate("""f => [...f.querySelectorAll("svg text, p, span, button, th, td")]
      .filter((n) => n.textContent.trim() && !n.closest("[hidden]")).map((n) => [n.textContent,
        parseFloat(getComputedStyle(n).fontSize) * (n.getScreenCTM?.().a ?? 1)])
      .filter(([, size]) => size < 11)""")
    assert small == []


@pytest.mark.parametrize("name", NAMES)
def test_it_prints_as_a_still(name, opened, look):
    if look.viewport_size["width"] < 600:
        pytest.skip("paper has one width")
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
