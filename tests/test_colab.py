"""A notebook opened alone: its first code cell installs, on Colab and only there, what it lacks."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from scripts import script

ROOT = Path(__file__).resolve().parents[1]
REPOSITORY = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["repository"]
NOTEBOOKS = sorted((ROOT / "book").glob("*.ipynb"))
EACH = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
COMES_ALONG = {"IPython", "ipywidgets", "matplotlib"}  # with Colab, anywidget, seaborn
MODULES = {"myst-nb": "myst_nb"}                       # a package's module, if named otherwise
RUN = """
import json, sys, types
from IPython.core.interactiveshell import InteractiveShell
if sys.argv[2] == "on Colab":
    sys.modules["google.colab"] = types.ModuleType("google.colab")
shell = InteractiveShell.instance()
shell.register_magic_function(lambda line: print("installs", line), magic_name="pip")
for cell in json.load(open(sys.argv[1], encoding="utf-8"))["cells"]:
    if cell["cell_type"] == "code":
        shell.run_cell("".join(cell["source"])).raise_error()
print("to its end")
"""


def code_cells(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


@EACH
def test_the_first_code_cell_is_the_same_everywhere_and_names_the_one_address(path):
    first, *others = code_cells(path)
    assert first == script("tools/address.py").cell(REPOSITORY)
    assert "colab" not in {cell["id"] for cell in others}
    assert f"git+{REPOSITORY['url']}@{REPOSITORY['branch']}" in first["source"][-1]


@EACH
def test_writing_the_address_again_changes_nothing(path, tmp_path):
    copy = Path(shutil.copy(path, tmp_path))
    script("tools/address.py").write(copy, REPOSITORY)
    assert copy.read_bytes() == path.read_bytes()
    script("tools/address.py").write(copy, {"url": "https://github.com/a/b", "branch": "c"})
    assert "git+https://github.com/a/b@c" in copy.read_text(encoding="utf-8")


def test_it_says_what_is_left_to_do():
    left = script("tools/address.py").left_to_do
    placeholder = left("https://github.com/-owner-/si-tutorial")
    assert "no address yet" in placeholder
    assert [re.search(rf"^  {i}\. .*({word})", placeholder, re.MULTILINE) is not None
            for i, word in enumerate(("_config.yml", "make address", "commit", "Pages"), 1)
            ] == 4 * [True]
    real = left("https://github.com/someone/book")
    assert "no address" not in real and "https://github.com/someone/book" in real


def test_a_false_address_is_refused_before_publishing(capsys):
    assert script("tools/address.py").main("https://github.com/another/one") == 1
    assert "write that into _config.yml" in capsys.readouterr().out


@pytest.mark.parametrize("where", ["on Colab", "elsewhere"])
def test_a_notebook_alone_in_an_empty_folder_runs_to_its_end(where, tmp_path):
    shutil.copy(ROOT / "book/notation.ipynb", tmp_path)
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    done = subprocess.run([sys.executable, "-c", RUN, "notation.ipynb", where], cwd=tmp_path,
                          capture_output=True, encoding="utf-8",
                          env={**os.environ, "PYTHONPATH": paths, "PYTHONUTF8": "1",
                               "IPYTHONDIR": str(tmp_path / "ipython")})
    assert done.stdout.endswith("to its end\n"), done.stdout + done.stderr
    installs = re.findall(r"^installs (.*)$", done.stdout, re.MULTILINE)
    source = f'{REPOSITORY["url"]}@{REPOSITORY["branch"]}'
    wanted = f'install --quiet "si-tutorial[notebooks] @ git+{source}"'
    assert installs == ([wanted] if where == "on Colab" else [])


@EACH
def test_what_a_notebook_imports_comes_with_the_package_and_its_extra(path):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extra = (ROOT / "requirements/notebooks.txt").read_text(encoding="utf-8").splitlines()
    names = [re.match(r"[\w-]*", line)[0] for line in (*project["dependencies"], *extra)]
    there = {MODULES.get(name, name) for name in names} | COMES_ALONG | {"si_tutorial"}
    imported = set()
    for cell in code_cells(path)[1:]:
        for node in ast.walk(ast.parse("".join(cell["source"]))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(node.module.split(".")[0])
    assert imported - set(sys.stdlib_module_names) <= there
