"""The built book: every page of the table of contents is there, executed, and made from it."""

import ast
import html
import json
import os
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
HTML = ROOT / "_build" / "html"


def pages():
    """All pages but the index, which Sphinx writes by itself."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    files = [c["file"] for part in toc["parts"] for c in part["chapters"]]
    assert files[-1] == "genindex"
    return [toc["root"], *files[:-1]]


def notebooks():
    return sorted((ROOT / "book").glob("*.ipynb"))


def test_every_chapter_is_in_the_table_of_contents():
    on_disk = {f"book/{path.stem}" for path in (ROOT / "book").iterdir()
               if path.suffix in (".ipynb", ".md")}
    assert on_disk == set(pages())


@pytest.mark.parametrize("path", notebooks(), ids=lambda path: path.stem)
def test_notebooks_are_committed_without_outputs(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    assert [i for i, cell in enumerate(cells)
            if cell.get("outputs") or cell.get("execution_count")] == []


@pytest.mark.parametrize("path", notebooks(), ids=lambda path: path.stem)
def test_what_a_notebook_glues_it_also_shows_and_the_reverse(path):
    text = "".join("".join(cell["source"]) for cell in json.loads(path.read_text("utf-8"))["cells"])
    shown = set(re.findall(r"\{glue:text\}`([\w-]+)(?::[^`]*)?`", text))
    glued = re.findall(r"""glue\(f?["']([^"']+)["']""", text)
    exact = {key for key in glued if "{" not in key}
    stems = [re.sub(r"\{.*?\}", r"[\\w-]+", key) for key in glued if "{" in key]
    assert [key for key in shown if key not in exact
            and not any(re.fullmatch(stem, key) for stem in stems)] == []
    assert exact - shown == set()


def code_cells(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [(i, "".join(cell["source"]), set(cell["metadata"].get("tags", [])))
            for i, cell in enumerate(cells) if cell["cell_type"] == "code"]


@pytest.mark.parametrize("path", notebooks(), ids=lambda path: path.stem)
def test_imports_and_the_code_of_figures_and_tables_are_folded(path):
    hidden = {"hide-input", "remove-input", "remove-cell"}
    drawing = re.compile(r"^(figures|tables)\.show\(", re.MULTILINE)
    importing = re.compile(r"^(import|from) \w", re.MULTILINE)
    assert [i for i, source, tags in code_cells(path) if not tags & hidden
            and (drawing.search(source) or len(importing.findall(source)) > 2)] == []


@pytest.mark.parametrize("path", notebooks(), ids=lambda path: path.stem)
def test_a_cell_s_tags_are_those_that_mean_something(path):
    words = re.search(r"WORDS = (\{.*?\})", (ROOT / "_ext/folds.py").read_text("utf-8"), re.DOTALL)
    fold = set(ast.literal_eval(words[1]))
    known = {"hide-input", "remove-input", "remove-output", "remove-cell", *fold}
    for i, _, tags in code_cells(path):
        assert tags <= known, (i, tags - known)
        assert not tags & fold or "hide-input" in tags, (i, "a bar with words, but nothing folded")


def descriptions():
    found = {f"book/{path.stem}": json.loads(path.read_text("utf-8"))["metadata"].get(
        "description", "") for path in notebooks()}
    for path in (ROOT / "book").glob("*.md"):
        found[f"book/{path.stem}"] = re.search(r"^description: (.*)$", path.read_text("utf-8"),
                                               re.MULTILINE)[1].strip('"')
    return found


def test_every_page_has_a_description_of_its_own():
    found = descriptions()
    assert {page: words for page, words in found.items() if not 50 <= len(words) <= 160} == {}
    assert len(set(found.values())) == len(found)


@pytest.mark.built
@pytest.mark.parametrize("page", pages())
def test_a_shared_link_has_a_face(page):
    head = (HTML / f"{page}.html").read_text(encoding="utf-8").split("</head>")[0]
    tags = dict(re.findall(r'<meta (?:name|property)="([\w:]+)" content="([^"]*)"', head))
    words = html.escape(descriptions()[page])
    assert tags["description"] == tags["og:description"] == words
    assert tags["og:title"] and tags["og:site_name"] == "Synaptic Intelligence"
    icon = re.search(r'<link rel="icon" href="([^"]+)"', head)[1]
    assert (HTML / page).parent.joinpath(icon).resolve().is_file()


@pytest.mark.built
def test_titles_differ_and_chapters_are_numbered():
    titles = [re.search(r"<title>(.*?)</title>", (HTML / f"{page}.html").read_text("utf-8"))[1]
              for page in pages()]
    assert len(set(titles)) == len(titles)
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    numbered = sum(len(part["chapters"]) for part in toc["parts"] if part.get("numbered"))
    numbers = [int(n[1]) for title in titles if (n := re.match(r"(\d+)\. ", title))]
    assert numbers == list(range(1, numbered + 1)) != []


@pytest.mark.built
@pytest.mark.parametrize("page", pages())
def test_every_table_is_made_by_the_one_function_and_every_picture_too(page):
    text = (HTML / f"{page}.html").read_text(encoding="utf-8")
    assert 'class="dataframe"' not in text and "data:image/png" not in re.sub(
        r'<figure class="si-figure">.*?</figure>|<script.*?</script>', "", text, flags=re.DOTALL)


@pytest.mark.built
@pytest.mark.parametrize("page", pages())
def test_every_page_is_built(page):
    assert (HTML / f"{page}.html").is_file(), "run `make book` first"


@pytest.mark.built
@pytest.mark.parametrize("path", notebooks(), ids=lambda path: path.stem)
def test_every_notebook_was_executed_from_its_first_cell_to_its_last(path):
    executed = json.loads((ROOT / "build/executed/book" / path.name).read_text(encoding="utf-8"))
    source = json.loads(path.read_text(encoding="utf-8"))
    assert [c["source"] for c in executed["cells"]] == [c["source"] for c in source["cells"]]
    counts = [c["execution_count"] for c in executed["cells"] if c["cell_type"] == "code"]
    assert counts == list(range(1, len(counts) + 1))


@pytest.mark.built
@pytest.mark.parametrize("path", notebooks(), ids=lambda path: path.stem)
def test_a_page_shows_the_output_of_every_cell_that_has_one(path):
    def visible(output):  # what is only glued is shown elsewhere
        if output["output_type"] == "stream":
            return output["name"] == "stdout"
        return any(not kind.startswith("application/papermill") for kind in output["data"])

    executed = json.loads((ROOT / "build/executed/book" / path.name).read_text(encoding="utf-8"))
    cells = [cell for cell in executed["cells"] if any(map(visible, cell.get("outputs", [])))
             and not {"remove-output", "remove-cell"} & set(cell["metadata"].get("tags", []))]
    page = (HTML / f"book/{path.stem}.html").read_text(encoding="utf-8")
    assert page.count('class="cell_output') == len(cells) > 0


@pytest.mark.built
def test_the_front_door_leads_to_the_first_page():
    assert "book/index.html" in (HTML / "index.html").read_text(encoding="utf-8")


@pytest.mark.built
@pytest.mark.parametrize("page", [p for p in pages() if (ROOT / f"{p}.ipynb").exists()])
def test_a_page_that_loads_mnist_says_whether_all_of_it(page):
    if 'datasets.load(\\"mnist\\")' in (ROOT / f"{page}.ipynb").read_text(encoding="utf-8"):
        text = (HTML / f"{page}.html").read_text(encoding="utf-8")
        assert re.search(r"images of MNIST \((the full data set|a subset, taken)", text)


@pytest.mark.built
def test_symbols_and_the_equations_that_introduce_them_link_to_each_other():
    notation = (HTML / "book/notation.html").read_text(encoding="utf-8")
    symbols = re.search(r'<section id="symbols">.*?</table>', notation, re.DOTALL)[0]
    there = set(re.findall(r'href="(\w+)\.html#equation-(eq-[\w-]+)"', symbols))
    assert len(there) > 10
    back = set()
    for page in (HTML / "book").glob("*.html"):
        for label in re.findall(r'id="equation-(eq-[\w-]+)">\s*<span class="eqno"><a class='
                                r'"to-notation" href="notation.html#symbols"',
                                page.read_text(encoding="utf-8")):
            back.add((page.stem, label))
    assert back == there


@pytest.mark.built
def test_what_needs_cifar_is_there_or_a_sentence_says_why_not():
    """Where REQUIRE_CIFAR is set, as in continuous integration, the run has to be there."""
    cells = json.loads((ROOT / "build/executed/book/cifar.ipynb").read_text("utf-8"))["cells"]
    shown = {cell["id"]: "".join(str(output.get("data", {})) for output in cell["outputs"])
             for cell in cells if cell["cell_type"] == "code"}
    for name, made in (("cell-05", "si-figure"), ("miniature-result", "si-table")):
        if os.environ.get("REQUIRE_CIFAR"):
            assert made in shown[name]
        else:
            assert (made in shown[name]) != ("made without CIFAR-10" in shown[name])


LIMITS = {"path_integral": 2000, "noise": 2000, "quadratic_case": 2800, "what_si_measures": 2200,
          "split_mnist": 2800, "permuted_mnist": 1800}


@pytest.mark.parametrize("chapter", LIMITS)
def test_a_chapter_keeps_to_its_number_of_words(chapter):
    """Those before the exercises, formulas included, code and questions left out."""
    cells = json.loads((ROOT / f"book/{chapter}.ipynb").read_text(encoding="utf-8"))["cells"]
    text = "\n\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    read, exercises = text.split("\n## Exercises\n")
    words = len(re.sub(r"```\{question\}.*?\n```\n", "", read, flags=re.DOTALL).split())
    assert 1000 < words <= LIMITS[chapter] and exercises
