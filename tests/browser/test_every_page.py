"""Every built page, opened once from disk, measured at both widths, in both colours, on paper."""

from pathlib import Path

import pytest
from axe_playwright_python.base import AXE_FILE_PATH
from test_book import HTML, pages

pytestmark = pytest.mark.built

MEASURE = Path(__file__).with_name("measure.js").read_text(encoding="utf-8")
LOOKS = [(width, scheme) for width in (1280, 390) for scheme in ("light", "dark")]
PAPER = 718  # CSS pixels between the margins of an A4 page
AXE = """axe.run(document, {resultTypes: ["violations"], preload: false}).then(
  ({violations}) => violations.filter((v) => ["serious", "critical"].includes(v.impact)).flatMap(
    (v) => v.nodes.map((n) => `${v.id}: ${n.html.slice(0, 120)} ${n.failureSummary}`)))"""
EXTRA = ["search", "genindex"]  # pages that Sphinx adds


def opened(browser, path):
    """The page with everything on it drawn, and what it asked for and complained of."""
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    faults = []
    page.on("console", lambda m: faults.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda request: None if request.url.startswith(("file:", "data:", "blob:"))
            else faults.append(f"asks another host: {request.url}"))
    page.goto(path.as_uri(), wait_until="load")
    page.wait_for_function("() => !window.MathJax || !!MathJax.startup?.promise")
    page.evaluate("() => window.MathJax?.startup?.promise")
    page.evaluate(MEASURE)
    page.add_style_tag(content="* { transition: none !important; animation: none !important }")
    page.evaluate(AXE_FILE_PATH.read_text(encoding="utf-8"))
    return page, faults


def measured(page):
    """Faults by what was measured, everything unfolded, in every look and on paper."""
    found = {}

    def ask(what, look="", argument=""):
        found.setdefault(what, []).extend(
            f"{look}: {fault}" for fault in page.evaluate(f"measure.{what}({argument})"))

    page.keyboard.press("Tab")  # from here on the focus is shown
    for what in ("structure", "raw", "codeFirst"):
        ask(what)
    page.evaluate("measure.unfold()")
    page.evaluate("dispatchEvent(new Event('resize'))")
    ask("wordless")
    for width, scheme in LOOKS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        page.wait_for_function(f"document.documentElement.dataset.theme === '{scheme}'")
        look = f"{width} {scheme}"
        if scheme == "light":
            ask("cutOff", look, f"{{mayScroll: {'true' if width < 1000 else 'false'}}}")
            ask("sticksOut", look)
            ask("small", look)
        else:
            ask("cards", look)
        if width > 1000 or scheme == "light":
            found.setdefault("axe", []).extend(f"{look}: {f}" for f in page.evaluate(AXE))
    ask("focusless")
    return found


def on_paper(page):
    """What would not be printed; the folds are as a reader finds them."""
    page.evaluate("measure.fold()")
    page.set_viewport_size({"width": PAPER, "height": 1000})
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    return page.evaluate("measure.unprinted()")


@pytest.fixture(scope="module", params=pages())
def faults(request, browser):
    page, complaints = opened(browser, HTML / f"{request.param}.html")
    found = {**measured(page), "paper": on_paper(page), "complaints": complaints}
    page.context.close()
    return found


@pytest.mark.parametrize("what", [
    "complaints", "structure", "raw", "codeFirst", "wordless", "cutOff", "sticksOut", "small",
    "cards", "axe", "focusless", "paper"])
def test_a_page_has_no_fault(faults, what):
    assert faults[what] == []


@pytest.mark.parametrize("name", EXTRA)
def test_the_pages_that_are_added_can_be_used_by_all(browser, name):
    page, complaints = opened(browser, HTML / f"{name}.html")
    assert complaints == []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.wait_for_function(f"document.documentElement.dataset.theme === '{scheme}'")
        assert page.evaluate(AXE) == []
    page.context.close()


def test_the_page_for_a_wrong_address_stands_alone_and_leads_back(browser):
    page, complaints = opened(browser, HTML / "404.html")
    assert complaints == []
    assert page.evaluate(AXE) == []
    hrefs = page.locator("a").evaluate_all("links => links.map((a) => a.getAttribute('href'))")
    assert len(hrefs) == len(pages()) + 1 and len({h.split("/")[1] for h in hrefs}) == 1
    assert all((HTML / href.split("/", 2)[2]).is_file() for href in hrefs)
    page.context.close()
