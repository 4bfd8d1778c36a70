"""The playground's place on a page: what changes is in view, nothing jumps, no words are cut."""

import re
from pathlib import Path

import pytest

from si_tutorial import explorables
from si_tutorial.explorables.explorable import bundle
from si_tutorial.explorables.playground import Playground

FOLDER = Path(explorables.__file__).parent
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>playground</title>
<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">
<style>body {{ font: 16px sans-serif; margin: 16px; max-width: 760px }}
header {{ position: sticky; top: 0; height: 3rem; background: grey; z-index: 2 }}</style></head>
<body><header>a page</header><p style="height: 300px">words above</p>{}
<p style="height: 2000px">words below</p></body></html>"""
STEPS = ["1 Learn", "2 Forget", "3 Remember", "4 Too weak", "5 Too strong"]
WATCH = """() => {
  const parts = () => [...document.querySelectorAll(".si-fig > *, .si-body > *, .si-panel > *, "
    + ".si-stage > *, .play-top button, .play-two canvas, .play-inside svg:not(.si-inside)")]
    .filter((n) => n.localName !== "style" && n.getClientRects().length);
  const top = document.querySelector(".si-fig");
  const place = (n) => { const box = n.getBoundingClientRect(), { y } = top.getBoundingClientRect();
    return [box.left, box.top - y, box.width]; };
  window.places = new Map();
  const note = () => {
    for (const n of parts()) {
      const now = place(n), ends = places.get(n) ?? now.map((x) => [x, x]);
      places.set(n, ends.map(([low, high], i) => [Math.min(low, now[i]), Math.max(high, now[i])]));
    }
    requestAnimationFrame(note);
  };
  note();
}"""
MOVED = """() => [...window.places]
  .filter(([, ends]) => ends.some(([low, high]) => high - low > 1))
  .map(([n, ends]) => `${n.className || n.localName} ${n.textContent.slice(0, 30)}: ${ends}`)"""
CUT = """() => [...document.querySelectorAll(".si-fig svg:not(.si-inside)")].flatMap((svg) => {
  const frame = svg.getBoundingClientRect();
  return [...svg.querySelectorAll("text")].filter((n) => n.getClientRects().length).filter((n) => {
    const box = n.getBoundingClientRect();
    return box.left < frame.left || box.right > frame.right + 0.5 || box.top < frame.top - 0.5
        || box.bottom > frame.bottom + 0.5;
  }).map((n) => n.textContent);
})"""


@pytest.fixture(autouse=True)
def light(look):
    """Where things stand depends on the width alone."""
    if look.evaluate("matchMedia('(prefers-color-scheme: dark)').matches"):
        pytest.skip("the same as light")


@pytest.fixture
def opened(look, tmp_path):
    """Opens a playground between words, on a screen as low as that of a small phone."""
    def go(figure, height=None):
        page = tmp_path / "playground.html"
        page.write_text(PAGE.format(figure.static()), encoding="utf-8")
        width = look.viewport_size["width"]
        look.set_viewport_size({"width": width, "height": height or (560 if width < 600 else 900)})
        look.goto(page.as_uri())
        found = look.locator("[data-figure=playground]")
        found.locator(".play-name").first.wait_for()
        return found
    return go


def at_rest(look):
    """Waits until nothing scrolls and nothing trains."""
    look.wait_for_function("() => !document.querySelector('.si-main').textContent.includes('❚')")
    look.wait_for_function("""() => new Promise((yes) => {
      const y = scrollY; setTimeout(() => yes(y === scrollY), 250); })""")


def in_view(figure, selector):
    return figure.evaluate("""(f, selector) => [...f.querySelectorAll(selector)].every((n) => {
      const box = n.getBoundingClientRect();
      return box.height > 0 && box.top >= 48 && box.bottom <= innerHeight; })""", selector)


@pytest.mark.parametrize("height", [560, 900])
def test_a_step_of_the_tour_brings_its_pictures_into_view_and_moves_nothing(opened, look, height):
    figure = opened(Playground(speed="fast"), height)
    look.evaluate(WATCH)
    for name in STEPS:
        step = figure.get_by_role("button", name=name)
        # as low on the screen as can be, so that the pictures are below its edge
        step.evaluate("n => scrollBy(0, n.getBoundingClientRect().bottom - innerHeight + 8)")
        assert not in_view(figure, "canvas")
        step.click()
        figure.locator(".si-said", has_text="Task 1:").wait_for(timeout=60_000)
        at_rest(look)
        assert in_view(figure, "canvas, .play-two .play-name, .play-knows")
        assert look.viewport_size["height"] < 600 or in_view(figure, ".play-way, .play-two")
        look.evaluate("document.querySelector('.si-said').textContent = ''")
    assert look.evaluate(MOVED) == []
    assert look.errors == []


def test_a_picture_that_is_in_view_stays_where_it_is(opened, look):
    figure = opened(Playground(compact=True, speed="fast"))
    figure.locator(".play-two").evaluate("n => n.scrollIntoView({ block: 'end' })")
    before = look.evaluate("scrollY")
    figure.get_by_role("button", name="Learn task 1").evaluate("b => b.click()")
    at_rest(look)
    assert look.evaluate("scrollY") == before


@pytest.mark.parametrize("motion, behavior", [("reduce", "instant"), ("no-preference", "smooth")])
def test_the_page_glides_only_where_motion_is_wanted(opened, look, motion, behavior):
    look.emulate_media(reduced_motion=motion)
    look.add_init_script("""window.asked = [];
      Element.prototype.scrollIntoView = (how) => asked.push(how);""")
    figure = opened(Playground(speed="fast"))
    figure.get_by_role("button", name="1 Learn").click()
    at_rest(look)
    assert look.evaluate("asked") == [{"block": "nearest", "behavior": behavior}]


def test_to_train_forget_and_start_again_moves_nothing(opened, look):
    for compact in (True, False):
        figure = opened(Playground(compact=compact, speed="fast"))
        look.evaluate(WATCH)
        for method in (["si"] if compact else ["si", "joint", "ewc"]):
            figure.locator(f"input[value={method}]").evaluate_all("all => all.forEach("
                                                                  "(one) => one.click())")
            figure.get_by_role("button", name="Train both").first.click()
            figure.get_by_role("button", name="Train again").wait_for(timeout=60_000)
            figure.get_by_role("button", name="Start again").click()
            figure.get_by_role("button", name="Train both").first.wait_for()
        assert look.evaluate(MOVED) == []


SENTENCES = """async ([verdict, tour, width]) => {
  const load = (text) => import(URL.createObjectURL(
    new Blob([text], { type: "text/javascript" })));
  const { sentence } = await load(verdict), { TOUR, outcome } = await load(tour);
  const words = new Set(TOUR.map(({ before }) => before));
  for (const tasks of [4, 5]) {
    for (let at = -1; at < tasks; at++) {
      for (const method of ["none", "l2", "ewc", "mas", "si", "joint"]) {
        for (const rate of [0.01, 0.2]) {
          for (const broken of [false, true]) {
            for (const done of [0, 7]) {
              for (const kept of [[0.4, 0.4], [0.4, 1], [1, 1], [1, 0.4]]) {
                for (const now of [[1, 1], [1, 0.77], [0.5, 0.5]]) {
                  const right = [0, 1].map((side) => Array.from({ length: tasks }, (_, task) =>
                    (task < at ? kept[side] : now[side])));
                  const matrix = [0, 1].map(() => Array(tasks).fill(Array(tasks).fill(1)));
                  const found = { at, done, left: done, accuracy: right, matrix,
                    more: at < tasks - 1, broken: [broken, broken],
                    scene: [{ images: tasks === 5 ? [1] : null }] };
                  words.add(sentence(found, { method, rate }));
                  if (at >= 0 && at < 2) {
                    TOUR.forEach((step) => words.add(outcome(step, found, { method, rate })));
                  }
                }
              }
            }
          }
        }
      }
    }
  }
  const said = document.querySelector(".si-said"), fig = document.querySelector(".si-fig");
  fig.style.width = width;
  said.textContent = "";
  const room = said.offsetHeight, long = [];
  for (const text of words) {
    said.textContent = text;
    if (said.offsetHeight > room) long.push(text);
  }
  return [words.size, long, [...words]];
}"""


@pytest.mark.parametrize("width", ["", "320px"])
def test_every_message_fits_the_room_that_is_kept_for_it(opened, look, width):
    if width and look.viewport_size["width"] > 600:
        pytest.skip("the same on any page")
    opened(Playground())
    look.wait_for_function("() => document.querySelector('.si-said').textContent")
    texts = [bundle(FOLDER / f"kit/{name}.js") for name in ("verdict", "tour")]
    count, long, words = look.evaluate(SENTENCES, [*texts, width])
    assert count > 60 and long == []
    assert not [text for text in words if re.search(r"undefined|NaN|\[object| {2}|,\.|\.\.", text)]
    for start in ("Too weak", "Too strong", "Unstable", "Too slow"):
        assert [text for text in words if start in text]


def test_no_label_of_any_picture_is_cut_off(opened, look):
    figure = opened(Playground(speed="fast"))
    figure.get_by_role("button", name="3 Remember").click()
    figure.locator(".si-said", has_text="Task 1:").wait_for(timeout=60_000)
    assert look.evaluate(CUT) == []
    rank = figure.locator("input[name=synapse]")
    labels = set()
    for place in range(1, int(rank.get_attribute("max")) + 1, 4):
        account = figure.locator(".play-account")
        old = account.text_content()
        rank.evaluate("(n, k) => { n.value = k; n.dispatchEvent(new Event('input')); }", place)
        account.filter(has_not_text=re.compile(f"^{re.escape(old)}$")).wait_for()
        assert look.evaluate(CUT) == []
        labels |= set(figure.locator(".play-inside text").all_text_contents())
    assert any(re.fullmatch(r"0\.0\d+|\d.*e−\d+", label) for label in labels)
