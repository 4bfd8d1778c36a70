"""Uniform importance: every parameter matters as much as any other. Plain L2, to compare with."""

from collections.abc import Callable, Iterable
from typing import Self

import torch
from torch import Tensor

from si_tutorial.importance.penalty import QuadraticPenalty


class UniformImportance(QuadraticPenalty):
    """Ω = 1 for every parameter after the first task: c ‖θ − θ̃‖² at the latest weights.

    What a measure of importance is worth shows in what it gains over this one, each at its own
    best strength. (Weight decay, by contrast, pulls to zero.)

    Parameters
    ----------
    network, strength, protect : see `QuadraticPenalty`.
    """

    def consolidate(self, batches: Iterable | None = None, *,
                    forward: Callable[[Tensor], Tensor] | None = None) -> Self:
        """End a task: the anchor moves to the present weights. Returns self.

        `batches` and `forward` are not looked at; they let one loop serve every measure. Raises
        FloatingPointError, and changes nothing, if a weight is NaN or infinite.
        """
        self._begin_consolidation()
        return self._end_task(self._like(torch.ones_like), self._params)
