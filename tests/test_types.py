"""Every public function says the types of what it takes and what it gives back."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "si_tutorial"
FILES = [pytest.param(path, id=str(path.relative_to(PACKAGE)))
         for path in sorted(PACKAGE.rglob("*.py"))]


def public_functions(tree):
    """A module's public functions, and its public classes' public methods and `__init__`."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield node
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from (method for method in node.body if isinstance(method, ast.FunctionDef)
                        and (method.name == "__init__" or not method.name.startswith("_")))


def untyped(function):
    """The names of the parameters without a type, and "return"."""
    args = function.args
    named = [*args.posonlyargs, *args.args, *args.kwonlyargs,
             *filter(None, (args.vararg, args.kwarg))]
    missing = [arg.arg for arg in named if not arg.annotation and arg.arg not in ("self", "cls")]
    return missing + ["return"] * (function.returns is None and function.name != "__init__")


@pytest.mark.parametrize("path", FILES)
def test_no_public_function_leaves_a_type_open(path):
    functions = public_functions(ast.parse(path.read_text(encoding="utf-8")))
    assert {f.name: untyped(f) for f in functions if untyped(f)} == {}


def test_an_open_type_is_found_wherever_it_is():
    source = "def f(a, *b, c: int = 1, **d): pass\nclass A:\n    def __init__(self, x): pass\n"
    assert [untyped(f) for f in public_functions(ast.parse(source))] == [
        ["a", "b", "d", "return"], ["x"]]
