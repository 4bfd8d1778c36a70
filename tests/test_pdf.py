"""The whole book on one page: names that cannot clash, links that stay, nothing that folds."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import one_page  # noqa: E402  (a tool, and no part of a package)

PAGES = {"book/a", "book/b", "genindex"}
PAGE = """<html><article class="bd-article">
<h1 id="top">A<a class="headerlink" href="#top">#</a></h1>
<details><summary>?</summary>an answer</details>
<details class="hide"><summary>Code</summary>folded code</details>
<details><details><summary>Its test</summary>
<div class="highlight-text">test</div></details></details>
<div class="admonition dropdown toggle">a solution</div>
<label for="x">x</label><input id="x"><svg><g id="mark"></g><use href="#mark"></use></svg>
<div class="si-explorable" id="figure-1"></div><script type="module">figure-1</script>
<script>other()</script><a href="b.html#top">b</a><a href="../_downloads/c.py">c</a>
</article></html>"""


@pytest.mark.parametrize(("href", "leads"), [
    ("#x", "#book/a:x"), ("b.html", "#book/b"), ("b.html#y", "#book/b:y"),
    ("../genindex.html#A", "#genindex:A"), ("https://a.org/b.html#y", "https://a.org/b.html#y"),
    ("../_downloads/z.py", None), ("c.html", None)])
def test_a_link_within_the_book_stays_within_it(href, leads):
    assert one_page.destination(href, "book/a", PAGES) == leads


def test_a_page_brings_its_text_but_nothing_that_folds_and_no_name_of_another_page():
    page = one_page.article(PAGE, "book/a", PAGES)
    assert page["id"] == "book/a" and page.h1["id"] == "book/a:top"
    assert all(fold.has_attr("open") for fold in page.find_all("details"))
    text = page.get_text()
    assert "an answer" in text and "folded code" not in text and "test" not in text
    assert page.select(".dropdown, .toggle") == [] and "a solution" in text
    assert page.label["for"] == page.input["id"] == "book/a:x"
    assert [link.get("href") for link in page.find_all("a")] == ["#book/a:top", "#book/b:top", None]


def test_pictures_and_live_figures_keep_the_names_that_they_refer_to():
    page = one_page.article(PAGE, "book/a", PAGES)
    assert page.svg.g["id"] == page.svg.use["href"].removeprefix("#") == "mark"
    assert page.select_one(".si-explorable")["id"] == "figure-1"
    assert [script["type"] for script in page.find_all("script")] == ["module"]


def test_every_page_of_the_book_is_on_it():
    assert one_page.parts()[0] == ("", ["book/index"])
    pages = [page for _, its in one_page.parts() for page in its]
    assert pages[-1] == "genindex" and len(pages) == len(set(pages)) > 15
