"""What a live figure says follows from its numbers, in every mode; one name has one number."""

import re

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
    pooled, average = re.search(r"comes out as (\S+) when all starts are pooled, and as (\S+) on",
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
    for log_batch in (1.0, 5.0, 10.0):
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
    numbers = figure.locator("svg").nth(1).locator("text").all_inner_texts()
    assert {"0", "1", "15"} <= {text.strip() for text in numbers}
