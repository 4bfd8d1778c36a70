"""Means over examples of the size of each example's own gradient, without a loop over examples.

For `nn.Linear` and `nn.Conv2d` an example's gradient is a contraction of the layer's input and of
the gradient of its output, which hooks record; all other parameters go through `torch.func`, which
is slower. Contraction trusts nothing: for two examples its gradients are compared with those that
autograd finds for each alone, and a parameter that does not pass (its weight is used outside its
layer, the batch is not the first axis, …) goes through `torch.func` too.
"""

import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge

CHUNK = 2**24  # numbers that the per-example gradients of one parameter may take at a time


def mean_over_examples(network: nn.Module, batches: Iterable, forward: Callable[[Tensor], Tensor],
                       pulls: Callable[[Tensor, Tensor], Iterator[Tensor]],
                       size: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
    """Mean over examples of Σ over `pulls` of size(∂ (pull · logits) / ∂θ), by parameter name.

    Parameters
    ----------
    network, batches, forward : see `si_tutorial.fisher.fisher_information`.
    pulls : called as `pulls(logits, y)`
        Yields gradients with respect to the logits, `(batch, classes)`, one backward pass each.
    size : `torch.square` or `torch.abs`
        Of a product it must be the product of both sizes.
    """
    total = {name: torch.zeros_like(p) for name, p in network.named_parameters()}
    examples = 0
    with _evaluation_mode(network), torch.enable_grad():
        gradients = _PerExample(network, forward)
        for x, y in batches:
            logits, calls = gradients.run(x)
            if examples == 0:
                gradients.check(x)
            wide = torch.promote_types(logits.dtype, torch.float32)  # bfloat16 rounds 1 − p
            for pull in pulls(logits.detach().to(wide), y):
                pull = pull.to(logits.dtype)
                for name, t in gradients.sizes(x, logits, calls, pull, size).items():
                    total[name] += t
            examples += len(x)
    if examples == 0:
        raise ValueError("no examples: `batches` was empty (a generator that was used up?)")
    return {name: t / examples for name, t in total.items()}


class _Call(NamedTuple):
    """One run of a layer: example n's weight gradient is Σ_l grads[n, :, l] inputs[n, :, l]ᵀ."""

    layer: nn.Linear | nn.Conv2d
    inputs: Tensor         # as the layer was given them, (batch, …)
    grads: GradientEdge | Tensor | None  # of the layer's outputs; an edge until they are known

    def rows(self, start: int, stop: int) -> "_Call":
        return self._replace(inputs=self.inputs[start:stop], grads=self.grads[start:stop])


class _PerExample:
    """The sizes of per-example gradients, by contraction where that holds, else by `torch.func`."""

    def __init__(self, network: nn.Module, forward):
        self.network, self.forward = network, forward
        self.params = {n: p for n, p in network.named_parameters() if p.requires_grad}
        owners = defaultdict(list)
        for module in network.modules():
            for role, p in module.named_parameters(recurse=False):
                owners[p].append((module, role))
        self.contracted = {name for name, p in self.params.items()
                           if all(_is_plain(layer, role) for layer, role in owners[p])}
        self.layers = {layer for name in self.contracted for layer, _ in owners[self.params[name]]}

    def run(self, x: Tensor) -> tuple[Tensor, list[_Call]]:
        """Logits `(batch, classes)`, and the layers that computed them, in order."""
        calls = []

        def record(layer, args, kwargs, outputs):
            inputs = args[0] if args else kwargs["input"]
            calls.append(_Call(layer, inputs.detach(), get_gradient_edge(outputs)))

        handles = [layer.register_forward_hook(record, with_kwargs=True) for layer in self.layers]
        try:
            logits = self.forward(x)
        finally:
            for handle in handles:
                handle.remove()
        if logits.ndim != 2 or len(logits) != len(x):
            raise ValueError(f"forward(x) must return logits of shape ({len(x)}, classes), got "
                             f"{tuple(logits.shape)}")
        if not logits.requires_grad:
            raise ValueError("the logits depend on no trainable parameter of this network: check "
                             "`forward`, and whether everything is frozen")
        return logits, calls

    def check(self, x: Tensor):
        """Keep for contraction only what agrees with autograd, example by example."""
        x = torch.cat([x, x])[:2]
        logits, calls = self.run(x)
        pull = torch.linspace(1, 2, logits.numel()).to(logits).view_as(logits)
        by_param = self._with_grads(logits, calls, pull)
        tolerance = 4 * torch.finfo(logits.dtype).eps ** 0.5
        for n in range(2):
            alone = torch.autograd.grad(self.forward(x[n:n + 1]), list(self.params.values()),
                                        pull[n:n + 1], allow_unused=True)
            alone = dict(zip(self.params, alone, strict=True))
            for name in tuple(self.contracted):
                p = self.params[name]
                found = _sum_of_sizes(p, [c.rows(n, n + 1) for c in by_param[p]], lambda t: t)
                expected = torch.zeros_like(p) if alone[name] is None else alone[name]
                if not (found - expected).abs().max() <= tolerance * expected.abs().max():
                    self.contracted.discard(name)

    @torch.no_grad()
    def sizes(self, x, logits, calls, pull, size) -> dict[str, Tensor]:
        """For each parameter, the sum over examples of size(∂ (pull · logits) / ∂θ)."""
        by_param = self._with_grads(logits, calls, pull)
        named = {name: self.params[name] for name in self.contracted}
        sizes = {name: _sum_of_sizes(p, by_param[p], size) for name, p in named.items()}
        return sizes | self._mapped(x, pull, size)

    def _with_grads(self, logits, calls, pull) -> dict[Tensor, list[_Call]]:
        """Parameter → the runs of all layers that hold it, with their outputs' gradients."""
        edges = [call.grads for call in calls]
        grads = torch.autograd.grad(logits, edges, pull, retain_graph=True,
                                    allow_unused=True) if edges else ()
        by_param = defaultdict(list)
        for call, g in zip(calls, grads, strict=True):
            if g is not None:
                for p in call.layer.parameters(recurse=False):
                    by_param[p].append(call._replace(grads=g))
        self.contracted = {name for name in self.contracted if all(
            _batch_first(call, len(pull)) for call in by_param[self.params[name]])}
        return by_param

    def _mapped(self, x, pull, size) -> dict[str, Tensor]:
        """The same for the parameters that contraction does not serve, by `torch.func`."""
        left = {f"network.{n}": p for n, p in self.params.items() if n not in self.contracted}
        if not left:
            return {}
        whole = _Whole(self.network, self.forward)

        def example_grads(x, pull):
            def logits(params):
                return torch.func.functional_call(whole, params, (x[None],))[0]  # (classes,)
            return torch.func.vjp(logits, left)[1](pull)[0]

        total = dict.fromkeys(left, 0)
        rows = max(1, CHUNK // sum(p.numel() for p in left.values()))
        for some_x, some_pull in zip(x.split(rows), pull.split(rows), strict=True):
            for name, grads in _each(example_grads, some_x, some_pull).items():
                total[name] += size(grads).sum(0)
        return {name.removeprefix("network."): t for name, t in total.items()}


class _Whole(nn.Module):
    """Lets `functional_call` swap the network's parameters while any `forward` runs."""

    def __init__(self, network, forward):
        super().__init__()
        self.network = network
        self._forward = forward.__call__  # a bound method: a module would be registered twice

    def forward(self, x):
        return self._forward(x)


def _each(example_grads, x, pull) -> dict[str, Tensor]:
    """The gradients of each example, `(batch, *shape)` by name."""
    if len(x) == 1:
        return {name: g[None] for name, g in example_grads(x[0], pull[0]).items()}
    try:
        return torch.func.vmap(example_grads)(x, pull)
    except (RuntimeError, ValueError) as why:
        raise RuntimeError("torch.func.vmap cannot run this network on a batch (recurrent layers, "
                           "branches that depend on the data and random layers are known for it). "
                           "Give it batches of one example instead, task.batches(1)") from why


def _is_plain(layer: nn.Module, role: str) -> bool:
    """Whether this parameter's gradient is the contraction; a subclass may compute anything."""
    return role in ("weight", "bias") and (
        type(layer) is nn.Linear or (type(layer) is nn.Conv2d and layer.padding_mode == "zeros"))


def _batch_first(call: _Call, batch: int) -> bool:
    axes = call.inputs.ndim
    fits = axes >= 2 if isinstance(call.layer, nn.Linear) else axes == 4
    return fits and len(call.inputs) == batch


def _sum_of_sizes(p: Tensor, calls: list[_Call], size) -> Tensor:
    """Σ over examples of size(the example's gradient of `p`), all calls of it added up first."""
    if not calls:
        return torch.zeros_like(p)
    if p is calls[0].layer.bias:
        grads = sum(_output_columns(c).sum(-1) for c in calls)   # (batch, groups, outputs)
        return size(grads.to(p.dtype)).sum(0).view_as(p)
    positions = sum(_output_columns(c).shape[-1] for c in calls)
    if positions == 1:  # size(g xᵀ) = size(g) size(x)ᵀ: one matrix product for the whole batch
        g, x = _output_columns(calls[0]), _input_columns(calls[0])
        return torch.einsum("ngol,ngkl->gok", size(g.to(p.dtype)), size(x.to(p.dtype))).view_as(p)
    total = torch.zeros_like(p)
    rows = max(1, CHUNK // max(p.numel(), positions * p[0].numel()))
    for start in range(0, len(calls[0].inputs), rows):
        some = [call.rows(start, start + rows) for call in calls]
        g = torch.cat([_output_columns(c) for c in some], -1).to(p.dtype)  # (n, groups, o, l)
        x = torch.cat([_input_columns(c) for c in some], -1).to(p.dtype)   # (n, groups, k, l)
        total += size(torch.einsum("ngol,ngkl->ngok", g, x)).sum(0).view_as(p)
    return total


def _output_columns(call: _Call) -> Tensor:
    """Output gradients as (batch, groups, outputs per group, positions)."""
    if isinstance(call.layer, nn.Linear):
        return _columns(call.grads)
    return call.grads.flatten(2).unflatten(1, (call.layer.groups, -1))


def _columns(t: Tensor) -> Tensor:
    """(batch, …, features) as (batch, 1, features, positions)."""
    return t[:, None].flatten(2, -2).mT if t.ndim > 2 else t[:, None, :, None]


def _input_columns(call: _Call) -> Tensor:
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


@contextlib.contextmanager
def _evaluation_mode(network: nn.Module):
    """Evaluation mode inside; each module's own mode again afterwards."""
    if any(isinstance(module, nn.modules.batchnorm._BatchNorm) and module.running_mean is None
           for module in network.modules()):
        raise ValueError("a BatchNorm without running statistics mixes the examples of a batch: "
                         "build it with track_running_stats=True")
    modes = {module: module.training for module in network.modules()}
    network.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
