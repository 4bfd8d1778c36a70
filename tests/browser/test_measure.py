"""What measures the pages finds each fault on a page made of faults, and none on a good one."""

from pathlib import Path

import pytest

MEASURE = Path(__file__).with_name("measure.js").read_text(encoding="utf-8")
STYLE = """<style>body { margin: 0; font: 16px/1.5 sans-serif; background: #121212; color: #eee }
article { max-width: 600px } .edge { overflow-x: auto; background: linear-gradient(red, blue) }
@media print { pre { white-space: pre-wrap } details::details-content {
  content-visibility: visible; display: block; height: auto } }
:focus-visible { outline: 2px solid }</style>"""
PAGE = """<!doctype html><html lang="{lang}"><head><title>t</title>{style}</head><body>
<nav aria-label="pages"></nav><main><article class="bd-article">{body}</article></main>
<footer></footer></body></html>"""
GOOD = """<h1>Title</h1><p>Words, and <a href="#x">a link</a>.</p><h2 id="x">Part</h2>
<figure class="si-figure"><div role="img" aria-label="one two three four five six">
<svg width="100" height="20"><text y="15" font-size="12">text</text></svg></div></figure>
<div class="cell_input"><pre>short code</pre></div>
<details><summary>More</summary><p>An answer.</p></details>"""
WIDE = "x" * 300
FAULTS = {
    "structure": ["<h2>First</h2>", "<h1>A</h1><h3>B</h3>", "<h1>A</h1><h1>B</h1>"],
    "raw": ["<h1>A</h1><p>{glue:text}`x`</p>", "<h1>A</h1><p>$$x$$</p>"],
    "codeFirst": ["<div class='cell_input'><pre>x</pre></div>" + GOOD],
    "wordless": ["<svg width='20' height='20'></svg>", "<div role='img' aria-label='a plot'>"
                 "<svg width='20' height='20'></svg></div>",
                 "<img src='data:,' width='20' height='20' alt='one two three four five a.png'>"],
    "cutOff({mayScroll: true})": [f"<pre style='overflow-x: hidden'>{WIDE}</pre>",
                                  f"<pre style='overflow-x: auto'>{WIDE}</pre>"],
    "cutOff({mayScroll: false})": [f"<pre class='edge'>{WIDE}</pre>"],
    "sticksOut": [f"<p>{WIDE}</p>", "<div style='width: 2000px'>wide</div>"],
    "small": ["<p style='font-size: 10px'>small</p>",
              "<svg viewBox='0 0 200 20' width='100'><text y='15' font-size='20'>fine</text>"
              "<text font-size='20' transform='scale(0.5) rotate(-90)'>turned</text></svg>"],
    "cards": ["<div style='background: white; width: 300px; height: 90px'>card</div>"],
    "focusless": ["<button style='outline: none'>press</button>"],
    "unprinted": ["<style>details::details-content { display: none !important }</style>" + GOOD,
                  f"<pre style='white-space: pre !important; overflow: auto'>{WIDE}</pre>"],
}


@pytest.fixture(scope="module")
def look(browser):
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield context.new_page()
    context.close()


def found(look, body, what, lang="en"):
    look.emulate_media(media="print" if what == "unprinted" else "screen")
    look.set_content(PAGE.format(style=STYLE, body=body, lang=lang))
    look.evaluate(MEASURE)
    look.keyboard.press("Tab")
    return look.evaluate(f"measure.{what if '(' in what else what + '()'}")


@pytest.mark.parametrize("what", FAULTS)
def test_a_good_page_has_no_fault(look, what):
    assert found(look, GOOD, what) == []


@pytest.mark.parametrize(("what", "body"),
                         [(what, body) for what, bodies in FAULTS.items() for body in bodies])
def test_a_fault_is_found(look, what, body):
    assert found(look, body, what) != []


def test_what_scrolls_with_an_edge_may_do_so_where_the_page_is_narrow(look):
    assert found(look, f"<pre class='edge'>{WIDE}</pre>", "cutOff({mayScroll: true})") == []


def test_a_page_without_a_language_is_a_fault(look):
    assert found(look, GOOD, "structure", lang="") == ["no language"]


def test_folds_open_and_close_again(look):
    found(look, GOOD, "raw")
    look.evaluate("measure.unfold()")
    assert look.locator("details p").is_visible()
    look.evaluate("measure.fold()")
    assert not look.locator("details p").is_visible()
