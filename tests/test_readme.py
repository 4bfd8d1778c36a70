"""README's picture belongs to the published results, and stands where README can show it."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from scripts import script

from si_tutorial.look import COLORS

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SVG = "{http://www.w3.org/2000/svg}"


PICTURE = script("tools/readme_picture.py")


def published():
    """By method, the mean accuracy on the tasks seen, read from the lines themselves."""
    lines = (ROOT / "si_tutorial/results/permuted-mnist.jsonl").read_text(encoding="utf-8")
    records = [json.loads(line) for line in lines.splitlines()]
    assert {r["method"]: (r["data"], r["hidden"], r["held_out"], r["epochs"]) for r in records} == (
        dict.fromkeys(PICTURE.NAMES, ("mnist", [2000, 2000], 0, 20)))  # the paper's size
    return {record["method"]: [np.mean(row[:task]) for task, row in
                               enumerate(record["accuracy"], start=1)] for record in records}


@pytest.mark.parametrize("look", PICTURE.LOOKS)
def test_the_picture_is_the_one_that_the_published_lines_give(look):
    file = (ROOT / f"_static/permuted-mnist-{look}.svg").read_text(encoding="utf-8")
    assert file == PICTURE.picture(PICTURE.curves(), look), "run `make picture`"


@pytest.mark.parametrize("look", PICTURE.LOOKS)
def test_its_points_lie_where_the_numbers_are(look):
    root = ElementTree.parse(ROOT / f"_static/permuted-mnist-{look}.svg").getroot()
    words = {text.text: text for text in root.iter(f"{SVG}text")}
    low, high = (float(words[f"{p} %"].get("y")) for p in (0, 100))
    expected = published()
    colors = PICTURE.LOOKS[look]
    for method, values in expected.items():
        line = next(line for line in root.iter(f"{SVG}polyline")
                    if line.get("stroke") == colors[method])
        points = np.array([[float(n) for n in pair.split(",")]
                           for pair in line.get("points").split()])
        np.testing.assert_allclose(points[:, 0], [float(words[str(t)].get("x"))
                                                  for t in range(1, 11)])
        np.testing.assert_allclose((points[:, 1] + 5 - low) / (high - low), values, atol=5e-4)
        assert f"{100 * values[-1]:.1f} %" in words
    if look == "light":
        assert {m: colors[m] for m in expected} == {m: COLORS[m] for m in expected}


def test_readme_describes_it_with_its_own_numbers():
    lines = published()
    alt = re.search(r'<img src="[^"]*_static/permuted-mnist-light\.svg"[^>]* alt="([^"]*)"',
                    README)[1]
    assert re.findall(r"[\d.]+ %", alt) == [f"{100 * a:.1f} %" for a in (
        lines["fine-tuning"][0], lines["fine-tuning"][-1], lines["SI"][-1])]
    assert "permuted-mnist-dark.svg" in README


def test_with_an_address_the_picture_has_a_whole_one_and_without_it_none():
    address = script("tools/address.py")
    real = {"url": "https://github.com/someone/book", "branch": "main"}
    home = "https://raw.githubusercontent.com/someone/book/main/_static/permuted-mnist-"
    there = address.readme(README, real)
    assert f'src="{home}light.svg"' in there and f'srcset="{home}dark.svg"' in there
    assert address.readme(there, real) == there
    assert address.readme(there, {**real, "url": "https://github.com/-owner-/x"}) == (
        address.readme(README, {**real, "url": "https://github.com/-owner-/x"}))
