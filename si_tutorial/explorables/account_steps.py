"""The account in slow motion: each step lays a brick, at the end the bricks become springs."""

from pathlib import Path

from traitlets import Float, Int

from si_tutorial.explorables.explorable import Explorable, bundle


class AccountSteps(Explorable):
    """Gradient descent in a tilted bowl, and what each step −η g credits to each weight.

    `steps` of 30 are taken, of learning rate `rate`, from (`start_x`, `start_y`); `log_damping` is
    log₁₀ ξ.
    """

    _esm = bundle(Path(__file__).with_suffix(".js"))
    steps = Int(1, min=0, max=30).tag(sync=True)
    rate = Float(0.06, min=0.01, max=0.37).tag(sync=True)
    start_x = Float(0.4, min=-2.5, max=2.5).tag(sync=True)
    start_y = Float(1.9, min=-2.5, max=2.5).tag(sync=True)
    log_damping = Float(-2.0, min=-4, max=1).tag(sync=True)
