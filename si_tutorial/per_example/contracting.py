"""Per-example gradients of linear layers and convolutions, contracted from what was recorded."""

from collections import defaultdict
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from si_tutorial.per_example.batches import wide
from si_tutorial.per_example.recording import Call

CHUNK = 2**24  # numbers that the per-example gradients of one parameter may take at a time


def by_parameter(calls: list[Call]) -> dict[nn.Parameter, list[Call]]:
    """Parameter → the runs of all layers that hold it."""
    held = defaultdict(list)
    for call in calls:
        for p in call.layer.parameters(recurse=False):
            held[p].append(call)
    return held


def sum_of_sizes(p: nn.Parameter, calls: list[Call], size: Callable[[Tensor], Tensor]) -> Tensor:
    """Σ over examples of size(the example's gradient of `p`), all calls of it added up first."""
    dtype = wide(p.dtype)
    if p is calls[0].layer.bias:
        grads = sum(_output_columns(c).to(dtype).sum(-1) for c in calls)  # (batch, groups, outputs)
        return size(grads).sum(0).view_as(p)
    positions = sum(_output_columns(c).shape[-1] for c in calls)
    if positions == 1:  # size(g xᵀ) = size(g) size(x)ᵀ: one matrix product for the whole batch
        g, x = _output_columns(calls[0]), _input_columns(calls[0])
        return torch.einsum("ngol,ngkl->gok", size(g.to(dtype)), size(x.to(dtype))).view_as(p)
    total = torch.zeros_like(p, dtype=dtype)
    rows = max(1, CHUNK // max(p.numel(), positions * p[0].numel()))
    for start in range(0, len(calls[0].inputs), rows):
        some = [call.rows(start, start + rows) for call in calls]
        g = torch.cat([_output_columns(c) for c in some], -1).to(dtype)  # (n, groups, o, l)
        x = torch.cat([_input_columns(c) for c in some], -1).to(dtype)   # (n, groups, k, l)
        total += size(torch.einsum("ngol,ngkl->ngok", g, x)).sum(0).view_as(p)
    return total


def _output_columns(call: Call) -> Tensor:
    """Output gradients as (batch, groups, outputs per group, positions)."""
    if isinstance(call.layer, nn.Linear):
        return _columns(call.grads)
    return call.grads.flatten(2).unflatten(1, (call.layer.groups, -1))


def _columns(t: Tensor) -> Tensor:
    """(batch, …, features) as (batch, 1, features, positions)."""
    return t[:, None].flatten(2, -2).mT if t.ndim > 2 else t[:, None, :, None]


def _input_columns(call: Call) -> Tensor:
    """Inputs as (batch, groups, weights per output, positions): a convolution's patches."""
    layer, x = call.layer, call.inputs
    if isinstance(layer, nn.Linear):
        return _columns(x)
    if layer.padding == "same":
        spans = [d * (k - 1) for d, k in zip(layer.dilation, layer.kernel_size, strict=True)]
        (top, bottom), (left, right) = [(s // 2, s - s // 2) for s in spans]
        x = F.pad(x, (left, right, top, bottom))
    padding = 0 if isinstance(layer.padding, str) else layer.padding
    patches = F.unfold(x, layer.kernel_size, layer.dilation, padding, layer.stride)
    return patches.unflatten(1, (layer.groups, -1))  # (batch, groups, in · kh · kw, positions)
