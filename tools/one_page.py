"""The whole built book on one page, to be printed: every link within the book stays within it."""

import re
from pathlib import Path
from posixpath import join, normpath

import yaml
from bs4 import BeautifulSoup

ROOT = Path(__file__).resolve().parents[1]
KEPT = re.compile(r"mathjax|window\.MathJax|book\.js")  # of the scripts of a page's head
REFERS = ("for", "headers", "aria-labelledby", "aria-describedby", "aria-controls")
FOLDED_CODE = "details.hide, details details:has(.highlight-text)"  # also the equations' tests
LEFT_OUT = ("What is folded on the pages is open here, except for code: that of imports, figures, "
            "tables and checks, and of the equations’ tests, is on the pages and in the notebooks.")
STYLE = """
.bd-article { max-width: none; }
.bd-article > .page { break-before: page; }
.front { display: flex; flex-direction: column; gap: 1rem; }
.bd-article .front h1 { font-size: 3rem; margin: 30vh 0 0; }
.all-pages { break-before: page; }
.all-pages p { font-weight: 600; margin: 0.8rem 0 0; }
.all-pages ul { list-style: none; margin: 0; padding: 0; }
.bd-article h1 { display: block !important; font-size: 1.5rem; }
.bd-article h2 { font-size: 1.25rem; }
.bd-article h3 { font-size: 1.1rem; }
.headerlink, .copybtn, .toggle-button, .to-notation, .prev-next-area { display: none !important; }
h1, h2, h3, h4 { break-after: avoid; overflow: clip; }  /* clipped, or a bookmark has it twice */
* { box-shadow: none !important; }
p, li { orphans: 3; widows: 3; }
"""


def parts(root: Path = ROOT) -> list[tuple[str, list[str]]]:
    """Caption and pages of each part, in the order of the table of contents."""
    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    return [("", [toc["root"]])] + [(part["caption"], [c["file"] for c in part["chapters"]])
                                    for part in toc["parts"]]


def anchor(page: str, fragment: str = "") -> str:
    """The name on the one page of a place in the book."""
    return f"{page}:{fragment}" if fragment else page


def destination(href: str, page: str, pages: set[str]) -> str | None:
    """Where a link of `page` leads on the one page; None where it would leave the book's files."""
    if re.match(r"https?:|mailto:", href):
        return href
    path, _, fragment = href.partition("#")
    target = normpath(join(page, "..", path)).removesuffix(".html") if path else page
    return "#" + anchor(target, fragment) if target in pages else None


def rename(part, page: str, pages: set[str]):
    """Give a part of a page the name, and the links, that it has on the one page."""
    if part.has_attr("id"):
        part["id"] = anchor(page, part["id"])
    for name in REFERS:
        if part.has_attr(name):
            part[name] = " ".join(anchor(page, one) for one in part.get_attribute_list(name))
    if part.name == "a" and part.has_attr("href"):
        if (to := destination(part["href"], page, pages)) is None:
            del part["href"]
        else:
            part["href"] = to


def article(html: str, page: str, pages: set[str]):
    """The text of one page, with names and links that are good on the one page."""
    found = BeautifulSoup(html, "html.parser").select_one("article.bd-article")
    found.name, found["class"] = "section", ["page"]
    for script in found.find_all("script"):
        if script.get("type") != "module":  # those draw the live figures
            script.decompose()
    for code in found.select(FOLDED_CODE):
        code.decompose()
    for fold in found.find_all("details"):
        fold["open"] = ""
    for answer in found.select(".dropdown, .toggle"):
        answer["class"] = [name for name in answer["class"] if name not in ("dropdown", "toggle")]
    drawn = {id(part) for picture in found.find_all("svg") for part in picture.find_all(True)}
    for part in found.find_all(True):
        if id(part) not in drawn and "si-explorable" not in part.get("class", []):
            rename(part, page, pages)
    found["id"] = anchor(page)
    return found


def one_page(html: Path) -> str:
    """The book as one page, which stands beside its first one, with the same style sheets."""
    order = parts()
    pages = [page for _, its in order for page in its]
    first = BeautifulSoup((html / f"{pages[0]}.html").read_text(encoding="utf-8"), "html.parser")
    for script in first.find_all("script"):
        if not KEPT.search(f"{script.get('src', '')}{script.string or ''}"):
            script.decompose()
    texts = {page: article((html / f"{page}.html").read_text(encoding="utf-8"), page, set(pages))
             for page in pages}
    for old in first.select("a.pdf"):  # of an earlier run
        old.decompose()
    edition = first.select_one(".extra_footer").get_text(" ", strip=True)
    title = first.select_one("meta[property='og:site_name']")["content"]
    head = first.head.decode_contents()
    contents = "".join(
        f"<p>{caption}</p><ul>" + "".join(
            f'<li><a href="#{anchor(page)}">{texts[page].h1.get_text().rstrip("#")}</a></li>'
            for page in its) + "</ul>" for caption, its in order)
    body = "".join(map(str, texts.values()))
    return (f'<!DOCTYPE html><html lang="en" data-theme="light" data-mode="light"><head>{head}'
            f"<title>{title}</title><style>{STYLE}</style></head><body><main class='bd-main'>"
            f"<div class='bd-content'><article class='bd-article'>"
            f"<div class='front'><h1>{title}</h1><p>{edition}</p><p>{LEFT_OUT}</p></div>"
            f"<nav class='all-pages' aria-label='Contents'><h2>Contents</h2>{contents}</nav>{body}"
            "</article></div></main></body></html>")
