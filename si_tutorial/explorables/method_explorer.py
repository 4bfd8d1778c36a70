"""Scenario, method, strength and damping: the published runs of an experiment, to choose from."""

from pathlib import Path

from traitlets import Float, List, Unicode

from si_tutorial.explorables.explorable import Explorable, bundle


class MethodExplorer(Explorable):
    """The accuracy matrix of a published setting, and its curve beside those of its scenario.

    `runs` are `published.summaries` of an experiment's records; `scenario`, `method`, `strength`
    and `damping` say which is shown. What no run has falls back to the nearest that there is.
    `about` says what the tasks are; `question` and `goal` (without a full stop) replace the usual
    ones. The goal is met by what ends highest in the scenario shown first, joint training aside.
    """

    _esm = bundle(Path(__file__).with_suffix(".js"))
    runs = List().tag(sync=True)
    about = Unicode("").tag(sync=True)
    question = Unicode("").tag(sync=True)
    goal = Unicode("").tag(sync=True)
    scenario = Unicode("").tag(sync=True)
    method = Unicode("fine-tuning").tag(sync=True)
    strength = Float(None, allow_none=True).tag(sync=True)
    damping = Float(None, allow_none=True).tag(sync=True)

    def state(self) -> dict:
        """A run of one seed has no range, so the page need not hold it."""
        state = super().state()
        return {**state, "runs": [{**run, "low": [], "high": []} if run["seeds"] == 1 else run
                                  for run in state["runs"]]}
