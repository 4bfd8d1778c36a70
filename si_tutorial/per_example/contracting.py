"""Each example's own gradient, contracted from what layers were given and what came back.

Three kinds of parameter: the weight of a linear layer or a convolution is a sum of outer products,
a bias or the gain of a normalisation a sum over positions, and an embedding a sum by row.
"""

from collections import defaultdict
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from si_tutorial.per_example.batches import wide
from si_tutorial.per_example.recording import Call, kind

CHUNK = 2**20  # numbers of per-example gradients at a time: what fits into a processor's cache


def by_parameter(calls: list[Call]) -> dict[nn.Parameter, list[Call]]:
    """Parameter → the runs of all layers that hold it."""
    held = defaultdict(list)
    for call in calls:
        for p in call.layer.parameters(recurse=False):
            held[p].append(call)
    return held


def sum_of_sizes(p: nn.Parameter, calls: list[Call], size: Callable[[Tensor], Tensor]) -> Tensor:
    """Σ over examples of size(the example's gradient of `p`), all calls of it added up first."""
    role = next(name for name, held in calls[0].layer.named_parameters(recurse=False) if held is p)
    return {"positions": _by_position, "rows": _by_row, "products": _by_product}[
        kind(calls[0].layer, role)](p, calls, size)


def _by_position(p, calls, size):
    dtype = wide(p.dtype)

    def each(call):
        layer, g = call.layer, call.grads.to(dtype)
        if p is layer.weight:
            g = g * _normalized(layer, call.inputs.to(dtype))
        if isinstance(layer, nn.Linear | nn.LayerNorm):  # the features are the last axes
            return g.reshape(len(g), -1, *p.shape).sum(1)
        return g.reshape(len(g), len(p), -1).sum(-1)     # the channels are the second one
    return size(sum(each(call) for call in calls)).sum(0)


def _by_row(p, calls, size):
    chosen, grads = [], []
    for call in calls:
        rows, g = call.inputs.flatten(1), call.grads.to(wide(p.dtype))
        g = g.reshape(*rows.shape, -1)
        if call.layer.padding_idx is not None:
            g = g * (rows != call.layer.padding_idx)[..., None]
        chosen.append(rows)
        grads.append(g)
    rows = torch.cat(chosen, 1)                                   # (batch, positions)
    keys = torch.arange(len(rows), device=rows.device)[:, None] * len(p) + rows
    keys, place = keys.unique(return_inverse=True)                # an example and a row each
    mine = p.new_zeros(len(keys), p.shape[1], dtype=wide(p.dtype)).index_add_(
        0, place.flatten(), torch.cat(grads, 1).flatten(0, 1))
    return torch.zeros_like(p, dtype=mine.dtype).index_add_(0, keys % len(p), size(mine))


def _by_product(p, calls, size):
    dtype = wide(p.dtype)
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


def _normalized(layer: nn.Module, x: Tensor) -> Tensor:
    """What a normalisation in evaluation mode multiplies with its weight."""
    if isinstance(layer, nn.LayerNorm):
        return F.layer_norm(x, layer.normalized_shape, eps=layer.eps)
    if isinstance(layer, nn.GroupNorm):
        return F.group_norm(x, layer.num_groups, eps=layer.eps)
    return F.batch_norm(x, layer.running_mean.to(x.dtype), layer.running_var.to(x.dtype),
                        eps=layer.eps)


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
    kernel, dilation, stride = layer.kernel_size, layer.dilation, layer.stride
    if layer.padding == "same":
        spans = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        padding = [(s // 2, s - s // 2) for s in spans]
    else:
        padding = [(n, n) for n in (layer.padding if layer.padding != "valid"
                                    else (0,) * len(kernel))]
    x = F.pad(x, [n for before_and_after in reversed(padding) for n in before_and_after])
    if len(kernel) == 1:  # one line of pixels
        x, kernel, dilation, stride = x[:, :, None], (1, *kernel), (1, *dilation), (1, *stride)
    patches = F.unfold(x, kernel, dilation, 0, stride)
    return patches.unflatten(1, (layer.groups, -1))  # (batch, groups, in · kernel, positions)
