"""The playground rests out of sight, and wakes for certain: by what is seen, and by any press."""

import re

import pytest
from live_figures import looks

from si_tutorial.explorables.playground import Playground

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>playground</title>
<meta name="viewport" content="width=device-width"></head>
<body style="margin: 16px; max-width: 760px">{}<div style="height: 3000px"></div></body></html>"""
# an observer that tells what the test lets it tell, and of changes of its own nothing
TOLD = """window.IntersectionObserver = class {
  constructor(call) { window.tell = (...seen) => call(seen.map((s) => ({ isIntersecting: s }))); }
  observe() {} disconnect() {} };"""
TAB = """window.away = false;
Object.defineProperty(document, "hidden", { get: () => away });
window.turn = (now) => { away = now; document.dispatchEvent(new Event("visibilitychange")); };"""
AWAY_AND_BACK = {
    "scrolled": ("scrollTo(0, document.body.scrollHeight)", "scrollTo(0, 0)"),
    "tab": ("turn(true)", "turn(false)"),
    "observer": ("tell(false)", "tell(true)"),
}
pytestmark = looks("wide")


@pytest.fixture
def training(look, tmp_path):
    """A playground in mid-tour, so slow that it is not over soon."""
    page = tmp_path / "playground.html"
    page.write_text(PAGE.format(Playground(speed="slow").static()), encoding="utf-8")

    def go(script=""):
        look.add_init_script(script)
        look.goto(page.as_uri())
        figure = look.locator("[data-figure=playground]")
        figure.get_by_role("button", name="3 Remember").click()
        goes_on(figure, look)
        return figure
    return go


def steps(figure):
    label = figure.locator(".play-curves svg[aria-label]").first.get_attribute("aria-label")
    return int(re.search(r"over (\d+) steps", label)[1])


def goes_on(figure, look):
    old = steps(figure) if figure.locator(".play-curves svg[aria-label]").count() else 0
    look.wait_for_function("""(old) => Number(document.querySelector(".play-curves svg[aria-label]")
      ?.ariaLabel.match(/over (\\d+) steps/)[1]) > old""", arg=old, timeout=30_000)


def rests(figure, look):
    look.wait_for_timeout(300)  # for what is under way
    old = steps(figure)
    look.wait_for_timeout(400)
    return steps(figure) == old


def test_a_picture_of_the_whole_page_does_not_stop_the_tour(training, look):
    figure = training()
    for _ in range(4):
        look.screenshot(full_page=True)
        goes_on(figure, look)
    assert look.errors == []


def test_a_narrow_screen_and_back_does_not_stop_the_tour(training, look):
    figure = training()
    for width in (390, 1280):
        look.set_viewport_size({"width": width, "height": 800})
        goes_on(figure, look)


@pytest.mark.parametrize("how", AWAY_AND_BACK)
def test_it_rests_out_of_sight_and_goes_on_in_sight(training, look, how):
    figure = training({"tab": TAB, "observer": TOLD}.get(how, ""))
    away, back = AWAY_AND_BACK[how]
    look.evaluate(away)
    assert rests(figure, look)
    look.evaluate(back)
    goes_on(figure, look)


def test_of_several_changes_told_at_once_the_last_one_holds(training, look):
    figure = training(TOLD)
    look.evaluate("tell(false, true)")
    goes_on(figure, look)
    look.evaluate("tell(true, false)")
    assert rests(figure, look)


def test_whatever_is_pressed_wakes_it_though_the_observer_says_nothing(training, look):
    figure = training(TOLD)
    for press in (lambda: figure.locator("input[name=synapse]").press("ArrowRight"),
                  lambda: figure.locator("input[value=slow]").press("Shift"),
                  lambda: figure.locator("canvas").first.click()):
        look.evaluate("tell(false)")
        assert rests(figure, look)
        press()
        goes_on(figure, look)
    look.evaluate("tell(false)")
    figure.get_by_role("button", name="Start again").click()
    look.evaluate("tell(false)")
    figure.get_by_role("button", name="Train both").press("Enter")
    goes_on(figure, look)
