"""Whatever a store says stays words: in tables, figures, reports and on the page, never markup."""

import html
import json
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import matplotlib
import pandas as pd
import pytest

matplotlib.use("Agg")

from si_tutorial import figures, pictures, tables
from si_tutorial.__main__ import main
from si_tutorial.experiments import protocols, report, runs, store
from si_tutorial.experiments.checks import SettingsError
from si_tutorial.experiments.settings import Run

ROOT = Path(__file__).resolve().parents[1]
EVIL = '</text><script src="x">alert(1)</script><img src=x onerror="y">&lt;'
ATTRIBUTE = '" onmouseover="alert(1)'
FILE = '<img src=x onerror=alert(1)>.py 0123456789abcdef'
TINY = protocols.SPLIT.replace(data="mnist subset", tasks=2, hidden=(4,), epochs=1, batch_size=50)


class Tags(HTMLParser):
    """The elements and the attributes of a text."""

    def __init__(self, text):
        super().__init__()
        self.found = set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found |= {tag, *(name for name, _ in attributes)}


def harmless(text):
    return not Tags(text).found & {"script", "img", "onerror", "onmouseover"}


@pytest.fixture
def records(run_data):
    """Two lines that are whole, with words of somebody else in every field that holds words."""
    found = json.loads(json.dumps([runs.execute(TINY), runs.execute(TINY.replace(seed=1))]))
    for record in found:
        record |= {"method": "Mine", "strength": 1.0, "code": FILE, "machine": EVIL,
                   "kind": ATTRIBUTE, "data_source": EVIL, "commit": ATTRIBUTE, "system": EVIL,
                   "device": EVIL, "versions": {EVIL: ATTRIBUTE}}
    return found


def test_a_method_or_a_data_set_is_named_by_an_identifier_or_refused(records):
    for field in ("method", "data"):
        with pytest.raises(SettingsError, match=f"unknown {field} "):
            Run.of(records[0] | {field: EVIL})
    for file in (f"../{EVIL} 0123456789abcdef", f"{EVIL}"):
        with pytest.raises(SettingsError, match="code must be a file's name and digest"):
            Run.of(records[0] | {"code": file})


def test_the_page_on_reproducibility_shows_words(records):
    cells = json.loads((ROOT / "book/reproducibility.ipynb").read_text("utf-8"))["cells"]
    (source,) = ["".join(cell["source"]) for cell in cells
                 if "def fold" in "".join(cell["source"])]
    there = {"html": html, "report": report, "HTML": str, "published": {EVIL: records}}
    exec(source, there)
    shown = there["fold"](EVIL, records)
    assert harmless(shown) and html.escape(FILE.split(" ")[-1]) not in shown
    assert html.escape(EVIL) in shown and html.escape(ATTRIBUTE) in shown
    assert "&lt;img src=x onerror=alert(1)&gt;.py" in shown


def test_a_table_shows_words():
    frame = pd.DataFrame({EVIL: [EVIL, ATTRIBUTE]}, index=[EVIL, ATTRIBUTE])
    frame.index.name, frame.columns.name = EVIL, ATTRIBUTE
    shown = tables.show(frame, EVIL + ATTRIBUTE, units={EVIL: EVIL})._repr_html_()
    assert harmless(shown) and shown.count(html.escape(EVIL)) >= 5


def seen(records):
    """With names as long as a figure has room for."""
    figures.theme()
    return figures.seen_curves(report.accuracies({"<script>": records, '"><img>': records}),
                               title="</text><img>")


def test_a_figure_on_a_page_shows_words(records):
    shown = pictures.show(seen(records), EVIL + ATTRIBUTE)._repr_html_()
    assert harmless(shown) and "&lt;script&gt;" in shown and "&lt;img&gt;" in shown


def test_a_figure_in_a_file_shows_words(records, tmp_path):
    pictures.save(seen(records), tmp_path / "x.svg")
    tags = {element.tag.rpartition("}")[2] for element in
            ElementTree.parse(tmp_path / "x.svg").iter()}
    assert not tags & {"script", "img", "foreignObject", "a"}


def test_report_and_plot_of_a_store_with_such_words_stay_in_their_folder(
        records, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for record in records:
        store.append(Path("results/split-mnist.jsonl"), record)
    assert main(["report", "split-mnist", "--results", "results"]) == 0
    assert "--from '<img src=x onerror=alert(1)>.py'" in capsys.readouterr().out  # one shell word
    assert main(["plot", "split-mnist", "--results", "results"]) == 0
    files = [Path(line) for line in capsys.readouterr().out.splitlines()]
    assert files and all(file.parent == Path("figures") for file in files)
    for file in files:
        assert harmless(file.read_text("utf-8")) and "Mine" in file.read_text("utf-8")
