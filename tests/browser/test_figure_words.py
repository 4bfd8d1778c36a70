"""What the live figures say and draw agrees: words with numbers, bars with one scale."""

import re

import pytest
from live_figures import looks, record

from si_tutorial.explorables.published import summaries

ONCE = looks("wide")
# the share of its track that each bar fills, beside its number; None where it ends in an arrow
BARS = """(figure) => [...figure.querySelectorAll("table.si-bars tr")].map((row) => {
  const bar = row.querySelector(".si-track span");
  return [Number(row.querySelector(".si-number").textContent),
          bar.classList.contains("si-beyond") ? null : parseFloat(bar.style.width)];
})"""


def drawn(figure):
    """The words in its drawings that are to be seen."""
    return figure.locator("svg:visible text").all_text_contents()


@ONCE
@pytest.mark.parametrize("name", ["account_steps", "best_c", "last_penalty", "square_of_mean",
                                  "two_bowls"])
def test_a_bar_has_the_same_scale_wherever_the_controls_stand(name, opened, look):
    figure, _ = opened(name)
    pairs = []

    def measured():
        pairs.extend(pair for pair in figure.evaluate(BARS) if pair[1] is not None)
    for slider in figure.locator("input[type=range]").all():
        for key in ("Home", "End", *["ArrowLeft"] * 3):
            slider.press(key)
            measured()
    for handle in figure.locator(".si-handle:visible").all():
        for key in ("ArrowUp", "ArrowLeft", "ArrowDown", "ArrowRight"):
            handle.press(f"Shift+{key}")
            measured()
    number, share = max(pairs)
    assert len({told for told, _ in pairs}) > 5
    for told, filled in pairs:  # as far as the digits tell
        assert abs(filled - told * share / number) < 0.1 + 0.006 * share / number, (told, filled)


@ONCE
@pytest.mark.parametrize("weights", [1, 2])
def test_end_and_best_place_have_one_label_only_where_they_are_one_place(weights, opened, look):
    for state in ({}, {"tilt": 0.0}, {"tilt": 0.0, "memory": "latest"}, {"memory": "posterior"},
                  {"m2x": 0.6, "m2y": 0.8}, {"m2x": 0.41, "m2y": 1.7}, {"tasks": 2}):
        figure, _ = opened("last_penalty", dimensions=weights, **state)
        said, words = figure.locator(".si-said").inner_text(), drawn(figure)
        away = re.search(r"ends (\d\.\d\d) away", said)
        assert ("the end is best for all" in words) == (away is None), said
        assert ("end" in words and "best for all" in words) == (away is not None), said
        assert away is None or float(away[1]) > 0
        number = figure.locator("td[data-what]").evaluate_all(
            "cells => Object.fromEntries(cells.map((c) => [c.dataset.what, c.textContent]))")
        excess = number[state.get("memory", "each")]
        assert excess == "0.000" if away is None else f"{excess} higher" in said


@ONCE
def test_the_way_of_the_weights_strikes_through_no_label(opened, look):
    for state in ({}, {"tilt": 0.0}, {"memory": "latest"}, {"m2x": 0.6, "m2y": 0.8},
                  {"m1x": 1.5, "m1y": 1.5}):
        figure, _ = opened("last_penalty", **state)
        struck = figure.evaluate("""f => {
          const way = f.querySelector(
            "svg polyline[stroke='var(--si-text)']:not([stroke-dasharray])");
          const matrix = way.getScreenCTM(), long = way.getTotalLength();
          const points = Array.from({ length: 200 },
            (_, i) => way.getPointAtLength(long * i / 199).matrixTransform(matrix));
          return [...way.closest("svg:not(.si-inside)").querySelectorAll(".si-words text")]
            .filter((words) => {
              const box = words.getBoundingClientRect();
              return points.some(({ x, y }) => x > box.left + 2 && x < box.right - 2
                && y > box.top + 3 && y < box.bottom - 3);
            }).map((words) => words.textContent);
        }""")
        assert struck == []


SPREAD = [record("SI", c, 1e-3, kept, seed=seed) for c, keeps in {
    0.01: (0.8, 0.82), 0.1: (0.93, 0.99), 1.0: (0.98, 0.985), 10.0: (0.981, 0.983)}.items()
    for seed, kept in enumerate(keeps)] + [
    {**record("SI", 100.0, 1e-3, 0.9), "accuracy": [[0.9] * 4] * 4},  # nothing forgotten
    record("SI", 1.0, 1e-2, 0.97, seed=0)]


