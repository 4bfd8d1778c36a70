"""The live figures, and the keys that reach the target of each."""

import importlib

FIGURES = {
    "quadratic_bowl": "QuadraticBowl",
}

# for each figure: which control, and which keys, one after another
TARGETS = {
    "quadratic_bowl": [("input[name=start]", "ArrowRight*40")],
}


def make(name, **traits):
    """The figure of that name; what it shows of data is made up."""
    module = importlib.import_module(f"si_tutorial.explorables.{name}")
    return getattr(module, FIGURES[name])(**traits)
