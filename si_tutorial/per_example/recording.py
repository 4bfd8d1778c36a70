"""What the layers of a network were given while it ran, and which weights are used elsewhere."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, Node, get_gradient_edge

from si_tutorial.per_example import batches

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d)
NORMALIZATIONS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.LayerNorm, nn.GroupNorm)


class Call(NamedTuple):
    """One run of a layer whose parameters have a `kind`."""

    layer: nn.Module
    inputs: Tensor            # as the layer was given them, (batch, …)
    shape: torch.Size         # of its outputs, (batch, …)
    edge: GradientEdge        # of its outputs, where their gradient is asked for
    source: Node | None       # where the graph goes on behind its inputs
    grads: Tensor | None = None  # of its outputs, once they are known

    def batch_first(self, batch: int) -> bool:
        axes = self.inputs.ndim
        if isinstance(self.layer, CONVOLUTIONS):
            fits = axes == len(self.layer.kernel_size) + 2
        elif isinstance(self.layer, nn.LayerNorm):
            fits = axes > len(self.layer.normalized_shape)
        else:
            fits = axes >= (1 if isinstance(self.layer, nn.Embedding) else 2)
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
        kinds = {p: {kind(*one) for one in held} for p, held in owners.items()}
        self.plain = {p for p, found in kinds.items() if len(found) == 1 and None not in found}
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


def kind(layer: nn.Module, role: str) -> Literal["products", "positions", "rows"] | None:
    """How an example's gradient of this parameter is contracted; None if it may be anything.

    With g the gradient of the outputs and x the inputs of the example: "products" Σ_l g_l x_lᵀ,
    "positions" Σ_l g_l, for a gain Σ_l g_l x̂_l with the normalised x̂, "rows" Σ_l g_l by x_l.
    """
    names = dict(layer.named_parameters(recurse=False))
    if "forward" in vars(layer) or "weight" not in names or role not in ("weight", "bias"):
        return None  # replaced, or the weight is computed from other parameters
    plain = type(layer)  # a subclass may compute anything
    if plain is nn.Linear or (plain in CONVOLUTIONS and layer.padding_mode == "zeros"):
        return "products" if role == "weight" else "positions"
    if plain in NORMALIZATIONS:
        return "positions"
    if plain is nn.Embedding and layer.max_norm is None and not layer.scale_grad_by_freq:
        return "rows"
    return None


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
