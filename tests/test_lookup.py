"""What is there to be looked up: glossary, index, references, the package, version and date."""

import ast
import importlib
import importlib.metadata
import inspect
import json
import re
from html import unescape
from types import SimpleNamespace

import pytest
import yaml
from docutils import nodes
from scripts import script
from test_book import HTML, ROOT, notebooks, pages

TABLE = yaml.safe_load((ROOT / "book/in_the_package.yml").read_text(encoding="utf-8"))


def built(page):
    return (HTML / f"{page}.html").read_text(encoding="utf-8")


def words(html):
    return unescape(re.sub(r"<[^>]*>", "", html))


# the package and the chapters

CHAPTER_OF = {f"si_tutorial.{next(iter(item)) if isinstance(item, dict) else item}": chapter
              for chapters in TABLE.values() for chapter, items in chapters.items()
              for item in items}


def thing(name):
    module, _, last = name.rpartition(".")
    return getattr(importlib.import_module(module), last)


def is_module(name):
    try:
        return inspect.ismodule(importlib.import_module(name))
    except ModuleNotFoundError:
        return False


def used_names(source):
    """The full names of si_tutorial that Python code takes from it; nothing below a class."""
    tree, here = ast.parse(re.sub(r"^(\s*)%.*$", r"\1pass", source, flags=re.MULTILINE)), {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("si_tutorial"):
            here |= {alias.asname or alias.name: f"{node.module}.{alias.name}"
                     for alias in node.names}
    modules = {name for name, full in here.items() if is_module(full)}
    return {here[name] for name in here.keys() - modules} | {
        f"{here[node.value.id]}.{node.attr}" for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
        and node.value.id in modules}


def test_names_are_found_in_code():
    code = "from si_tutorial import tasks as t\nfrom si_tutorial.importance import " \
           "SynapticIntelligence as S\n%pip install x\nt.split_classes(S(t.Task.x))"
    assert used_names(code) == {"si_tutorial.tasks.split_classes", "si_tutorial.tasks.Task",
                                "si_tutorial.importance.SynapticIntelligence"}


def all_code():
    for path in notebooks():
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        yield "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    yield from re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.S)


def test_every_name_that_a_reader_uses_is_in_the_reference():
    used = set().union(*map(used_names, all_code()))
    here = [thing(name) for name in CHAPTER_OF]
    ours = {name for name in used if not inspect.isclass(thing(name))
            or thing(name).__module__.startswith("si_tutorial")}
    assert len(ours) > 100
    assert {name for name in ours if not any(thing(name) is one for one in here)} == set(), \
        "give each its chapter in book/in_the_package.yml"


@pytest.mark.parametrize("name", CHAPTER_OF)
def test_a_name_of_the_reference_exists_and_says_what_it_is(name):
    listed = [item for chapters in TABLE.values() for items in chapters.values() for item in items]
    assert len(listed) == len(CHAPTER_OF), "a name stands twice"
    assert (ROOT / f"book/{CHAPTER_OF[name]}.ipynb").exists()
    short = name.removeprefix("si_tutorial.")
    if callable(thing(name)):
        assert short in listed and inspect.getdoc(thing(name))
    else:  # a constant has no docstring, so the table has one
        assert any(isinstance(item, dict) and item.get(short) for item in listed)


def test_every_chapter_with_a_number_explains_something_of_the_package():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    numbered = {chapter["file"].removeprefix("book/") for part in toc["parts"]
                if part.get("numbered") for chapter in part["chapters"]}
    assert numbered <= set(CHAPTER_OF.values())


def test_every_concept_stands_on_the_page_of_the_package():
    page = (ROOT / "book/package.md").read_text(encoding="utf-8")
    assert re.findall(r"^```\{concept\} (\w+)$", page, re.MULTILINE) == list(TABLE)


@pytest.mark.built
def test_each_entry_leads_to_its_chapter_and_each_chapter_to_its_entries():
    page = built("book/package")
    entries = re.findall(r'<dt class="sig[^"]*" id="([\w.]+)">.*?(?=<dt class="sig sig-object py" '
                         r'id="si|</article>)', page, re.DOTALL)
    there = dict(zip(entries, re.split(r'<dt class="sig[^"]*" id="', page)[1:], strict=True))
    assert CHAPTER_OF.keys() <= there.keys()
    whole = re.sub(r"\s+", " ", page)
    for name, chapter in CHAPTER_OF.items():
        start = whole.index(f'id="{name}"')
        says = re.search(r"Explained in <a [^>]*href=\"(\w+)\.html\"", whole[start:])
        assert says[1] == chapter, name
    for chapter in set(CHAPTER_OF.values()):
        line = re.search(r'<div class="in-the-package.*?</div>', built(f"book/{chapter}"), re.S)[0]
        assert re.findall(r'href="package\.html#([\w.]+)"', line) == [
            name for name, its in CHAPTER_OF.items() if its == chapter]


@pytest.mark.built
def test_docstrings_show_no_markup():
    assert re.findall(r"\\\||``|:\w+:`", words(built("book/package"))) == []


# the glossary

ENTRIES = re.search(r"```\{glossary\}\n(.*?)```", (ROOT / "book/glossary.md").read_text("utf-8"),
                    re.DOTALL)[1]
TERMS = re.findall(r"^(\S.*)$", ENTRIES, re.MULTILINE)


def test_terms_are_in_order_and_each_names_its_chapter():
    firsts = [block.splitlines()[0] for block in ENTRIES.strip().split("\n\n")]
    assert firsts == sorted(firsts, key=str.casefold) and len(set(TERMS)) == len(TERMS)
    for block in ENTRIES.strip().split("\n\n"):
        assert re.search(r"See \[\]\((\w+)\.ipynb\)\.$|\{term\}`", block), block
        for chapter in re.findall(r"\]\((\w+)\.ipynb\)", block):
            text = (ROOT / f"book/{chapter}.ipynb").read_text("utf-8").lower()
            text = text.replace("*", "")
            assert any(line.lower() in text for line in block.splitlines()
                       if not line.startswith(" ")), f"{block.splitlines()[0]}: not in {chapter}"


@pytest.mark.parametrize(("text", "found"), [
    ("Anchors and anchor", ["Anchor", "anchor"]), ("the masses of MAS", ["MAS"]),
    ("SIU is SI", ["SIU", "SI"]), ("the empirical Fisher information", ["empirical Fisher "
     "information"]), ("re-anchored, anchor-like, ancho", []), ("heads, subhead", ["head"])])
def test_a_term_is_found_as_a_word_and_in_its_plural(text, found):
    pattern = script("_ext/terms.py").pattern(TERMS)
    assert [match[0] for match in pattern.finditer(text)] == found


@pytest.mark.built
@pytest.mark.parametrize("path", notebooks(), ids=lambda path: path.stem)
def test_a_page_links_each_word_of_the_glossary_once_where_it_first_stands(path):
    page = built(f"book/{path.stem}")
    text = page[page.index("<article"):page.index("</article>")]
    text = re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)
    links = re.findall(r'<a class="term[^"]*" href="glossary\.html#([\w-]+)">([^<]+)</a>', text)
    assert len(dict(links)) == len(links)
    assert (path.stem == "notation") == (links == [])
    glossary = built("book/glossary")
    assert all(f'id="{target}"' in glossary for target, _ in links)


