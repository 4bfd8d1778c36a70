"""The live figures stand still: nothing jumps, nothing leaves its frame, marks are where they say.

Here "layout" is where every part of a figure is, relative to its top.
"""

import io
import re

import numpy as np
import pytest
from live_figures import FIGURES, RECORDS, TARGETS, looks
from matplotlib.image import imread

from si_tutorial.experiments import store
from si_tutorial.explorables.published import summaries

NAMES = sorted(FIGURES)
ONCE, BOTH = looks("wide"), looks("wide", "phone")
LAYOUT = """(figure) => {
  const top = figure.getBoundingClientRect();
  return [...figure.querySelectorAll(".si-fig, .si-fig *:not(svg, svg *, style)")]
    .filter((node) => node.getClientRects().length && !node.parentNode.closest(
      ".si-said, .si-goal, .si-track, .si-row, .si-more .si-choice, .si-spare"))
    .map((node) => {
      const box = node.getBoundingClientRect();
      const place = [box.x - top.x, box.y - top.y, box.width, box.height];
      return `${node.tagName} ${node.className}: ${place.map((v) => v.toFixed(1))}`;
    }).concat(["whole: " + top.height.toFixed(1)]);
}"""
ASTRAY = """(figure) => [...figure.querySelectorAll("svg")].flatMap((svg) => {
  const frame = svg.querySelector(":scope > g > .si-frame");
  if (!frame || !frame.getClientRects().length) return [];
  const edge = frame.getBoundingClientRect(), spare = 1;
  const out = ({ left, right, top, bottom }) => left < edge.left - spare
    || right > edge.right + spare || top < edge.top - spare || bottom > edge.bottom + spare;
  const marked = [...svg.querySelectorAll(".si-inside circle")]
    .filter((c) => c.r.baseVal.value >= 5).filter((c) => {
      const { left, right, top, bottom } = c.getBoundingClientRect();
      const [x, y] = [(left + right) / 2, (top + bottom) / 2];
      return out({ left: x, right: x, top: y, bottom: y });
    });
  const words = [...svg.querySelectorAll(".si-words text")]
    .filter((t) => t.getBoundingClientRect().top < edge.bottom - 2
                   && out(t.getBoundingClientRect()));
  const grips = [...svg.querySelectorAll(".si-grip")].filter((g) => g.getClientRects().length
    && out(g.getBoundingClientRect()));
  return [...marked, ...words, ...grips].map((node) => node.outerHTML);
})"""
EXPONENT = re.compile(r"\d[eE][+-]?\d")


def said(figure):
    """All numbers that readers are told: readouts, bars, sentences, words of the drawing."""
    return figure.evaluate("""f => [...f.querySelectorAll("output, td, p, text, [aria-label]")]
      .flatMap((n) => [n.ariaLabel ?? "", n.ariaValueText ?? "", n.children.length ? ""
        : n.textContent])""")


def same_layout(before, after):
    assert [pair for pair in zip(before, after, strict=True) if pair[0] != pair[1]] == []


@BOTH
@pytest.mark.parametrize("name", NAMES)
def test_nothing_moves_when_the_target_is_reached(name, opened, look):
    figure, _ = opened(name)
    goal, before, flips = figure.locator(".si-goal"), figure.evaluate(LAYOUT), 0
    for where, keys in TARGETS[name]:
        figure.locator(where).first.focus()
        for key in keys.split():
            key, _, times = key.partition("*")
            for _ in range(int(times or 1)):
                look.keyboard.press(key)
                if goal.get_attribute("data-reached") == "true" and not flips:
                    flips += 1
                    same_layout(before, figure.evaluate(LAYOUT))
                before = figure.evaluate(LAYOUT)
    if not flips:  # it was reached by something that moves by itself
        figure.locator(".si-goal[data-reached=true]").wait_for(timeout=5000)
        same_layout(before, figure.evaluate(LAYOUT))


@BOTH
@pytest.mark.parametrize("name", NAMES)
def test_at_both_ends_of_every_control_nothing_moves_or_goes_astray(name, opened, look):
    figure, _ = opened(name)
    start = figure.evaluate(LAYOUT)
    for control in figure.locator("input, .si-handle").all():
        ends = {"range": ["Home", "End"], "radio": ["Space"], "checkbox": ["Space", "Space"]}.get(
            control.get_attribute("type"),
            [f"Shift+{key}" for key in ("ArrowUp", "ArrowRight", "ArrowDown", "ArrowLeft")])
        for key in ends:
            control.focus()
            for _ in range(10 if key.startswith("Shift") else 1):
                look.keyboard.press(key)
            assert figure.evaluate(ASTRAY) == [], key
            assert [words for words in said(figure) if EXPONENT.search(words)] == []
            same_layout(start, figure.evaluate(LAYOUT))


@BOTH
@pytest.mark.parametrize("experiment", ["split-mnist", "permuted-mnist-small"])
def test_no_choice_of_a_published_run_moves_anything(experiment, opened, look):
    runs = summaries(store.published(experiment))
    figure, _ = opened("method_explorer", runs=runs)
    start = figure.evaluate(LAYOUT)
    names = ("scenario", "method", "strength", "damping")
    settings = {tuple(run[name] for name in names) for run in runs}
    for setting in sorted(settings, key=str)[::3]:
        for name, value in zip(names, setting, strict=True):
            word = "null" if value is None else figure.evaluate("(_, v) => String(v)", value)
            figure.locator(f"input[data-name={name}][value='{word}']").evaluate_all(
                "all => all[0]?.click()")
        assert figure.locator("input[data-name=method]:checked").get_attribute(
            "value") == setting[1]
        same_layout(start, figure.evaluate(LAYOUT))


