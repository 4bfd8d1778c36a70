"""Write the repository's address from _config.yml into every notebook and before README's picture.

A notebook that is opened alone, on Colab, has to know where the package comes from, and PyPI, which
shows README, has no picture of its own. Run after the
address in _config.yml has changed: `make address`. With the true address as its argument, as on
GitHub before publishing, it refuses where _config.yml names another. It ends by saying what is left
to do.
"""

import json
import re
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
PLACEHOLDER = "-owner-"  # GitHub allows no such name
CELL = """\
import sys

if "google.colab" in sys.modules:  # it lacks the book's package
    %pip install --quiet "si-tutorial[notebooks] @ git+{url}@{branch}"
"""


def cell(repository: dict) -> dict:
    """The cell, as it stands in every notebook; the pages leave it out."""
    source = CELL.format(**repository).rstrip("\n")
    return {"cell_type": "code", "execution_count": None, "id": "colab",
            "metadata": {"tags": ["remove-cell"]}, "outputs": [],
            "source": source.splitlines(keepends=True)}


def write(path: Path, repository: dict):
    """Put the cell before a notebook's first code cell, in place of an older one."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    cells = [c for c in notebook["cells"] if c.get("id") != "colab"]
    first = next(i for i, c in enumerate(cells) if c["cell_type"] == "code")
    notebook["cells"] = [*cells[:first], cell(repository), *cells[first:]]
    text = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
    path.write_text(text, encoding="utf-8", newline="\n")


def readme(text: str, repository: dict) -> str:
    """README with its pictures at the repository's address, or beside it while there is none."""
    raw = "https://raw.githubusercontent.com"
    home = ("" if PLACEHOLDER in repository["url"] else
            repository["url"].replace("https://github.com", raw) + f"/{repository['branch']}/")
    return re.sub(rf'((?:src|srcset)=")(?:{re.escape(raw)}/[^"]*/)?_static/',
                  lambda found: f"{found[1]}{home}_static/", text)


def main(true_address: str = "") -> int:
    repository = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["repository"]
    if true_address and repository["url"] != true_address:
        print(f"_config.yml gives the repository's address as {repository['url']}, but this is "
              f"{true_address}: write that into _config.yml, run `make address`, and commit.")
        return 1
    for path in sorted((ROOT / "book").glob("*.ipynb")):
        write(path, repository)
    text = readme((ROOT / "README.md").read_text(encoding="utf-8"), repository)
    (ROOT / "README.md").write_text(text, encoding="utf-8", newline="\n")
    print(left_to_do(repository["url"]))
    return 0


def left_to_do(url: str) -> str:
    """The way from here to a published book."""
    if PLACEHOLDER in url:
        return (f"The book has no address yet: {url} is a placeholder, and its pages show no "
                "buttons that lead there.\nLeft to do:\n"
                "  1. in _config.yml, write the repository's address as repository.url\n"
                "  2. make address\n"
                "  3. commit, and push to main\n"
                "  4. on GitHub, Settings > Pages > Source: GitHub Actions")
    return (f"Every notebook names {url}, and so will the buttons of the pages.\nLeft to do: "
            "commit, and push to main; once, on GitHub, Settings > Pages > Source: GitHub Actions.")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
