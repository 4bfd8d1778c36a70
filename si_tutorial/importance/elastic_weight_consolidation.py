"""Elastic weight consolidation: importance is the Fisher information at the end of a task."""

from collections.abc import Callable, Iterable
from typing import Literal, Self

import torch
from torch import Tensor, nn

from si_tutorial.fisher import Labels, Likelihood, check_choices, fisher_information
from si_tutorial.importance import guards
from si_tutorial.importance.penalty import QuadraticPenalty
from si_tutorial.importance.processes import mean_over_processes
from si_tutorial.importance.selection import Protect


class ElasticWeightConsolidation(QuadraticPenalty):
    """Each task leaves half its Fisher information, measured once, where the task ended.

    Bayes' rule over tasks with a Laplace approximation and a diagonal Fisher information F: task t
    adds ½ Σₖ Fₖ (θₖ − θₖᵗ)² to the loss (Kirkpatrick et al. 2017, eq. 3, with λ our `strength`)::

        ewc = ElasticWeightConsolidation(network, strength=100.0).attach(optimizer)
        for task in tasks:
            ...                       # the loop everyone knows, on the task loss alone
            ewc.consolidate(task.batches(256), forward=lambda x: network(x, task))

    Parameters
    ----------
    network : torch.nn.Module
    strength : float
        c ≥ 0. As the penalty has no factor ½, the importance is F/2, and c is EWC's λ.
    protect : see `QuadraticPenalty`
    anchors : {"per_task", "latest"}
        "per_task": one penalty per task, at the weights each task ended with, as published. Their
        sum is one parabola per parameter, Σₜ Fᵗ (θ−θᵗ)² = A (θ−b)² + const with A = Σₜ Fᵗ and
        b = Σₜ Fᵗ θᵗ / A, so neither memory nor time grows with the tasks. "latest": online EWC,
        one penalty at the latest weights.
    decay : float
        γ in [0, 1], for "latest" only: Ω ← γ Ω + F/2 (Schwarz et al. 2018, eq. 9).
    likelihood
        What the outputs mean, see `si_tutorial.fisher.fisher_information`. The default is that of
        `F.cross_entropy`. With "bernoulli" and the mean that `F.binary_cross_entropy_with_logits`
        takes over C outputs, c is λ/C; with "gaussian" and `F.mse_loss` it is 2λ/C.
    labels, generator : see there.

    Attributes
    ----------
    importance : dict of str to Tensor
        A/2. `penalty()` leaves out the constant, which has no gradient.
    anchor : dict of str to Tensor
        b.
    """

    _settings, _generators = ("anchors", "likelihood"), ("generator",)

    def __init__(self, network: nn.Module, *, strength: float = 1.0, protect: Protect = None,
                 anchors: Literal["per_task", "latest"] = "per_task", decay: float = 1.0,
                 likelihood: Likelihood = "categorical", labels: Labels = "expected",
                 generator: torch.Generator | None = None):
        super().__init__(network, strength=strength, protect=protect)
        if anchors not in ("per_task", "latest"):
            raise ValueError(f"anchors must be 'per_task' or 'latest', got {anchors!r}")
        if guards.at_least_zero("decay", decay) > 1:
            raise ValueError(f"decay must lie between 0 and 1, got {decay!r}")
        if anchors == "per_task" and decay != 1:
            raise ValueError("decay belongs to the online form: choose anchors='latest'")
        check_choices(likelihood, labels)
        self.anchors, self.decay = anchors, float(decay)
        self.likelihood, self.labels, self.generator = likelihood, labels, generator

    def consolidate(self, batches: Iterable, *,
                    forward: Callable[..., Tensor] | None = None) -> Self:
        """End a task: measure the Fisher information at the present weights. Returns self.

        Parameters
        ----------
        batches : iterable of (x, y)
            Data of the task that ends; x may be a tensor, or tuples and dicts of tensors.
        forward : callable, optional
            Outputs `(batch, outputs)` of `x` in that task; by default the network itself.

        Raises
        ------
        FloatingPointError
            If an importance or a weight is NaN or infinite. Nothing is changed then. For other
            errors see `si_tutorial.fisher.fisher_information`.
        """
        self._begin_consolidation()
        fisher = mean_over_processes(
            self._network, batches,
            lambda network, batches: fisher_information(
                network, batches, forward=forward, likelihood=self.likelihood, labels=self.labels,
                generator=self.generator, parameters=self._params.values()))
        importance, anchor = {}, {}
        for name, p in self._params.items():
            importance[name] = self.decay * self.importance[name] + fisher[name] / 2
            anchor[name] = p.detach()
            if self.anchors == "per_task":
                weight = fisher[name] / 2 / importance[name]  # this task's, in the mean b; 0/0 is 1
                anchor[name] = torch.lerp(self.anchor[name].to(weight), anchor[name].to(weight),
                                          torch.where(importance[name] == 0, 1, weight))
        return self._end_task(importance, anchor)
