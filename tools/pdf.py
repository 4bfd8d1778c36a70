"""Print the built book as one PDF, and link to it from its pages: `make pdf`.

The pages are put on one, in a copy, and printed by the Chromium that the tests use, after MathJax
has set the formulas and the live figures have drawn themselves: what is printed of these is their
picture. Anything that the paper would cut off is an error, by name.
"""

import re
import shutil
import sys
from pathlib import Path

from one_page import ROOT, one_page
from playwright.sync_api import sync_playwright

HTML = ROOT / "_build" / "html"
COPY = ROOT / "build" / "pdf"
NAME = "synaptic-intelligence.pdf"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
FOOT = re.compile(r'(<div class="extra_footer">\s*)(?:<a class="pdf".*?</a> )?')
WIDTH = 718  # CSS pixels between the margins of an A4 page
MARGINS = {"top": "12mm", "bottom": "17mm", "left": "10mm", "right": "10mm"}
FOOTER = """<div style="width: 100%; text-align: center; font: 8pt sans-serif; color: #444">
<span class="pageNumber"></span></div>"""
READY = """async () => {
  await MathJax.startup.promise;
  const blank = (canvas) => !canvas.getContext("2d").getImageData(
    0, 0, canvas.width, canvas.height).data.some((value) => value);
  const drawn = (figure) => figure.querySelector("svg, canvas, img, table")
    && ![...figure.querySelectorAll("canvas")].some((canvas) => canvas.width && blank(canvas));
  for (const figure of document.querySelectorAll("div[id].si-explorable")) {
    figure.scrollIntoView();  // some draw themselves only when they are seen
    while (!drawn(figure)) await new Promise((again) => setTimeout(again, 100));
  }
  for (const heading of document.querySelectorAll(".si-explorable :is(h2, h3, h4)"))
    heading.role = "presentation";  // a figure's captions are no bookmarks
  await Promise.all([...document.images].map((image) => image.decode().catch(() => {
    throw new Error(`no picture: ${image.src.slice(0, 80)}`); })));
}"""
CUT = """() => {
  const text = document.querySelector(".bd-article");
  const right = text.getBoundingClientRect().right + 1;
  const name = (e) => `${e.closest(".page, .front, .all-pages").id} ${e.tagName.toLowerCase()} `
    + `“${e.textContent.trim().replace(/\\s+/g, " ").slice(0, 60)}”`;
  const part = "pre, table, img, canvas, svg, figure, mjx-container, p, li, dt, dd";
  const tooWide = (e) => e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 1
    && (e.matches("td, th, dt") || getComputedStyle(e).overflowX !== "visible");
  return [...text.querySelectorAll(`${part}, td, th`)].filter((e) => e.checkVisibility()
    && (e.getBoundingClientRect().right > right || tooWide(e))).map(name);
}"""


def printed(page, file: Path) -> list[str]:
    """Print what the browser shows into `file`; tells what the paper cuts off."""
    page.set_viewport_size({"width": WIDTH, "height": 1000})
    page.evaluate(READY)
    page.emulate_media(media="print")
    cut = page.evaluate(CUT)
    page.pdf(path=file, format="A4", margin=MARGINS, print_background=True, outline=True,
             tagged=True, display_header_footer=True, header_template="<span></span>",
             footer_template=FOOTER)
    return cut


def link(html: Path):
    """Every page names the PDF below its text."""
    for path in html.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        up = "../" * (len(path.relative_to(html).parts) - 1)
        words = f'<a class="pdf" href="{up}{NAME}">The whole book as a PDF.</a> '
        path.write_text(FOOT.sub(rf"\g<1>{words}", text), encoding="utf-8")


def main() -> int:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        print("no Chromium on this machine, which prints the book: install the package chromium")
        return 1
    shutil.rmtree(COPY, ignore_errors=True)
    shutil.copytree(HTML, COPY)
    whole = COPY / "book" / "whole.html"
    whole.write_text(one_page(COPY), encoding="utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page(color_scheme="light")
        page.goto(whole.as_uri(), timeout=120_000)
        page.set_default_timeout(300_000)
        cut = printed(page, COPY / NAME)
        browser.close()
    for what in cut:
        print(f"cut off on paper: {what}")
    shutil.copy(COPY / NAME, HTML / NAME)
    link(HTML)
    print(f"The PDF: {(HTML / NAME).relative_to(ROOT)}")
    return len(cut) > 0


if __name__ == "__main__":
    sys.exit(main())
