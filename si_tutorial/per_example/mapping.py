"""Per-example gradients of any parameter: by `torch.func`, else one example after another."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from si_tutorial.per_example.batches import examples, refilled, rows, tensors, wide
from si_tutorial.per_example.recording import Record, Recorder, follow

CHUNK = 2**24  # numbers that the gradients of all examples together may take at a time
Grads = dict[nn.Parameter, Tensor]


class Mapping:
    """Each example's gradients, `(examples, *shape)` per parameter.

    `batched` says whether `torch.func` can run this network. Recurrent layers, branches that
    depend on the data, sparse embeddings and more it cannot, and what it cannot run autograd can.
    """

    def __init__(self, network: nn.Module, forward: Callable, recorder: Recorder):
        self._whole, self._recorder = _Whole(network, forward), recorder
        self._names = {p: f"network.{name}" for name, p in network.named_parameters()
                       if p.requires_grad}
        self.batched = True

    def sums(self, record: Record, pull: Tensor, params: set[nn.Parameter], size: Callable,
             compare: Callable[[Record, Tensor, int], None]) -> Grads:
        """Σ over examples of size(∂ (pull · logits) / ∂θ). `compare` gets each one's logits."""
        total = {p: torch.zeros_like(p, dtype=wide(p.dtype)) for p in params}
        step = max(1, CHUNK // sum(p.numel() for p in params)) if params else len(pull)
        for start in range(0, len(pull) if params else 0, step):
            some = rows(record.x, start, start + step)
            grads, logits = self.each(some, pull[start:start + step], params)
            compare(record, logits, start)
            for p, g in grads.items():
                total[p] += size(g.to(total[p].dtype)).sum(0)
        return total

    def each(self, x: Any, pull: Tensor, params: set[nn.Parameter]) -> tuple[Grads, Tensor]:
        """The gradients of each example, and its logits, found without the other examples."""
        if self.batched:
            try:
                grads, logits = self._at_once(x, pull, params)
            except Exception:  # autograd runs all that torch.func cannot, or raises it anew
                self.batched = False
            else:
                self.batched = not self._holds_its_own(logits)
                if self.batched:
                    return grads, logits.detach()
        return self._one_by_one(x, pull, params)

    def _at_once(self, x, pull, params) -> tuple[Grads, Tensor]:
        fixed = {name: p.detach() for p, name in self._names.items()}
        mine = {self._names[p]: fixed[self._names[p]] for p in params}

        def one(pull, *parts):
            alone = refilled(x, iter([part[None] for part in parts]))

            def logits(mine):
                return torch.func.functional_call(self._whole, fixed | mine, (alone,))[0]

            out, pulled_back = torch.func.vjp(logits, mine)  # (classes,)
            return pulled_back(pull)[0], out

        grads, logits = torch.func.vmap(one)(pull, *tensors(x))
        return {p: grads[self._names[p]] for p in params}, logits

    def _holds_its_own(self, logits: Tensor) -> bool:
        """Whether `forward` used a parameter itself, so that another could not take its place."""
        return logits.requires_grad and not self._names.keys().isdisjoint(follow(logits, {})[1])

    def _one_by_one(self, x, pull, params) -> tuple[Grads, Tensor]:
        found: dict[nn.Parameter, list[Tensor]] = {p: [] for p in params}
        logits = []
        for n in range(examples(x)):
            logits.append(self._recorder.logits(rows(x, n, n + 1)))
            for p, g in gradients(logits[-1], params, pull[n:n + 1]).items():
                found[p].append(g)
            logits[-1] = logits[-1].detach()
        return {p: torch.stack(grads) for p, grads in found.items()}, torch.cat(logits)


def gradients(logits: Tensor, params: Iterable[nn.Parameter], pull: Tensor) -> Grads:
    """∂ (pull · logits) / ∂θ by autograd; zero for what the logits do not depend on."""
    params = list(params)
    grads = torch.autograd.grad(logits, params, pull, retain_graph=True, allow_unused=True)
    return {p: torch.zeros_like(p) if g is None else g.to_dense()
            for p, g in zip(params, grads, strict=True)}


class _Whole(nn.Module):
    """Lets `functional_call` swap the network's parameters while any `forward` runs."""

    def __init__(self, network: nn.Module, forward: Callable):
        super().__init__()
        self.network = network
        self._forward = forward.__call__  # a bound method: a module would be registered twice

    def forward(self, x):
        return self._forward(x)
