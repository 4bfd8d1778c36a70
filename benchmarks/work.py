"""What the benchmarks time: steps of training, with a measure and without, and bare products."""

import itertools
import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from si_tutorial import networks
from si_tutorial.experiments.runs import PENALTIES
from si_tutorial.importance import QuadraticPenalty

Work = Callable[[], object]


def perceptron(hidden: Sequence[int]) -> nn.Module:
    return networks.mlp(10, hidden=hidden)


def width(parameters: float) -> int:
    """Of two hidden layers between 784 pixels and 10 classes, for about so many parameters."""
    return round((math.sqrt(797**2 + 4 * parameters) - 797) / 2)  # w² + (784 + 10 + 3) w


def images(batch: int, *, shape: Sequence[int] = (784,), classes: int = 10
           ) -> tuple[Tensor, Tensor]:
    """Random ones, with labels."""
    return torch.rand(batch, *shape), torch.randint(0, classes, (batch,))


def step(network: nn.Module, batch: int, measure: str | None = None, *, tasks: int = 1,
         shape: Sequence[int] = (784,)) -> Work:
    """One step of training with Adam on random images; a measure has some tasks to protect."""
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, fused=True)
    x, y = images(batch, shape=shape)

    def one():
        loss = F.cross_entropy(network(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    if measure is not None:
        one.penalty = PENALTIES[measure](network, strength=1e-3).attach(optimizer)
        for _ in range(tasks):
            one()
            end(one.penalty, (x, y))
    return one


def end(penalty: QuadraticPenalty, *batches: tuple[Tensor, Tensor]) -> None:
    """A task's end, for which those measures that look at data look at these batches."""
    penalty.consolidate(batches)


def products(widths: Sequence[int], batch: int) -> Work:
    """The matrix products of one step between layers of these widths, and nothing else."""
    layers = [(torch.randn(batch, n), torch.randn(n, m), torch.randn(batch, m))
              for n, m in itertools.pairwise(widths)]

    def one():
        for i, (x, weight, gradient) in enumerate(layers):
            _ = x @ weight, x.T @ gradient      # forward; to the weights
            if i:
                _ = gradient @ weight.T         # to the inputs, but not to the images
    return one
