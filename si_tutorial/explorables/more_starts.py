"""A hundred starts more: the quotient of means settles, the mean of quotients does not."""

from pathlib import Path

from traitlets import Enum, Float, Int

from si_tutorial.explorables.explorable import Explorable, bundle


class MoreStarts(Explorable):
    """Importance of weight 1 in a tilted bowl over random starts, averaged in two ways.

    `hundreds` says how many starts are drawn; `tilt` (degrees) turns the steep axis; `damping` is
    the ξ in the mean of the quotients ω / (Δ² + ξ). Both are in units of half the curvature.
    """

    _esm = bundle(Path(__file__).with_suffix(".js"))
    hundreds = Int(1, min=1, max=60).tag(sync=True)
    tilt = Float(30.0, min=0, max=90).tag(sync=True)
    damping = Enum([0, 0.01, 0.1, 1], default_value=0).tag(sync=True)
