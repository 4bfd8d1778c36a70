"""Three importance measures that the package lacks, for `python -m si_tutorial run --from`."""

from si_tutorial.fisher import fisher_information
from si_tutorial.importance import ElasticWeightConsolidation, QuadraticPenalty


class RootFisher(QuadraticPenalty):
    """The root of the Fisher information, which tells weights apart less sharply."""

    def consolidate(self, batches, *, forward=None):
        self._begin_consolidation()
        fisher = fisher_information(self._network, batches, forward=forward)
        importance = {name: self.importance[name] + fisher[name].sqrt()
                      for name in self.importance}
        return self._end_task(importance, self._params)


class EmpiricalFisher(ElasticWeightConsolidation):
    """EWC with the labels of the data in place of the network's own answers."""

    def __init__(self, network, *, strength=1.0):
        super().__init__(network, strength=strength, labels="true")


class ReversedLogits(EmpiricalFisher):
    """Logits reversal (Liu & Chang 2026), each example's gradient squared by itself."""

    def consolidate(self, batches, *, forward=None):
        forward = forward or self._network
        return super().consolidate(batches, forward=lambda x: -forward(x))
