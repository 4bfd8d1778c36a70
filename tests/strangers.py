"""What a stranger's file holds for `--from`: a measure of one's own."""

ROOT_FISHER = '''
import torch
from si_tutorial.datasets import Dataset
from si_tutorial.fisher import fisher_information
from si_tutorial.importance import QuadraticPenalty


class RootFisher(QuadraticPenalty):
    """Importance is the root of the Fisher information."""

    def consolidate(self, batches, *, forward=None):
        self._begin_consolidation()
        fisher = fisher_information(self._network, batches, forward=forward)
        return self._end_task({name: self.importance[name] + f.sqrt()
                               for name, f in fisher.items()}, self._params)
'''
