"""Whoever types a symptom into the book's search finds the page that explains it."""

import pytest
from test_book import HTML

pytestmark = pytest.mark.built

PAGE = "book/symptoms.html"
QUERIES = {  # the section that answers → what people type
    "symptom-20": ["20 percent", "accuracy 20", "20 %", "class incremental"],
    "symptom-no-effect": ["no effect", "equals fine-tuning", "SI nothing", "no difference"],
    "symptom-negative": ["omega negative", "negative importance", "negative omega"],
    "symptom-nan": ["loss NaN", "importance NaN", "SI NaN", "training diverges"],
    "symptom-rigid": ["not learned", "new task", "task learned", "too rigid"],
    "symptom-ewc": ["EWC nothing", "EWC zero", "EWC useless"],
    "symptom-batchnorm": ["weights move", "still forgets", "BatchNorm forgets"],
    "symptom-paper": ["number differs", "paper differs", "reproduce paper"],
    "symptom-libraries": ["strength libraries", "Avalanche strength", "thousandfold strength",
                          "lambda Avalanche"],
    "symptom-square": ["square mean", "squared gradient", "batch gradient"]}


@pytest.fixture(scope="module")
def search(browser):
    """A function that types a query into the book's search and returns where the hits lead."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()

    def hits(query):
        page.goto((HTML / "search.html").as_uri() + "?q=" + query.replace("%", "%25"))
        page.wait_for_function("document.querySelector('#search-results .search-summary')"
                               "?.textContent.includes('found')")
        found = page.locator("#search-results ul.search > li > a").evaluate_all(
            "links => links.map((link) => link.getAttribute('href'))")
        return found

    yield hits
    context.close()


@pytest.mark.parametrize("query", [query for queries in QUERIES.values() for query in queries])
def test_two_words_of_a_symptom_find_the_page(search, query):
    hits = search(query)
    assert any(hit.startswith(PAGE) for hit in hits[:3]), hits[:6]


def test_every_symptom_has_a_section_to_go_to(search):
    text = (HTML / PAGE).read_text(encoding="utf-8")
    assert [label for label in QUERIES if f'id="{label}"' not in text] == []
    assert not any(hit.startswith(PAGE) for hit in search("bibliography zzz"))
