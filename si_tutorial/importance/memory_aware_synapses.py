"""Memory aware synapses: importance is how much the outputs depend on a parameter."""

from collections.abc import Callable, Iterable
from typing import Self

from torch import Tensor

from si_tutorial.fisher import output_sensitivity
from si_tutorial.importance.penalty import QuadraticPenalty
from si_tutorial.importance.processes import mean_over_processes


class MemoryAwareSynapses(QuadraticPenalty):
    """Each task adds the mean over its inputs of |∂ ‖logits‖² / ∂θₖ|; no label is looked at.

    Aljundi et al. 2018, eq. 3 with the squared norm, and eq. 4: the penalty is c Σ Ω (θ − θ̃)² at
    the latest weights, without a factor ½, and c is their λ. Unlike SI's and EWC's, this
    importance is no curvature of the loss: its unit is that of the squared logits per θ, so its
    strength does not compare with theirs.

    Parameters
    ----------
    network, strength, protect : see `QuadraticPenalty`.
    """

    def consolidate(self, batches: Iterable, *,
                    forward: Callable[..., Tensor] | None = None) -> Self:
        """End a task: measure the sensitivity at the present weights. Returns self.

        `batches` yields (x, y) of the task that ends, x a tensor or tuples and dicts of tensors,
        and `forward` returns the outputs `(batch, outputs)` of its head, whatever they mean; by
        default the network itself. Raises FloatingPointError, and changes nothing, if an
        importance or a weight is NaN or infinite; for other errors see
        `si_tutorial.fisher.fisher_information`.
        """
        self._begin_consolidation()
        increment = mean_over_processes(
            self._network, batches,
            lambda network, batches: output_sensitivity(network, batches, forward=forward,
                                                        parameters=self._params.values()))
        return self._end_task({name: self.importance[name] + added
                               for name, added in increment.items()}, self._params)
