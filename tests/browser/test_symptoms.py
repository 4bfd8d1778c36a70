"""Whoever types a symptom into the book's search finds the page that explains it."""

import pytest
from test_book import HTML

pytestmark = pytest.mark.built

PAGE = "book/symptoms"
QUERIES = {  # the section that answers → what people type
    "symptom-20": ["20 percent", "accuracy 20", "20 %", "class incremental"],
    "symptom-no-effect": ["no effect", "equals fine-tuning", "SI finetuning", "SI nothing"],
    "symptom-negative": ["omega negative", "negative importance", "negative omega"],
    "symptom-nan": ["loss NaN", "importance NaN", "SI NaN", "training diverges"],
    "symptom-rigid": ["not learned", "new task", "cannot learn", "too rigid"],
    "symptom-ewc": ["EWC nothing", "EWC zero", "EWC useless"],
    "symptom-batchnorm": ["weights move", "hardly move", "still forgets", "BatchNorm forgets"],
    "symptom-paper": ["number differs", "paper differs", "reproduce paper"],
    "symptom-libraries": ["strength libraries", "Avalanche strength", "thousandfold strength",
                          "lambda Avalanche"],
    "symptom-square": ["square mean", "mean squared", "before mean", "fisher batch"]}


@pytest.fixture(scope="module")
def search(browser):
    """A function from a query to the addresses of its hits, best first, as the page ranks them."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto((HTML / "search.html").as_uri() + "?q=omega+negative")
    page.wait_for_function("() => Search._index")
    page.hits = lambda query: page.evaluate(
        "query => Search._performSearch(...Search._parseQuery(query)).reverse()"
        ".map(([name, , anchor]) => name + (anchor || ''))", query)
    yield page
    context.close()


@pytest.mark.parametrize("query", [query for queries in QUERIES.values() for query in queries])
def test_two_words_of_a_symptom_find_the_page(search, query):
    hits = search.hits(query)
    assert any(hit.startswith(PAGE) for hit in hits[:3]), hits[:6]


def test_the_list_that_a_reader_sees_has_that_order_and_leads_to_the_section(search):
    first = search.locator("#search-results ul.search > li > a").first
    first.wait_for()
    assert PAGE in first.get_attribute("href")
    first.click()
    assert search.url.split("#")[0].endswith(f"{PAGE}.html")
    search.go_back()


def test_every_symptom_has_a_section_to_go_to():
    text = (HTML / f"{PAGE}.html").read_text(encoding="utf-8")
    assert [label for label in QUERIES if f'id="{label}"' not in text] == []


def test_the_page_is_not_in_the_way_of_other_questions(search):
    for query in ("path integral", "Bayes rule", "permuted MNIST", "quadratic case"):
        assert not search.hits(query)[0].startswith(PAGE), query
