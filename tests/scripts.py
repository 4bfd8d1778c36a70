"""Files that are no part of a package, as modules: the tools and the book's extensions."""

import importlib.util
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def script(path):
    spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
