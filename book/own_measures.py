"""Three measures of importance that the package lacks.

For the option --from of `python -m si_tutorial run`.
"""

from si_tutorial.fisher import fisher_information
from si_tutorial.importance import (
    ElasticWeightConsolidation,
    QuadraticPenalty,
)


class RootFisher(QuadraticPenalty):
    """The root of the Fisher information: weights differ less."""

    def consolidate(self, batches, *, forward=None):
        self._begin_consolidation()
        fisher = fisher_information(self._network, batches,
                                    forward=forward)
        importance = {name: self.importance[name] + fisher[name].sqrt()
                      for name in self.importance}
        return self._end_task(importance, self._params)


class EmpiricalFisher(ElasticWeightConsolidation):
    """EWC with the data's labels in place of the network's answers."""

    def __init__(self, network, *, strength=1.0):
        super().__init__(network, strength=strength, labels="true")


class ReversedLogits(EmpiricalFisher):
    """Logits reversal (Liu & Chang 2026), squared example by example."""

    def consolidate(self, batches, *, forward=None):
        forward = forward or self._network
        return super().consolidate(batches, forward=lambda x: -forward(x))
