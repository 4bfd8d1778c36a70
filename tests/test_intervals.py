"""One rule for what a spread over seeds looks like, in every chapter.

A band is the range of the seeds. An interval is Student's for a mean, shown from
`metrics.ENOUGH` seeds on (`report.half_interval`, `report.told` and `report.results` hold this).
"""

import json
import re

import pytest
from test_book import ROOT, notebooks

DRAWING = [ROOT / "si_tutorial/figures.py", ROOT / "si_tutorial/experiments/plots.py"]


def code(path):
    """Its code, without the quotes and breaks that a long text is put together with."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        text = "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"]
                         if cell["cell_type"] == "code")
    return re.sub(r"\"\s*f?\"", "", text)


@pytest.mark.parametrize("path", [*DRAWING, *notebooks()], ids=lambda path: path.stem)
def test_a_band_or_bar_is_the_range_of_the_seeds_or_nothing(path):
    kinds = re.findall(r"errorbar=(\([^)]*\)|[^,)]+)", code(path))
    assert set(kinds) <= {'("pi", 100)', "None"}


@pytest.mark.parametrize("path", notebooks(), ids=lambda path: path.stem)
def test_a_caption_that_names_a_band_says_that_it_is_the_range(path):
    for said in re.findall(r"\bbands?\b[^.]*\.", code(path)):
        assert re.search(r"\brange\b", said), said
