"""The workflows: what they run exists here, they may do little, and publish nothing untested."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted((ROOT / ".github/workflows").glob("*.yml"))
WORKFLOWS = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in FILES}
JOBS = [pytest.param(name, job, id=f"{name}-{job}")
        for name, workflow in WORKFLOWS.items() for job in workflow["jobs"]]


def steps(name, job):
    return WORKFLOWS[name]["jobs"][job]["steps"]


@pytest.mark.parametrize(("name", "job"), JOBS)
def test_each_step_is_a_make_target_of_this_tree_or_a_pinned_action(name, job):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for step in steps(name, job):
        if "uses" in step:
            assert re.fullmatch(r"actions/[\w-]+@v\d+", step["uses"])
        elif step.get("if") != "failure()":
            words = step["run"].split()
            assert words[0] == "make"
            for target in (word for word in words[1:] if "=" not in word):
                assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@pytest.mark.parametrize(("name", "job"), JOBS)
def test_a_job_is_limited_in_time_and_in_what_it_may_write(name, job):
    workflow, this = WORKFLOWS[name], WORKFLOWS[name]["jobs"][job]
    assert workflow["permissions"] == {"contents": "read"}
    assert "concurrency" in workflow and this["timeout-minutes"] <= 90
    writes = {what for what, may in this.get("permissions", {}).items() if may == "write"}
    assert writes == {"publish": {"pages", "id-token"}, "tell": {"issues"}}.get(job, set())


def test_the_package_is_tested_on_three_systems_and_the_oldest_python_it_promises():
    matrix = WORKFLOWS["book"]["jobs"]["package"]["strategy"]["matrix"]
    assert {system.split("-")[0] for system in matrix["os"]} == {"ubuntu", "macos", "windows"}
    oldest = re.search(r'requires-python = ">=(.*?)"', (ROOT / "pyproject.toml").read_text("utf-8"))
    assert oldest[1] in {row["python"] for row in matrix["include"]}


def test_nothing_is_published_that_has_not_passed_every_other_job():
    jobs = WORKFLOWS["book"]["jobs"]
    assert set(jobs["publish"]["needs"]) == set(jobs) - {"publish"}
    assert jobs["publish"]["if"] == "github.event_name == 'push'"
    push = WORKFLOWS["book"][True]["push"]  # YAML reads the key "on" as true
    assert push == {"branches": ["main"], "tags": ["v*"]}


def test_the_pages_are_tested_before_they_are_handed_on():
    said = [step.get("run") or step["uses"].split("@")[0] for step in steps("book", "book")]
    uploads = [i for i, words in enumerate(said) if words.startswith("actions/upload")]
    assert said.index("make pages") < said.index("make unit") < min(uploads)
    assert len(uploads) == 2


def test_what_is_published_shows_the_full_data_set():
    strict = WORKFLOWS["book"]["jobs"]["book"]["env"]["SI_TUTORIAL_STRICT"]
    assert strict == "${{ github.event_name == 'push' && '1' || '0' }}"


@pytest.mark.parametrize("name", ["newest", "audit", "links", "colab"])
def test_the_weekly_run_ends_before_its_job_is_cancelled_and_uses_a_python_that_is_tested(name):
    job = WORKFLOWS["newest"]["jobs"][name]
    (python,) = (step["with"]["python-version"] for step in job["steps"] if "with" in step)
    (run,) = (step for step in job["steps"] if step.get("run", "").startswith("make"))
    assert run["run"].split()[1] == name
    assert run["timeout-minutes"] < job["timeout-minutes"]  # a cancelled job is no failure
    matrix = WORKFLOWS["book"]["jobs"]["package"]["strategy"]["matrix"]
    assert python == max(row["python"] for row in matrix["include"])


def test_whatever_fails_in_the_weekly_run_is_told():
    jobs = WORKFLOWS["newest"]["jobs"]
    assert set(jobs["tell"]["needs"]) == set(jobs) - {"tell"}
    assert jobs["tell"]["if"] == "failure()"


def test_text_has_the_same_bytes_on_every_system():
    """Windows would turn line ends into CRLF; notebooks and stores are compared byte by byte."""
    assert "* text=auto eol=lf" in (ROOT / ".gitattributes").read_text("utf-8").splitlines()


def test_the_newest_versions_are_asked_for_without_a_limit_except_the_books_own_tools():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    kept = re.search(r"sed -E '/\^\((.*?)\)/!s/\[=<>\]\.\*//'", makefile)[1]
    limited = re.findall(r"^([\w-]+)[=<>]", (ROOT / "requirements.txt").read_text("utf-8"), re.M)
    stay = [name for name in limited if re.match(kept, name)]
    assert stay == ["jupyter-book", "sphinx-book-theme", "pydata-sphinx-theme",
                    "sphinx-mathjax-offline", "sphinx-exercise"]
