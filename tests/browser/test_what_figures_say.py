"""What a live figure says follows from its numbers, in every mode; one name has one number."""

import re

import numpy as np
import pytest
from live_figures import looks

ONCE, BOTH = looks("wide"), looks("wide", "phone")


def told(figure):
    return figure.locator(".si-said").inner_text().replace("\u00a0", " ")


def bar(figure, key):
    return figure.locator(f"td[data-what='{key}']").inner_text()


# more starts


@ONCE
@pytest.mark.parametrize("traits", [
    {}, {"hundreds": 3}, {"hundreds": 60}, {"hundreds": 2, "tilt": 0.0},
    {"hundreds": 9, "damping": 1, "tilt": 90.0}], ids=str)
def test_an_average_has_one_number_in_words_and_bar(traits, opened, look):
    figure, _ = opened("more_starts", **traits)
    pooled, average = re.search(r"quotient of means is (\S+) and the mean of quotients (\S+)\. ",
                                told(figure)).groups()
    assert (pooled, average) == (bar(figure, "pooled"), bar(figure, "average"))
    assert ("agree" in told(figure)) == (pooled == average)


@ONCE
def test_each_press_leads_towards_the_start_that_counts_for_half(opened, look):
    figure, _ = opened("more_starts")
    drawn = figure.get_by_role("button", name="Draw 100 more")
    shares = []
    for _ in range(3):
        found = re.search(r"(\d+) %", told(figure))
        shares.append(int(found[1]))
        drawn.press("Enter")
    assert shares == sorted(shares) and shares[0] < 20 < shares[1] < 50 < shares[2]


# noise meets itself

RED = """f => [...f.querySelectorAll("svg")].flatMap((svg) => [...svg.querySelectorAll("rect")])
  .some((bar) => bar.getAttribute("fill") === "var(--si-red)" && bar.getBBox().height > 0)"""


@ONCE
@pytest.mark.parametrize("partner", ["same", "next", "independent"])
@pytest.mark.parametrize("beta1", [0.0, 0.9])
def test_noise_is_called_never_negative_only_where_no_bar_is(partner, beta1, opened, look):
    for log_batch in (1, 5, 10):
        figure, _ = opened("noise_meets_itself", partner=partner, beta1=beta1,
                           log_batch=log_batch)
        red = figure.evaluate(RED)
        assert ("never negative" in told(figure)) == (partner == "same" and beta1 == 0)
        assert not (red and "never negative" in told(figure))
        if partner != "independent":
            assert ("red bars" in told(figure)) == red
        marked = figure.locator("svg text").get_by_text("critical").count()
        assert marked == (partner == "same")


@ONCE
def test_less_noise_looks_like_less(opened, look):
    figure, _ = opened("noise_meets_itself")
    wide = [bar.bounding_box()["width"] for bar in figure.locator(".si-track span").all()]
    figure.locator("input[name=log_batch]").press("ArrowRight")
    claimed, true = (bar.bounding_box()["width"] for bar in figure.locator(".si-track span").all())
    assert claimed < 0.75 * wide[0] and true == wide[1]
    numbers = figure.locator("svg:not(.si-inside)").nth(1).locator("text").all_text_contents()
    assert {"0", "1", "15"} <= {text.strip() for text in numbers}


# the bowl, the best c, a path

COVERED = """f => {
  const svg = f.querySelector("svg"), path = [...svg.querySelectorAll(".si-inside polyline")]
    .filter((line) => line.getAttribute("stroke-width") === "3")[0];
  const shown = svg.querySelector(".si-inside").getScreenCTM();
  return [...svg.querySelectorAll(".si-words text")].filter((text) => {
    const box = text.getBoundingClientRect();
    return [...path.points].some((p) => {
      const at = p.matrixTransform(shown);
      return at.x > box.left + 2 && at.x < box.right - 2 && at.y > box.top + 3
        && at.y < box.bottom - 4;
    });
  }).map((text) => text.textContent);
}"""


@ONCE
def test_no_word_of_the_bowl_lies_on_the_path(opened, look):
    figure, _ = opened("quadratic_bowl")
    start = figure.locator("input[name=start]")
    for degrees in range(0, 360, 9):
        start.evaluate("(s, v) => { s.value = v; s.dispatchEvent(new Event('input')); }", degrees)
        assert figure.evaluate(COVERED) == [], degrees


@ONCE
def test_a_larger_quotient_has_a_longer_bar_and_the_sentence_its_number(opened, look):
    widths = []
    for start in (50.0, 70.0, 85.0, 89.0):  # weight 1 has less and less to go
        figure, _ = opened("quadratic_bowl", start=start)
        widths.append(figure.locator(".si-track span").first.bounding_box()["width"])
        units = re.search(r"is (\S+) for weight 1 and (\S+) for weight 2\. ",
                          told(figure)).groups()
        assert units == (bar(figure, "quotient-1"), bar(figure, "quotient-2"))
    assert np.all(np.diff(widths) > 3)


@ONCE
def test_an_importance_that_is_nothing_but_rounding_is_zero(opened, look):
    figure, _ = opened("quadratic_bowl", start=0.0, tilt=90.0)
    assert bar(figure, "quotient-2") == "0"


@BOTH
def test_words_beside_the_springs_keep_apart(opened, look):
    figure, _ = opened("best_c", angle1=135.0, flat1=0.0)
    for power in (-2.0, -1.0, -0.5, 0.0, 0.5):
        figure.locator("input[name=log_strength]").evaluate(
            "(s, v) => { s.value = v; s.dispatchEvent(new Event('input')); }", power)
        boxes = [text.bounding_box() for text in figure.locator("svg").first.locator(
            ".si-words text").all()]
        for i, a in enumerate(boxes):
            for b in boxes[:i]:
                across = min(a["x"] + a["width"], b["x"] + b["width"]) - max(a["x"], b["x"])
                down = min(a["y"] + a["height"], b["y"] + b["height"]) - max(a["y"], b["y"])
                assert across < 2 or down < 4, power


@ONCE
def test_the_zero_of_the_shares_stays_where_it_is_and_the_area_shows_its_sign(opened, look):
    figure, _ = opened("draw_a_path")
    zeros = figure.locator(".si-zero").evaluate_all("z => z.map((one) => one.style.left)")
    signs = figure.locator("svg").first.locator("text").all_text_contents()
    assert "−" in signs and "+" not in signs and "−" in bar(figure, "area")
    for i in range(3):
        for _ in range(6):
            figure.locator(f".si-handle >> nth={i}").press("Shift+ArrowDown")
    assert zeros == figure.locator(".si-zero").evaluate_all("z => z.map((one) => one.style.left)")
    signs = figure.locator("svg").first.locator("text").all_text_contents()
    assert "+" in signs and "−" not in signs and "−" not in bar(figure, "area")


# three rulers


@ONCE
def test_the_rulers_that_cannot_order_weights_of_a_pixel_say_so(opened, look):
    figure, _ = opened("three_rulers")
    figure.locator("input[value=brightness]").press("Space")
    assert "nothing of their order" in told(figure)
    assert figure.locator("svg text").get_by_text("have no order").count() == 1
    figure.locator("input[value='√Fisher']").press("Space")
    assert "0.90" in told(figure) and "0.50" in told(figure)
    assert figure.locator("svg text").get_by_text("have no order").count() == 0
