"""How strong the springs: from one task's minimum to the other's, and what it costs."""

from pathlib import Path

from traitlets import Bool, Float

from si_tutorial.explorables.explorable import Explorable, bundle


class BestC(Explorable):
    """Two bowls, importance ½ H₁_kk, and where the second task ends for every strength c.

    H₁ and H₂ have the curvature `steep1` (`steep2`) in the direction `angle1` (`angle2`, degrees)
    and `flat1` (`flat2`) across it; with `diagonal` only their diagonals count, so that the weights
    do not interact. Minima: the first at 0, the second at (`shift_x`, `shift_y`).
    """

    _esm = bundle(Path(__file__).with_suffix(".js"))
    log_strength = Float(-0.5, min=-2, max=2).tag(sync=True)
    steep1 = Float(4.0, min=1, max=8).tag(sync=True)
    flat1 = Float(0.6, min=0, max=1).tag(sync=True)
    angle1 = Float(60.0, min=0, max=180).tag(sync=True)
    steep2 = Float(5.0, min=1, max=8).tag(sync=True)
    flat2 = Float(1.0, min=0.2, max=1).tag(sync=True)
    angle2 = Float(90.0, min=0, max=180).tag(sync=True)
    diagonal = Bool(False).tag(sync=True)
    shift_x = Float(1.3, min=-1.5, max=1.5).tag(sync=True)
    shift_y = Float(1.3, min=-1.5, max=1.5).tag(sync=True)
