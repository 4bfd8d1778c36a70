"""Two tasks, two bowls, one weight vector: learning the second may cost the first."""

from pathlib import Path

from traitlets import Float

from si_tutorial.explorables.explorable import Explorable, bundle


class TwoBowls(Explorable):
    """Gradient flow into the bowl of task A, and from its minimum into the bowl of task B.

    Minima at (`a_x`, `a_y`) and (`b_x`, `b_y`). A bowl stretched by s has the curvature 1/s along
    its valley, whose direction is given in degrees, and s across it. `time` runs from 0 (the
    start) over 1 (A is learned) to 2 (B is learned too).
    """

    _esm = bundle(Path(__file__).with_suffix(".js"))
    a_x = Float(-1.0, min=-2.5, max=2.5).tag(sync=True)
    a_y = Float(-0.4, min=-2.5, max=2.5).tag(sync=True)
    b_x = Float(1.2, min=-2.5, max=2.5).tag(sync=True)
    b_y = Float(0.8, min=-2.5, max=2.5).tag(sync=True)
    stretch_a = Float(3.0, min=1, max=10).tag(sync=True)
    valley_a = Float(115.0, min=0, max=180).tag(sync=True)
    stretch_b = Float(2.0, min=1, max=10).tag(sync=True)
    valley_b = Float(150.0, min=0, max=180).tag(sync=True)
    time = Float(1.0, min=0, max=2).tag(sync=True)
