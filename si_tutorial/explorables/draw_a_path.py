"""A path to be drawn over a tilted bowl: the account of each weight, live."""

from pathlib import Path

from traitlets import Float

from si_tutorial.explorables.explorable import Explorable, bundle


class DrawAPath(Explorable):
    """Accounts of two weights along a path with three corners, between two ends that stay.

    `coupling` is H₁₂; the diagonal of H is (2, 2). Corners are (`x1`, `y1`) … (`x3`, `y3`).
    """

    _esm = bundle(Path(__file__).with_suffix(".js"))
    coupling = Float(1.2, min=-1.8, max=1.8).tag(sync=True)
    x1 = Float(-1.3, min=-2.5, max=2.5).tag(sync=True)
    y1 = Float(0.8, min=-2.5, max=2.5).tag(sync=True)
    x2 = Float(-0.3, min=-2.5, max=2.5).tag(sync=True)
    y2 = Float(1.4, min=-2.5, max=2.5).tag(sync=True)
    x3 = Float(0.7, min=-2.5, max=2.5).tag(sync=True)
    y3 = Float(1.2, min=-2.5, max=2.5).tag(sync=True)
