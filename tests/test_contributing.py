"""What newcomers are told to do: the files and commands that CONTRIBUTING and the forms name."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
GUIDE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
FORMS = sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml"))


def test_every_file_that_the_guide_names_is_there():
    named = re.findall(r"(?:`|\s|\()((?:book|si_tutorial|tests)/[\w./]*)", GUIDE)
    assert len(named) > 5
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_make_target_that_is_named_exists():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for file in ("CONTRIBUTING.md", "README.md", ".github/pull_request_template.md"):
        text = (ROOT / file).read_text(encoding="utf-8")
        for targets in re.findall(r"(?:`|^)make ([\w./ ]+?)(?:`|$|  )", text, re.MULTILINE):
            for target in targets.split():
                assert re.search(rf"^{re.escape(target)}:", makefile, re.MULTILINE), target


def test_the_function_that_the_guide_changes_has_a_test_file_of_its_own():
    module, function = re.search(r"that `(\w+)\.(\w+)` should do more", GUIDE).groups()
    assert f"def {function}(" in (ROOT / f"si_tutorial/{module}.py").read_text(encoding="utf-8")
    assert f"pytest -q tests/test_{module}.py" in GUIDE


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_an_issue_form_is_whole_and_asks_for_the_doctor(path):
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert form["name"] and form["description"]
    ids = [field["id"] for field in form["body"]]
    assert len(set(ids)) == len(ids)
    for field in form["body"]:
        assert field["type"] in ("input", "textarea", "dropdown")
        assert field["attributes"]["label"]
    doctor = next(field for field in form["body"] if field["id"] == "doctor")
    assert "`python -m si_tutorial doctor`" in doctor["attributes"]["label"]


def test_what_does_not_work_cannot_be_reported_without_it():
    form = yaml.safe_load(FORMS[0].read_text(encoding="utf-8"))
    assert next(f for f in form["body"] if f["id"] == "doctor")["validations"]["required"]
