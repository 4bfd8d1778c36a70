"""What the layers of a network were given while it ran, and which weights are used elsewhere."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, Node, get_gradient_edge

from si_tutorial.per_example import batches


class Call(NamedTuple):
    """One run of a layer: example n's weight gradient is Σ_l grads[n, :, l] inputs[n, :, l]ᵀ."""

    layer: nn.Linear | nn.Conv2d
    inputs: Tensor            # as the layer was given them, (batch, …)
    shape: torch.Size         # of its outputs, (batch, …)
    edge: GradientEdge        # of its outputs, where their gradient is asked for
    source: Node | None       # where the graph goes on behind its inputs
    grads: Tensor | None = None  # of its outputs, once they are known

    def batch_first(self, batch: int) -> bool:
        axes = self.inputs.ndim
        fits = axes >= 2 if isinstance(self.layer, nn.Linear) else axes == 4
        return fits and len(self.inputs) == batch

    def rows(self, start: int, stop: int) -> "Call":
        return self._replace(inputs=self.inputs[start:stop], grads=self.grads[start:stop])


class Record(NamedTuple):
    """One run of the network."""

    x: Any
    logits: Tensor                 # (batch, classes)
    calls: list[Call]              # of plain layers, as far as the logits depend on them
    reached: set[nn.Parameter]     # the network's parameters that the logits depend on
    outside: set[nn.Parameter]     # those of them that are used outside of these calls
    rounded: bool                  # whether tensors were cast on the way, as autocast does

    def with_grads(self, pull: Tensor) -> list[Call]:
        """The calls with the gradient of (pull · logits) with respect to their outputs."""
        edges = [call.edge for call in self.calls]
        grads = torch.autograd.grad(self.logits, edges, pull, retain_graph=True,
                                    allow_unused=True) if edges else ()
        return [call._replace(grads=call.inputs.new_zeros(call.shape) if g is None
                              else g.view(call.shape))
                for call, g in zip(self.calls, grads, strict=True)]


class Recorder:
    """Runs a network, and records its plain layers."""

    def __init__(self, network: nn.Module, forward: Callable):
        self._forward = forward
        self._params = {p for p in network.parameters() if p.requires_grad and p.numel()}
        owners = defaultdict(list)
        for module in network.modules():
            for role, p in module.named_parameters(recurse=False):
                if p in self._params:
                    owners[p].append((module, role))
        self.plain = {p for p, held in owners.items() if all(_is_plain(*one) for one in held)}
        self._layers = {layer for p in self.plain for layer, _ in owners[p]}

    def logits(self, x: Any) -> Tensor:
        """Logits `(batch, classes)`."""
        return batches.logits_of(self._forward(x), batches.examples(x))

    def run(self, x: Any) -> Record:
        calls = []

        def record(layer, args, kwargs, outputs):
            if outputs.requires_grad:  # not under no_grad: nothing flows back there
                inputs = args[0] if args else kwargs["input"]
                source = get_gradient_edge(inputs).node if inputs.requires_grad else None
                calls.append(Call(layer, inputs.detach(), outputs.shape, _edge(outputs), source))

        handles = [layer.register_forward_hook(record, with_kwargs=True, prepend=True)
                   for layer in self._layers]  # first: a hook of the user's may change the outputs
        try:
            logits = self.logits(x)
        finally:
            for handle in handles:
                handle.remove()
        calls, leaves, rounded = follow(logits, {call.edge.node: call for call in calls})
        inside = {p for call in calls for p in call.layer.parameters(recurse=False)}
        reached = self._params & (inside | leaves)
        if not reached:
            raise ValueError("the logits depend on no trainable parameter of this network, though "
                             "on others: check whether `forward` uses this network")
        return Record(x, logits, calls, reached, self._params & leaves, rounded)


def _is_plain(layer: nn.Module, role: str) -> bool:
    """Whether this parameter's gradient is the contraction; a subclass may compute anything."""
    if "forward" in vars(layer) or "weight" not in dict(layer.named_parameters(recurse=False)):
        return False  # replaced, or the weight is computed from other parameters
    return role in ("weight", "bias") and (
        type(layer) is nn.Linear or (type(layer) is nn.Conv2d and layer.padding_mode == "zeros"))


def _edge(outputs: Tensor) -> GradientEdge:
    """Where the gradient of a layer's outputs arrives, also if they are changed in place later.

    A linear layer views its outputs, and a change in place replaces the view in the graph.
    """
    edge = get_gradient_edge(outputs)
    if type(edge.node).__name__ == "ViewBackward0":
        node, index = edge.node.next_functions[0]
        return edge._replace(node=node, output_nr=index)
    return edge


def follow(logits: Tensor, by_node: dict[Node, Call]) -> tuple[list[Call], set, bool]:
    """Walk the graph, through a recorded layer only on to its inputs.

    Returns the layers on the way, the leaves reached outside of them, and whether anything was
    cast to another dtype.
    """
    pending, seen = [get_gradient_edge(logits).node], set()
    calls, outside, rounded = [], set(), False
    while pending:
        node = pending.pop()
        if node is None or node in seen:
            continue
        seen.add(node)  # which also keeps it alive: a node is told by its identity
        name = type(node).__name__
        if node in by_node:
            calls.append(by_node[node])
            pending.append(by_node[node].source)
        elif name == "AccumulateGrad":
            outside.add(node.variable)
        elif name == "CheckpointFunctionBackward":
            raise RuntimeError("reentrant checkpointing hides its layers from autograd.grad: call "
                               "checkpoint(…, use_reentrant=False)")
        else:
            rounded |= name == "ToCopyBackward0"
            pending += [following for following, _ in node.next_functions]
    return calls, outside, rounded