def test_the_first_use_in_prose_is_the_one_that_is_linked():
    entry = nodes.term("", "anchor", ids=["term-anchor"]), nodes.term("", "place", ids=["other"])
    glossary = nodes.definition_list("", nodes.definition_list_item("", *entry))
    prose = nodes.paragraph("", "", nodes.literal("", "anchor"), nodes.Text(
        " is code. Anchors hold. An anchor, a place, holds."))
    page = nodes.section("", nodes.title("", "An anchor"), prose)
    env = SimpleNamespace(get_doctree=lambda name: glossary, doc2path=lambda name: f"{name}.ipynb")
    builder = SimpleNamespace(get_relative_uri=lambda here, there: f"{there}.html")
    script("_ext/terms.py").link(SimpleNamespace(env=env, builder=builder), page, "book/x")
    (reference,) = page.findall(nodes.reference)
    assert reference.astext() == "Anchor" and reference["refuri"].endswith("#term-anchor")
    assert prose.astext() == "anchor is code. Anchors hold. An anchor, a place, holds."


# references, index, edition

BIBLIOGRAPHY = {key: dict(re.findall(r"^  (\w+) = \{(.*)\},?$", body, re.MULTILINE))
                for key, body in re.findall(
    r"@\w+\{(\w+),\n(.*?)\n\}", (ROOT / "book/references.bib").read_text("utf-8"), re.DOTALL)}
