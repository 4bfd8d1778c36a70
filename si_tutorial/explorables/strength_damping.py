"""Strength and damping of SI on real runs: the published ones, to be slid through."""

from pathlib import Path

from traitlets import Int, List

from si_tutorial.explorables.explorable import Explorable, bundle


class StrengthDamping(Explorable):
    """The matrix and the mean accuracy of one published setting of SI, among its neighbours.

    `runs` are `published.summaries` of runs with SI that vary the strength at one damping, and the
    damping at one strength. `log_strength` and `log_damping` are powers of ten; there is no run
    with both away from the crossing, so that moving one puts the other back.
    """

    _esm = bundle(Path(__file__).with_suffix(".js"))
    runs = List().tag(sync=True)
    log_strength = Int(-2, min=-3, max=4).tag(sync=True)
    log_damping = Int(-3, min=-6, max=0).tag(sync=True)
