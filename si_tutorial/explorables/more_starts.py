"""A hundred starts more: all of them pooled settle, the average of single results does not."""

from pathlib import Path

from traitlets import Enum, Float, Int

from si_tutorial.explorables.explorable import Explorable, bundle


class MoreStarts(Explorable):
    """Importance of weight 1 in a tilted bowl over random starts, averaged in two ways.

    `hundreds` says how many starts are drawn; `tilt` (degrees) turns the steep axis; `damping` is
    the ξ in the average of ω / (Δ² + ξ). Both averages are in units of half the curvature.
    """

    _esm = bundle(Path(__file__).with_suffix(".js"))
    hundreds = Int(1, min=1, max=60).tag(sync=True)
    tilt = Float(30.0, min=0, max=90).tag(sync=True)
    damping = Enum([0, 0.01, 0.1, 1], default_value=0).tag(sync=True)
