"""What Colab does with a notebook's first cell, for real: install the package from its address.

Run by `make colab` in an environment of its own with nothing in it but IPython, in an empty
folder. The notebook that needs least then runs to its end on what the cell has installed.
"""

import json
import os
import sys
import tempfile
import types
from pathlib import Path

from IPython.core.interactiveshell import InteractiveShell

NOTEBOOK = Path(__file__).resolve().parents[1] / "book" / "notation.ipynb"


def code(notebook: Path) -> list[str]:
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def main() -> int:
    sys.modules["google.colab"] = types.ModuleType("google.colab")
    shell = InteractiveShell.instance()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for number, source in enumerate(code(NOTEBOOK), start=1):
            if not (done := shell.run_cell(source)).success:
                print(f"{NOTEBOOK.name}, code cell {number}: {done.error_in_exec!r}")
                return 1
        os.chdir(NOTEBOOK.parent)  # the folder cannot be removed while someone is in it
    print("the cell for Colab installs what its notebook needs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
