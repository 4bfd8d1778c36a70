"""Controls: what takes one thing away from a method, to see whether that thing matters."""

from typing import Any

import torch
from torch import Tensor, nn

from si_tutorial.importance import SynapticIntelligence


class ShuffledSynapticIntelligence(SynapticIntelligence):
    """SI that protects as much, and as unevenly, and not the weights that earned it.

    Within each tensor the importances change places, always in the same way: the penalty has the
    same distribution of stiffness in each layer and knows nothing of which weight mattered.
    """

    def __init__(self, network: nn.Module, *, seed: int, **settings: Any):
        super().__init__(network, **settings)
        self.seed = seed

    def _increment(self, name: str, displacement: Tensor) -> Tensor:
        increment = super()._increment(name, displacement)
        place = list(self._params).index(name)
        generator = torch.Generator().manual_seed(1000 * self.seed + place)
        order = torch.randperm(increment.numel(), generator=generator).to(increment.device)
        return increment.flatten()[order].view(increment.shape)
