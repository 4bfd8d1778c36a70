"""The paper's networks: a body shared by all tasks, and one head per task or one for all."""

import itertools
import math
import operator
from collections.abc import Sequence
from typing import Any, Literal, SupportsIndex

import torch
from torch import Tensor, nn


class MultiHeadNetwork(nn.Module):
    """A body that all tasks share, and the linear heads that read it out.

    Parameters
    ----------
    body : torch.nn.Module
        Maps `(batch, *input_shape)` to `(batch, features)`.
    input_shape, features : the sizes named above.
    heads : int or sequence of int
        An integer is the number of classes of one head that serves all tasks (domain- and
        class-incremental). A sequence holds the number of classes of each task's own head
        (task-incremental).
    """

    def __init__(self, body: nn.Module, *, input_shape: tuple[int, ...], features: int,
                 heads: int | Sequence[int]):
        super().__init__()
        self.input_shape = tuple(input_shape)
        self.one_for_all = isinstance(heads, int)
        sizes = [heads] if isinstance(heads, int) else list(heads)
        if not sizes or min(sizes) < 1:
            raise ValueError(f"heads must name at least one head of at least one class, "
                             f"got {heads!r}")
        self.body = body
        self.heads = nn.ModuleList(nn.Linear(features, classes) for classes in sizes)

    def forward(self, x: Tensor, task: SupportsIndex | None = None) -> Tensor:
        """Logits of the head of `task`, `(batch, classes)`, for inputs `(batch, *input_shape)`.

        `task` is a `Task` or its index; a network with one head for all ignores it. Raises
        ValueError for inputs of another size or a task that has no head.
        """
        # a network for flat inputs takes images of any shape with as many values
        shape = (math.prod(x.shape[1:]),) if len(self.input_shape) == 1 else tuple(x.shape[1:])
        if shape != self.input_shape:
            raise ValueError(f"this network takes inputs of shape (batch, *{self.input_shape}), "
                             f"got {tuple(x.shape)}")
        features = self.body(x.reshape(len(x), *self.input_shape))  # (batch, features)
        return self.heads[0 if self.one_for_all else self._head_of(task)](features)

    def _head_of(self, task) -> int:
        if task is None:
            raise ValueError(f"this network has {len(self.heads)} heads, one per task: "
                             "say which one, network(x, task)")
        index = operator.index(task)
        if not 0 <= index < len(self.heads):
            raise ValueError(f"task {index} has no head: this network was built for tasks 0 to "
                             f"{len(self.heads) - 1}")
        return index


def mlp(heads: int | Sequence[int], *, inputs: int = 784, hidden: Sequence[int] = (256, 256),
        dropout: float = 0.0, seed: int = 0, **start: Any) -> MultiHeadNetwork:
    """A multilayer perceptron with ReLU units, started by `start_weights`.

    Split MNIST uses 784-256-256 and a head of two classes per task, `mlp([2] * 5)`; permuted
    MNIST 784-2000-2000 and one head for all, `mlp(10, hidden=(2000, 2000))` (Z17, section 4).
    """
    sizes = [inputs, *hidden]
    layers = []
    for fan_in, fan_out in itertools.pairwise(sizes):
        layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
        if dropout:
            layers.append(nn.Dropout(dropout))
    network = MultiHeadNetwork(nn.Sequential(*layers), input_shape=(inputs,), features=sizes[-1],
                               heads=heads)
    return start_weights(network, seed=seed, **start)


def conv_net(heads: int | Sequence[int], *, channels: int = 3, side: int = 32, seed: int = 0,
             **start: Any) -> MultiHeadNetwork:
    """The paper's CIFAR network: two blocks of two convolutions, 512 units, the heads (Z17, 4.3).

    Inputs are `(batch, channels, side, side)`.
    """
    def block(inputs, outputs):
        return [nn.Conv2d(inputs, outputs, 3, padding="same"), nn.ReLU(),
                nn.Conv2d(outputs, outputs, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.25)]

    left = ((side - 2) // 2 - 2) // 2  # pixels a side after both blocks
    body = nn.Sequential(*block(channels, 32), *block(32, 64), nn.Flatten(),
                         nn.Linear(64 * left * left, 512), nn.ReLU(), nn.Dropout(0.5))
    network = MultiHeadNetwork(body, input_shape=(channels, side, side), features=512, heads=heads)
    return start_weights(network, seed=seed, **start)


def in_bfloat16(network: MultiHeadNetwork) -> MultiHeadNetwork:
    """Let `network` compute in bfloat16 from now on, and keep images in the faster order.

    Each forward pass runs under autocast, with convolutions in channels-last memory. Weights,
    gradients and logits stay float32, so that optimizers and measures need to know nothing of it.
    Returns the network itself.
    """
    forward = network.forward

    def autocast(x: Tensor, task: SupportsIndex | None = None) -> Tensor:
        with torch.autocast(x.device.type, torch.bfloat16):
            return forward(x, task).float()

    network.forward = autocast  # type: ignore[method-assign]
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


@torch.no_grad()
def start_weights(network: MultiHeadNetwork, *, seed: int,
                  weights: Literal["glorot", "torch"] = "glorot",
                  head_weights: Literal["zero", "random"] | None = None) -> MultiHeadNetwork:
    """Set every weight from `seed`. The start decides much of a continual-learning result.

    Parameters
    ----------
    weights : {"glorot", "torch"}
        "glorot": weights uniform in ±√(6 / (fan_in + fan_out)), biases zero (Glorot & Bengio
        2010), as in the authors' code. "torch": weights and biases uniform in ±1/√fan_in, which
        is what PyTorch's layers do by themselves.
    head_weights : {"zero", "random"}, optional
        Heads at zero, or random like the body. By default zero where each task has its own head
        (the authors' split MNIST and CIFAR) and random where one head serves all.
    """
    if weights not in ("glorot", "torch"):
        raise ValueError(f"weights must be 'glorot' or 'torch', got {weights!r}")
    head_weights = head_weights or ("random" if network.one_for_all else "zero")
    if head_weights not in ("zero", "random"):
        raise ValueError(f"head_weights must be 'zero' or 'random', got {head_weights!r}")
    fill = _glorot if weights == "glorot" else _torch_default
    generator = torch.Generator().manual_seed(seed)
    for layer in network.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            fill(layer, generator)
    if head_weights == "zero":
        for p in network.heads.parameters():
            p.zero_()
    return network


def _glorot(layer: nn.Linear | nn.Conv2d, generator: torch.Generator):
    nn.init.xavier_uniform_(layer.weight, generator=generator)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def _torch_default(layer: nn.Linear | nn.Conv2d, generator: torch.Generator):
    bound = layer.weight[0].numel() ** -0.5  # 1/√fan_in
    for p in layer.parameters():
        nn.init.uniform_(p, -bound, bound, generator=generator)
