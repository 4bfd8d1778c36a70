"""Two weights in a tilted bowl: what each earns on the way to the minimum."""

from pathlib import Path

from traitlets import Float

from si_tutorial.explorables.explorable import Explorable, bundle


class QuadraticBowl(Explorable):
    """Gradient flow in E = ½ dᵀ H d for two weights, with the share and importance of each.

    Attributes
    ----------
    curvature : float
        The larger eigenvalue of H; the other is 1.
    tilt : float
        Angle between weight 1 and the steep direction, in degrees.
    start : float
        Direction of d = θ(0) − θ*, in degrees; its length is 2.
    log_damping : float
        log₁₀ ξ.
    """

    _esm = bundle(Path(__file__).with_suffix(".js"))
    curvature = Float(8.0, min=1, max=20).tag(sync=True)
    tilt = Float(30.0, min=0, max=90).tag(sync=True)
    start = Float(45.0, min=0, max=359).tag(sync=True)
    log_damping = Float(-3.0, min=-4, max=1).tag(sync=True)
