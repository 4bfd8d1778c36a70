"""What the last penalty remembers of the tasks before: all of it, or a diagonal, and from where."""

from pathlib import Path

from traitlets import Enum, Float

from si_tutorial.explorables.explorable import Explorable, bundle


class LastPenalty(Explorable):
    """Two or three quadratic tasks, learned one after another under a penalty.

    `memory` is "posterior", "each" (one diagonal penalty per task) or "latest" (one diagonal
    penalty at the latest anchor). The bowls have the curvatures 4 and 1, tilted by `tilt` degrees
    in different ways; their minima can be moved. In one dimension only weight 1 is left.
    """

    _esm = bundle(Path(__file__).with_suffix(".js"))
    tasks = Enum([2, 3], default_value=3).tag(sync=True)
    dimensions = Enum([1, 2], default_value=2).tag(sync=True)
    memory = Enum(["posterior", "each", "latest"], default_value="each").tag(sync=True)
    tilt = Float(35.0, min=0, max=45).tag(sync=True)
    m1x = Float(-1.9, min=-2.5, max=2.5).tag(sync=True)
    m1y = Float(-0.7, min=-2.5, max=2.5).tag(sync=True)
    m2x = Float(1.7, min=-2.5, max=2.5).tag(sync=True)
    m2y = Float(-1.0, min=-2.5, max=2.5).tag(sync=True)
    m3x = Float(0.8, min=-2.5, max=2.5).tag(sync=True)
    m3y = Float(1.8, min=-2.5, max=2.5).tag(sync=True)
