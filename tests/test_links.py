"""Links within the built book lead to a page that is there, and to a place on it."""

from functools import cache
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import pytest
from test_book import HTML, pages

pytestmark = pytest.mark.built


class Page(HTMLParser):
    """The names of a page's places, and the addresses of its links, pictures and programs."""

    def __init__(self, text):
        super().__init__()
        self.names, self.links = {"", "top"}, set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        fields = dict(attributes)
        self.names |= {fields[key] for key in ("id", "name") if fields.get(key)}
        self.links |= {fields[key] for key in ("href", "src") if fields.get(key)}


@cache
def read(path):
    return Page(path.read_text(encoding="utf-8"))


def broken(path):
    """Links of a page that lead to no file, or to no place in it."""
    for link in read(path).links:
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        if not target.is_file():
            yield f"{link}: no such file"
        elif target.suffix == ".html" and unquote(parts.fragment) not in read(target).names:
            yield f"{link}: no such place"


@pytest.mark.parametrize("page", ["genindex", "search", *pages()])
def test_every_link_within_the_book_leads_somewhere(page):
    assert len(read(HTML / f"{page}.html").links) > 0
    assert sorted(broken(HTML / f"{page}.html")) == []


def test_a_broken_link_is_found(tmp_path):
    (tmp_path / "a.html").write_text('<a href="b.html#here"></a><a href="c.html"></a>'
                                     '<a href="b.html#there"></a><a href="https://x.org/#y"></a>')
    (tmp_path / "b.html").write_text('<p id="here"></p>')
    assert sorted(broken(tmp_path / "a.html")) == ["b.html#there: no such place",
                                                   "c.html: no such file"]
