"""SI's account against several rulers: over a whole layer, and among weights of one input."""

from pathlib import Path
from typing import Any

from traitlets import Int, List, Unicode

from si_tutorial.explorables.explorable import Explorable, bundle


class ThreeRulers(Explorable):
    """How well SI orders the weights of a first layer as each ruler does, by batch size.

    `found` has an entry for each `ruler` and `batch_size`: the rank correlations `layer` and
    `pixel` (None if the ruler cannot tell weights of one pixel apart), and for both a map
    (`layer_map`, `pixel_map`): the share of weights by SI's rank (rows) and the ruler's (columns),
    lowest first, 1 where it is what chance would give.
    """

    _esm = bundle(Path(__file__).with_suffix(".js"))
    found = List().tag(sync=True)
    ruler = Unicode().tag(sync=True)
    batch_size = Int(0).tag(sync=True)

    def __init__(self, found: list[dict], **traits: Any) -> None:
        """The first entry of `found` is shown, unless `ruler` and `batch_size` say otherwise."""
        first = {name: found[0][name] for name in ("ruler", "batch_size")}
        super().__init__(found=found, **{**first, **traits})