@ONCE
@pytest.mark.parametrize(("name", "others"), [
    ("draw_a_path", ["coupling"]), ("quadratic_bowl", ["tilt", "curvature", "log_damping"]),
    ("more_starts", ["tilt"]), ("noise_meets_itself", ["beta1"])])
def test_a_target_is_not_reached_by_a_control_that_it_does_not_name(name, others, opened, look):
    figure, _ = opened(name)
    for control in others:
        slider = figure.locator(f"input[name={control}]")
        slider.press("Home")
        for _ in range(int(slider.evaluate("s => (s.max - s.min) / s.step")) + 1):
            slider.press("ArrowRight")
            assert figure.locator(".si-goal").get_attribute("data-reached") == "false"


def thumb(slider):
    """The middle of a slider's thumb, in pixels from its left, by what is seen of it."""
    pixels = imread(io.BytesIO(slider.screenshot()))[:, :, :3]
    above = pixels[len(pixels) // 2 - 5]  # a row that crosses the thumb, but not the track
    columns = np.flatnonzero(np.abs(above - above[-1]).sum(1) > 0.3)
    if len(columns) == 0 or columns[-1] > len(above) - 3:  # it stands at the right end
        columns = np.flatnonzero(np.abs(above - above[0]).sum(1) > 0.3)
    return columns.mean() + 0.5


@BOTH
@pytest.mark.parametrize("name", [n for n in NAMES if n not in ("method_explorer", "flipbook")])
def test_a_mark_and_its_notch_stand_under_the_thumb(name, opened, look):
    figure, _ = opened(name)
    for mark in figure.locator(".si-marks button").all():
        slider = mark.locator("xpath=ancestor::*[@class='si-slider']//input")
        mark.press("Enter")
        look.mouse.move(0, 0)
        notch, button, whole = (where.bounding_box() for where in (
            mark.locator("xpath=preceding-sibling::i[1]"), mark, slider))
        middle = np.floor(whole["x"]) + thumb(slider)
        assert abs(notch["x"] + notch["width"] / 2 - middle) <= 1
        assert button["x"] <= middle <= button["x"] + button["width"]
        assert button["x"] >= whole["x"] - 1
        assert button["x"] + button["width"] <= whole["x"] + whole["width"] + 1
        room = min(middle - whole["x"], whole["x"] + whole["width"] - middle)
        if room >= button["width"] / 2:
            assert abs(button["x"] + button["width"] / 2 - middle) <= 1


@ONCE
@pytest.mark.parametrize("experiment", ["split-mnist", "permuted-mnist-small"])
def test_no_two_methods_look_alike(experiment, opened, look):
    figure, _ = opened("method_explorer", runs=summaries(store.published(experiment)))
    bars = figure.locator(".si-track span").evaluate_all(
        "bars => bars.map((bar) => bar.style.background)")
    assert len(bars) > 5 and len(set(bars)) == len(bars)
    assert all("--si-text" not in bar for bar in bars)


@ONCE
def test_a_question_asks_for_nothing_that_cannot_be_chosen(opened, look):
    for runs, asks in ((RECORDS, True), ([r for r in RECORDS if r["scenario"] == "task"], False)):
        figure, _ = opened("method_explorer", runs=summaries(runs))
        assert ("scenario" in figure.locator(".si-question").inner_text()) == asks
        assert figure.get_by_text("scenario", exact=True).is_visible() == asks


@ONCE
def test_bars_stay_to_be_seen_beside_one_that_is_far_longer(opened, look):
    figure, _ = opened("more_starts")
    for _ in range(10):
        figure.get_by_role("button", name="Draw 100 more").press("Enter")
    widths = [bar.bounding_box()["width"] for bar in figure.locator(".si-track span").all()]
    assert min(widths) > 15 and figure.locator(".si-beyond").count() == 1


@BOTH
def test_a_dragged_point_has_no_frame_round_it_and_a_focused_one_has_a_ring(opened, look):
    figure, _ = opened("quadratic_bowl")
    handle = figure.locator(".si-handle")
    seen = """h => [getComputedStyle(h).outlineColor, getComputedStyle(h).outlineStyle,
                    getComputedStyle(h.querySelector(".si-halo")).stroke]"""
    handle.scroll_into_view_if_needed()
    grip = handle.locator(".si-grip").bounding_box()
    look.mouse.move(grip["x"] + grip["width"] / 2, grip["y"] + grip["height"] / 2)
    look.mouse.down()
    look.mouse.move(grip["x"] - 40, grip["y"] + 20, steps=3)
    color, style, ring = handle.evaluate(seen)
    look.mouse.up()
    assert style == "none" and ring == "none"
    assert handle.evaluate("h => document.activeElement === h")  # arrow keys go on from here
    look.keyboard.press("ArrowLeft")
    handle.evaluate("h => h.blur()")
    look.keyboard.press("Tab")
    handle.focus()
    color, style, ring = handle.evaluate(seen)
    assert ring != "none" and color == "rgba(0, 0, 0, 0)"