@ONCE
def test_advice_on_a_setting_follows_from_its_numbers(opened, look):
    figure, _ = opened("strength_damping", runs=summaries(SPREAD))
    said, told = figure.locator(".si-said"), {}
    strength = figure.locator("input[name=log_strength]")
    for power in range(-2, 3):
        strength.fill(str(power))
        told[power] = said.inner_text().partition(".")[0]
        assert f"c = {10.0**power:g} " in said.inner_text()
    assert told[-2].startswith("Too weak") and told[2].startswith("Too strong")
    assert told[-1].startswith("Too weak")  # one of its seeds is best of all, its mean is not
    assert told[0].startswith("The highest mean")
    assert told[1].startswith("Too close to call")
    assert "settings have 1 or 2 seeds" in said.inner_text()


@ONCE
def test_the_slider_that_is_held_says_so(opened, look):
    figure, _ = opened("strength_damping")
    readouts = dict(zip(("strength", "damping"), figure.locator("output").all(), strict=True))
    figure.locator("input[name=log_strength]").fill("2")
    assert [r.inner_text() for r in readouts.values()] == ["100", "0.001, held here"]
    figure.locator("input[name=log_damping]").fill("-2")
    assert [r.inner_text() for r in readouts.values()] == ["1, held here", "0.01"]
    figure.locator("input[name=log_damping]").fill("-3")
    assert [r.inner_text() for r in readouts.values()] == ["1", "0.001"]


@ONCE
def test_the_distance_asked_for_stands_in_the_picture_from_the_start(opened, look):
    figure, _ = opened("two_bowls")
    assert "2.5 apart" in drawn(figure)
    figure.locator(".si-handle").first.press("Shift+ArrowRight")
    assert "2.5 apart" not in drawn(figure)
    words = figure.inner_text()
    assert "valley" not in words and "minim" not in words


@ONCE
def test_a_number_has_one_name_in_drawing_and_bars(opened, look):
    figure, _ = opened("square_of_mean")
    batch = figure.locator("input[name=log_batch]")
    for power in range(8):
        batch.fill(str(power))
        named = figure.locator("tr").evaluate_all(
            "rows => rows.map(({ cells }) => `${cells[0].textContent} ${cells[2].textContent}`)")
        assert len(named) == 2 and set(named) <= set(drawn(figure))


@ONCE
def test_the_account_begins_with_one_step_and_shows_the_next_one(opened, look):
    figure, _ = opened("account_steps")
    stacks = figure.locator(".si-panel svg .si-inside")
    highest = """svg => Math.max(...[...svg.querySelectorAll("rect")].map((r) =>
      r.getBoundingClientRect().height)) / svg.getBoundingClientRect().height"""
    scale = [t for t in drawn(figure) if t.isdigit()]
    before = stacks.evaluate("svg => [...svg.querySelectorAll('rect')].length")
    assert stacks.evaluate(highest) > 0.3
    figure.get_by_role("button", name="One step").press("Enter")
    assert stacks.evaluate("svg => [...svg.querySelectorAll('rect')].length") == before + 2
    figure.locator("input[name=steps]").press("End")
    assert [t for t in drawn(figure) if t.isdigit()] == scale  # the axis stands still
    figure.get_by_role("button", name="Start again").press("Enter")
    assert figure.locator("input[name=steps]").input_value() == "1"


@looks("wide", "phone")
def test_a_flipbook_shows_the_pages_of_one_setting_side_by_side(opened, look):
    figure, _ = opened("flipbook", beside="method", key=["little", "much"])
    images = figure.locator("img")
    assert images.count() == 2
    boxes = [image.bounding_box() for image in images.all()]
    assert boxes[0]["y"] == boxes[1]["y"] and boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"]
    assert all(figure.get_by_text(name, exact=True).is_visible()
               for name in ("SI", "EWC", "little", "much"))
    assert figure.locator("input[data-name=method]").count() == 0
    figure.locator("input[name=task]").press("End")
    assert [image.get_attribute("alt") for image in images.all()] == [
        f"four pixels made up for a test of {name}, task 3" for name in ("SI", "EWC")]
    said = figure.locator(".si-said").inner_text()
    assert "SI says about task 3" in said and "EWC says about task 3" in said
