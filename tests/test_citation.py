"""CITATION.cff: this version of this package, and the paper as the bibliography has it."""

import re
import tomllib
from pathlib import Path

import yaml

from si_tutorial.experiments import store
from si_tutorial.importance import state

ROOT = Path(__file__).resolve().parents[1]
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def entry(key):
    """The fields of one entry of the book's bibliography."""
    text = (ROOT / "book/references.bib").read_text(encoding="utf-8")
    body = re.search(rf"@\w+\{{{key},(.*?)\n\}}", text, re.DOTALL)[1]
    return dict(re.findall(r"(\w+) = \{(.*?)\},?\n", body + "\n"))


def test_it_names_this_version_its_licence_and_its_authors():
    assert CITATION["version"] == PROJECT["version"]
    assert CITATION["license"] == PROJECT["license"]
    assert CITATION["authors"] == PROJECT["authors"]
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    assert CITATION["authors"] == [{"name": config["author"]}]


def test_the_preferred_citation_is_the_paper_as_the_bibliography_has_it():
    paper, known = CITATION["preferred-citation"], entry("zenke2017")
    assert paper["title"] == known["title"]
    assert paper["collection-title"] == known["booktitle"]
    assert str(paper["year"]) == known["year"]
    assert f"{paper['start']}--{paper['end']}" == known["pages"]
    assert known["author"] == " and ".join(f"{a['family-names']}, {a['given-names']}"
                                           for a in paper["authors"])
    assert paper["url"] in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_changelog_has_this_version_and_the_versions_of_what_is_saved():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    section = re.search(rf"^## {re.escape(PROJECT['version'])}\b.*?(?=^## |\Z)", text,
                        re.MULTILINE | re.DOTALL)[0]
    assert f"`state_dict()` has version {state.VERSION}" in section
    assert f"Lines have version {store.VERSION}" in section
