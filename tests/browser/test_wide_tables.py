"""On a phone a table that is cut shows below its last row that it goes on; others do not.

The page is made here, with the style sheet of the book.
"""

import io

import pandas as pd
import pytest
from PIL import Image
from test_book import ROOT

from si_tutorial import tables

CSS = (ROOT / "_static/book.css").read_text(encoding="utf-8")
PAGE = """<!doctype html><html data-theme="{theme}"><style>:root {{
  --pst-color-background: {ground}; --pst-color-border: gray }} body {{ margin: 0;
  background: {ground} }} {css}</style><article class="bd-article">{table}</article></html>"""


def hint(page):
    """How many colours there are in the strip below a table's last row.

    Without the edges, whose shadows are another hint.
    """
    box = page.locator(".si-scroll").bounding_box()
    strip = {"x": box["x"] + 14, "y": box["y"] + box["height"] - 14, "width": box["width"] - 28,
             "height": 12}
    return len(Image.open(io.BytesIO(page.screenshot(clip=strip))).getcolors())


@pytest.fixture(params=["light", "dark"])
def shown(browser, request):
    """Shows a table of so many columns; returns the page."""
    page = browser.new_page()

    def show(columns, width=390):
        frame = pd.DataFrame([range(1000, 1000 + columns)])
        page.set_viewport_size({"width": width, "height": 300})
        page.set_content(PAGE.format(
            theme=request.param, ground="#fff" if request.param == "light" else "#121212",
            css=CSS, table=tables.show(frame, "Numbers.")._repr_html_()))
        return page

    yield show
    page.close()


def test_arrows_say_that_columns_follow_until_the_last_is_reached(shown):
    page = shown(columns=20)
    assert hint(page) > 2
    page.locator(".si-scroll").evaluate("e => { e.scrollLeft = 200 }")
    assert hint(page) > 2
    page.locator(".si-scroll").evaluate("e => { e.scrollLeft = 9999 }")
    assert hint(page) == 1


def test_there_is_no_arrow_where_all_columns_are_seen(shown):
    assert hint(shown(columns=3)) == 1


def test_neither_a_wide_screen_nor_paper_has_arrows(shown):
    for width, medium in ((1000, "screen"), (390, "print")):
        page = shown(columns=40, width=width)
        page.emulate_media(media=medium)
        image = page.locator(".si-scroll").evaluate("e => getComputedStyle(e).backgroundImage")
        assert "svg" not in image
