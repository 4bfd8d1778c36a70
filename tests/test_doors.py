"""The doors: what each button of a page leads to is in the tree, at the one address there is."""

import os
import re
import shutil
import subprocess
import types
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from scripts import script
from test_book import HTML, pages

ROOT = Path(__file__).resolve().parents[1]
REPOSITORY = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["repository"]
OWNER_AND_NAME = urlsplit(REPOSITORY["url"]).path
BRANCH = REPOSITORY["branch"]
PLACEHOLDER = re.search(r'PLACEHOLDER = "(.+?)"', (ROOT / "tools/address.py").read_text("utf-8"))[1]


class Buttons(HTMLParser):
    """The addresses behind the buttons of a page, by their titles."""

    def __init__(self, page):
        super().__init__()
        self.found = {}
        self.feed((HTML / f"{page}.html").read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        fields = dict(attributes)
        if tag == "a" and "dropdown-item" in (fields.get("class") or ""):
            self.found[fields["title"]] = fields["href"]


def path_named(button, address):
    """The file in the repository that a button's address names."""
    parts, start = urlsplit(address), {
        "Launch on Binder": ("mybinder.org", f"/v2/gh{OWNER_AND_NAME}/{BRANCH}"),
        "Launch on Colab": ("colab.research.google.com",
                            f"/github{OWNER_AND_NAME}/blob/{BRANCH}/"),
        "Suggest edit": ("github.com", f"{OWNER_AND_NAME}/edit/{BRANCH}/"),
        "Source repository": ("github.com", OWNER_AND_NAME)}[button]
    assert parts.scheme == "https" and parts.netloc == start[0], address
    assert parts.path.startswith(start[1]), address
    rest = parts.path.removeprefix(start[1])
    if button == "Launch on Binder":
        assert rest == ""
        return parse_qs(parts.query)["urlpath"][0].removeprefix("lab/tree/")
    return rest


@pytest.mark.built
@pytest.mark.parametrize("page", pages())
def test_every_button_leads_to_the_page_s_own_source(page):
    buttons = Buttons(page).found
    source = next(f"{page}{end}" for end in (".ipynb", ".md") if (ROOT / f"{page}{end}").exists())
    download = HTML / page.rpartition("/")[0] / buttons.pop("Download source file")
    assert download.resolve() == (HTML / "_sources" / source).resolve() and download.exists()
    named = {button: path_named(button, address) for button, address in buttons.items()
             if address.startswith("http")}
    launch = ("Launch on Binder", "Launch on Colab") if source.endswith(".ipynb") else ()
    assert named == ({} if PLACEHOLDER in OWNER_AND_NAME else
                     {"Source repository": "", **dict.fromkeys((*launch, "Suggest edit"), source)})
    assert (ROOT / source).is_file()


def test_the_repository_s_address_is_well_formed():
    assert re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+", REPOSITORY["url"])
    assert not REPOSITORY["url"].endswith(".git") and REPOSITORY["path_to_book"] == ""


def test_what_hides_the_buttons_is_what_the_tool_calls_a_placeholder():
    assert f'PLACEHOLDER = "{PLACEHOLDER}"' in (ROOT / "_ext/face.py").read_text(encoding="utf-8")


@pytest.mark.parametrize(("url", "shown"), [("https://github.com/-owner-/x", False),
                                            ("https://github.com/someone/x", True)])
def test_buttons_vanish_while_the_address_is_a_placeholder(url, shown):
    face = script("_ext/face.py")
    options = {"repository_url": url, "use_repository_button": True, "use_edit_page_button": True,
               "launch_buttons": {"binderhub_url": "https://mybinder.org"}}
    face.hide_buttons(None, types.SimpleNamespace(html_theme_options=options))
    assert [bool(options[key]) for key in ("use_repository_button", "use_edit_page_button",
                                           "launch_buttons")] == 3 * [shown]


def test_it_stands_once():
    written = [path for path in (*ROOT.glob("*.*"), *ROOT.glob(".github/**/*"),
                                 *ROOT.glob(".binder/*"), *ROOT.glob("si_tutorial/**/*.py"))
               if path.suffix in (".md", ".yml", ".yaml", ".toml", ".cff", ".txt", ".py")
               and OWNER_AND_NAME in path.read_text(encoding="utf-8")]
    assert written == [ROOT / "_config.yml"]


BINDER = ROOT / ".binder"


def test_binder_installs_the_book_s_own_versions_and_the_package():
    lines = [line for line in (BINDER / "requirements.txt").read_text("utf-8").splitlines()
             if line and not line.startswith("#")]
    options = dict(line.split(" ", 1) for line in lines)  # no line names a version of its own
    assert options.keys() == {"--extra-index-url", "-r", "-e"}
    assert (BINDER / options["-r"]).resolve() == ROOT / "requirements.txt"
    assert options["-e"] == "." and options["--extra-index-url"].endswith("/cpu")
    versions = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    assert {"torch", "torchvision"} <= set(re.findall(r"^(\w+)==", versions, re.MULTILINE))


def test_binder_s_python_is_one_that_the_package_is_tested_with():
    python = (BINDER / "runtime.txt").read_text(encoding="utf-8").strip().removeprefix("python-")
    workflow = yaml.safe_load((ROOT / ".github/workflows/book.yml").read_text(encoding="utf-8"))
    assert python in workflow["jobs"]["package"]["strategy"]["matrix"]["python"]


@pytest.mark.skipif(shutil.which("bash") is None or os.name == "nt", reason="a script for Linux")
def test_binder_starts_what_it_is_asked_to_with_one_thread():
    done = subprocess.run([BINDER / "start", "printenv", "OMP_NUM_THREADS"], capture_output=True)
    assert done.stdout == b"1\n"
