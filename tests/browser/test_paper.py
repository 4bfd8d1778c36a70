"""On paper: the cheat sheet fits on one sheet, and what a PDF would cut off is named."""

import re
import sys

import pytest
from scripts import script
from test_book import HTML, ROOT

sys.path.insert(0, str(ROOT / "tools"))


def count(pdf):
    """The pages of a PDF as Chromium writes it."""
    return pdf.count(b"/Type /Page\n")


@pytest.mark.built
@pytest.mark.parametrize("paper", ["A4", "Letter"])
def test_the_cheat_sheet_is_one_sheet(browser, paper):
    page = browser.new_page()
    page.goto((HTML / "book/cheat_sheet.html").as_uri())
    page.evaluate("() => MathJax.startup.promise")
    assert count(page.pdf(format=paper)) == 1
    page.set_viewport_size({"width": 700, "height": 900})
    page.emulate_media(media="print")
    sizes = page.evaluate("""() => [...document.querySelectorAll("#cheat-sheet :is(p, li, pre)")]
      .map((e) => parseFloat(getComputedStyle(e).fontSize))""")
    assert min(sizes) >= 9.5  # CSS pixels: 7 points
    page.close()


LONG = "A heading that wraps on paper" + 20 * " since it is long"
WIDE = '<article class="bd-article"><div class="page" id="a">{}</div></article>'


@pytest.mark.parametrize(("part", "cut"), [
    ("<p>short</p>", False), ("<pre>short</pre>", False),
    ('<pre style="overflow: hidden">' + 200 * "x" + "</pre>", True),
    ('<table style="width: 900px"><tr><td>x</td></tr></table>', True),
    ('<table style="table-layout: fixed; width: 90px"><td>' + 50 * "x" + "</td></table>", True),
    ('<svg width="900" height="9"></svg>', True),
    ('<details><summary>s</summary><pre style="overflow: hidden">' + 200 * "x" + "</pre></details>",
     False)])
def test_what_paper_cuts_off_is_named(browser, part, cut):
    pdf = script("tools/pdf.py")
    page = browser.new_page(viewport={"width": pdf.WIDTH, "height": 900})
    page.set_content(WIDE.format(part))
    found = page.evaluate(pdf.CUT)
    assert bool(found) == cut and all(name.startswith("a ") for name in found)
    page.close()


def test_pages_link_to_the_pdf_once(tmp_path):
    pdf = script("tools/pdf.py")
    (tmp_path / "book").mkdir()
    page = tmp_path / "book" / "x.html"
    page.write_text('<div class="extra_footer">\n  Text.</div>')
    pdf.link(tmp_path)
    once = page.read_text()
    assert once.count(f'href="../{pdf.NAME}"') == 1 and once.endswith("Text.</div>")
    pdf.link(tmp_path)
    assert page.read_text() == once


def test_a_printed_page_has_bookmarks_and_numbers(browser, tmp_path):
    pdf = script("tools/pdf.py")
    page = browser.new_page()
    page.set_content('<script>MathJax = {startup: {promise: Promise.resolve()}}</script>'
                     + f"<style>{(ROOT / '_static/book.css').read_text()}</style>"
                     + WIDE.format(f"<h1>First</h1><p>x</p><h2>{LONG}</h2>"))
    assert pdf.printed(page, tmp_path / "x.pdf") == []
    data = (tmp_path / "x.pdf").read_bytes()
    assert b"/StructTreeRoot" in data
    assert {b"First", LONG.encode()} <= set(re.findall(rb"/Title \((.*)\)", data))
    page.close()
