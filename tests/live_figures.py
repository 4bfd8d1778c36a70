"""The live figures with data made up for the tests, and the keys that reach each one's target."""

import base64
import importlib

import numpy as np
import pytest

from si_tutorial.explorables.flipbook import Page, flipbook
from si_tutorial.explorables.published import summaries

FIGURES = {
    "account_steps": "AccountSteps", "best_c": "BestC", "draw_a_path": "DrawAPath",
    "flipbook": "Flipbook", "last_penalty": "LastPenalty", "method_explorer": "MethodExplorer",
    "more_starts": "MoreStarts", "noise_meets_itself": "NoiseMeetsItself",
    "quadratic_bowl": "QuadraticBowl", "square_of_mean": "SquareOfMean",
    "strength_damping": "StrengthDamping", "three_rulers": "ThreeRulers", "two_bowls": "TwoBowls",
}

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>figures</title>
<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">
<style>body {{ font: 16px sans-serif; margin: 16px; max-width: 800px }}
label {{ display: inline-block }} legend {{ float: left; width: 100% }} p {{ margin: 20px }}
button, td, th {{ padding: 20px; color: red }}  /* as a page's own style may have it */
</style></head>
<body>{}</body></html>"""
LOOKS = {"wide": (1280, "light"), "phone": (390, "light")}


def looks(*names):
    """Runs a browser test in these looks only."""
    return pytest.mark.parametrize("look", [LOOKS[n] for n in names], ids=names, indirect=True)


# for each figure: which control, and which keys, one after another
TARGETS = {
    "account_steps": [("input[name=rate]", "Home ArrowRight"),
                      ("button:text('To the end')", "Enter")],
    "best_c": [("button:text('Turn task 1')", "Enter"), ("input[name=flat1]", "Home"),
               ("input[name=log_strength]", "Home ArrowRight*40")],
    "draw_a_path": [(f".si-handle >> nth={i}", "Shift+ArrowDown*6") for i in range(3)],
    "flipbook": [("input[data-name=method]", "ArrowRight"), ("input[name=task]", "End")],
    "last_penalty": [("input[name=tilt]", "Home"), ("input[data-name=memory]", "ArrowRight")],
    "method_explorer": [("input[data-name=method]", "ArrowRight"),
                        ("input[data-name=strength]", "ArrowRight")],
    "more_starts": [("button:text('Draw 100 more')", "Enter*2")],
    "noise_meets_itself": [("input[name=log_batch]", "Home ArrowRight*4")],
    "quadratic_bowl": [("input[name=start]", "ArrowRight*40")],
    "square_of_mean": [("input[name=log_batch]", "End")],
    "strength_damping": [("input[name=log_strength]", "Home ArrowRight*3")],
    "three_rulers": [("input[value='√Fisher']", "Space"), ("input[value='640']", "Space")],
    "two_bowls": [("input[name=stretch_a]", "End"), ("input[name=valley_a]", "Home ArrowRight*29"),
                  ("button:text('Then learn B')", "Enter")],
}


# and one that leaves it again
LEAVES = {
    "account_steps": ("input[name=rate]", "End"), "best_c": ("input[name=flat1]", "End"),
    "draw_a_path": ("button:text('straight')", "Enter"), "flipbook": ("input[name=task]", "Home"),
    "last_penalty": ("input[name=tilt]", "End"),
    "method_explorer": ("input[data-name=method]", "ArrowLeft"),
    "more_starts": ("input[data-name=damping]", "ArrowRight"),
    "noise_meets_itself": ("input[name=log_batch]", "End"),
    "quadratic_bowl": ("input[name=tilt]", "Home"),
    "square_of_mean": ("input[name=log_batch]", "Home"),
    "strength_damping": ("input[name=log_strength]", "End"),
    "three_rulers": ("input[value='10']", "Space"), "two_bowls": ("input[name=time]", "Home"),
}


def make(name, **traits):
    """The figure of that name; what it shows of data is made up."""
    if name == "flipbook":
        return flipbook(picture, question="Where does a measure look?", goal="Find the last page.",
                        reached={"method": "EWC", "task": 3},
                        **{"method": ["SI", "EWC"], "task": [1, 2, 3], **traits})
    if name == "strength_damping":
        traits.setdefault("runs", summaries(
            [record("SI", c, 1e-3, 0.99 - abs(np.log10(c)) / 20) for c in np.logspace(-3, 4, 8)]
            + [record("SI", 1.0, 10.0**power, 0.9) for power in (-6, -5, -4, -2, -1, 0)]))
    if name == "three_rulers":
        traits.setdefault("found", COMPARED)
    if name == "method_explorer":
        traits.setdefault("runs", summaries(RECORDS))
    module = importlib.import_module(f"si_tutorial.explorables.{name}")
    return getattr(module, FIGURES[name])(**traits)


def record(method, strength, damping, kept, *, scenario="task", seed=0, held_out=0, tasks=4):
    """A stored run in which every old task is right for the share `kept` of its images."""
    accuracy = [[0.995 if i == j else float(kept) if j < i else 0.5 for j in range(tasks)]
                for i in range(tasks)]
    return {"scenario": scenario, "method": method, "strength": strength, "damping": damping,
            "seed": seed, "held_out": held_out, "dropout": 0.0, "accuracy": accuracy,
            "head_weights": "zero" if scenario == "task" else "random"}


RECORDS = [
    *(record("fine-tuning", None, None, 0.6 + seed / 50, seed=seed) for seed in range(3)),
    record("joint", None, None, 0.99),
    *(record("SI", c, 1e-3, kept, seed=seed) for c, kept in ((0.1, 0.7), (1.0, 0.95), (10.0, 0.9))
      for seed in range(2)),
    record("SI", 1.0, 1e-2, 0.8),
    record("SI", 100.0, 1e-3, 0.99, held_out=10),  # better, but not on test images
    *(record(method, None, None, 0.1, scenario="class") for method in ("fine-tuning", "joint")),
    record("EWC", 5.0, None, 0.2, scenario="class"),
]

EVEN = [[1.0] * 10] * 10
COMPARED = [{"ruler": ruler, "batch_size": size, "layer": layer, "pixel": pixel,
             "layer_map": [[10.0 * (i == j) for j in range(10)] for i in range(10)],
             "pixel_map": pixel and EVEN}
            for ruler, layers, pixels in (("path integral", (0.7, 0.9), (0.4, 0.95)),
                                          ("√Fisher", (0.9, 0.8), (0.5, 0.1)),
                                          ("brightness", (0.8, 0.8), (None, None)))
            for size, layer, pixel in zip((10, 640), layers, pixels, strict=True)]

# the smallest PNG that can be seen: 2 × 2 pixels
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAFklEQVR4nGP8z8DAwMDAxMDAwMDAAAANHQEDasKb"
    "6QAAAABJRU5ErkJggg==")


def picture(method, task):
    return Page(PNG, alt=f"four pixels made up for a test of {method}, task {task}",
                 caption=f"What {method} says about task {task}, in four pixels.")
