"""What a live figure says follows from its numbers, in every mode; one name has one number."""

import json
import re

import pytest
from live_figures import looks, make

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
