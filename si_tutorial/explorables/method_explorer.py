"""Scenario, method, strength and damping: the published runs of an experiment, to choose from."""

from pathlib import Path

from traitlets import Float, List, Unicode

from si_tutorial.explorables.explorable import Explorable, bundle


class MethodExplorer(Explorable):
    """The accuracy matrix of a published setting, and its curve beside those of its scenario.

    `runs` are `published.summaries` of an experiment's records; `scenario`, `method`, `strength`
    and `damping` say which is shown. What no run has falls back to the nearest that there is.
    """

    _esm = bundle(Path(__file__).with_suffix(".js"))
    runs = List().tag(sync=True)
    scenario = Unicode("").tag(sync=True)
    method = Unicode("fine-tuning").tag(sync=True)
    strength = Float(None, allow_none=True).tag(sync=True)
    damping = Float(None, allow_none=True).tag(sync=True)