# neither has a DOI, and neither is on arXiv
ON_THE_WEB_ONLY = {"glorot2010", "krizhevsky2009"}


@pytest.mark.parametrize("key", BIBLIOGRAPHY)
def test_a_reference_has_a_doi_or_an_arxiv_number(key):
    fields = BIBLIOGRAPHY[key]
    assert re.fullmatch(r"10\.\d{4,5}/\S+", fields.get("doi", "10.1234/x"))
    assert re.fullmatch(r"\d{4}\.\d{4,5}", fields.get("eprint", "1234.5678"))
    assert ("eprint" in fields) == (fields.get("archiveprefix") == "arXiv")
    assert {"doi", "eprint"} & fields.keys() or (key in ON_THE_WEB_ONLY and "url" in fields)


def test_every_paragraph_on_other_methods_has_a_source():
    text = (ROOT / "book/where_next.md").read_text(encoding="utf-8").split("\n# ")[1]
    paragraphs = [p for p in text.split("\n\n")[1:] if not p.startswith("#")]
    assert [p for p in paragraphs if "{cite:" not in p] == []
    keys = set(re.findall(r"\{cite:[pt]\}`([\w,]+)`", text))
    assert keys <= BIBLIOGRAPHY.keys() and len(keys) > 20


@pytest.mark.built
def test_the_index_has_every_term_and_every_name():
    index = built("genindex")
    shown = {words(entry) for entry in re.findall(r'<a href="[^"]*">(.*?)</a>', index)}
    assert set(TERMS) <= shown
    linked = set(re.findall(r'href="book/package\.html#([\w.]+)"', index))
    assert CHAPTER_OF.keys() <= linked


@pytest.mark.built
@pytest.mark.parametrize("page", [*pages(), "genindex"])
def test_every_page_says_its_version_and_its_date(page):
    footer = built(page)[built(page).index("extra_footer"):]
    version = importlib.metadata.version("si-tutorial")
    assert re.search(rf"Version {re.escape(version)}, built on \d{{1,2}} [A-Z][a-z]+ 20\d\d\.",
                     footer)


@pytest.mark.parametrize(("url", "known"), [("https://github.com/-owner-/x", False),
                                            ("https://github.com/someone/x", True)])
def test_how_to_install_and_cite_names_no_address_that_cannot_exist(url, known, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "_ext"))
    config = type("Config", (), {"html_theme_options": {
        "repository_url": url, "repository_branch": "main", "extra_footer": "Text."},
        "language": "en", "myst_substitutions": {}, "author": "A", "html_title": "T"})()
    script("_ext/edition.py").say(None, config)
    said = config.myst_substitutions
    assert (url in said["installation"], url in said["citation"]) == (known, known)
    assert f'version = {{{importlib.metadata.version("si-tutorial")}}}' in said["citation"]
    assert said["citation"].count("{") == said["citation"].count("}")
    assert config.html_theme_options["extra_footer"].startswith("Text. Version ")
