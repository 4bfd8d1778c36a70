"""The mean over examples: which route each parameter takes, and the state a network is run in."""

import contextlib
import sys
from collections.abc import Callable, Collection, Iterable, Iterator

import torch
from torch import Tensor, nn

from si_tutorial.per_example import batches as forms
from si_tutorial.per_example.checking import Checker
from si_tutorial.per_example.contracting import by_parameter, sum_of_sizes
from si_tutorial.per_example.mapping import Mapping, gradients
from si_tutorial.per_example.recording import Record, Recorder


def mean_over_examples(network: nn.Module, batches: Iterable, forward: Callable[..., Tensor],
                       pulls: Callable[[Tensor, Tensor], Iterator[Tensor]],
                       size: Callable[[Tensor], Tensor],
                       parameters: Collection[nn.Parameter] | None = None) -> dict[str, Tensor]:
    """Mean over examples of Σ over `pulls` of size(∂ (pull · logits) / ∂θ), by parameter name.

    Parameters
    ----------
    network, batches, forward : see `si_tutorial.fisher.fisher_information`.
    pulls : called as `pulls(logits, y)`
        Yields gradients with respect to the logits, `(batch, classes)`, one backward pass each.
    size : `torch.square` or `torch.abs`
        Of a product it must be the product of both sizes.
    parameters : those that are wanted; by default all.

    Returns
    -------
    dict of str to Tensor
        In float32, or the parameter's own dtype if that is wider.
    """
    examples = 0
    with _measuring(network):
        wanted = set(network.parameters() if parameters is None else parameters)
        names = {p: name for name, p in network.named_parameters() if p in wanted}
        total = {p: torch.zeros_like(p, dtype=forms.wide(p.dtype)) for p in names}
        gradients = _PerExample(network, forward)
        for batch in batches:
            x, y = forms.pair(batch)
            if not forms.examples(x):
                continue
            record = gradients.run(x)
            logits = record.logits.detach()
            for pull in pulls(logits.to(forms.wide(logits.dtype)), y):  # bfloat16 rounds 1 − p
                for p, t in gradients.sizes(record, pull.to(logits.dtype), size).items():
                    if p in total:
                        total[p] += t
            examples += len(logits)
        if examples == 0:
            raise ValueError("no examples: `batches` was empty (a generator that was used up?)")
        return {name: total[p] / examples for p, name in names.items()}


class _PerExample:
    """Sums of the sizes of per-example gradients, each parameter by the quickest right route."""

    def __init__(self, network: nn.Module, forward: Callable):
        self._recorder = Recorder(network, forward)
        self._mapping = Mapping(network, forward, self._recorder)
        self._checker = Checker(self._recorder, self._mapping)
        self._contracted: set[nn.Parameter] = set()  # in the batch that was run last

    def run(self, x) -> Record:
        record = self._recorder.run(x)
        self._contracted = self._checker.contracted(record)
        return record

    @torch.no_grad()
    def sizes(self, record: Record, pull: Tensor, size: Callable) -> dict[nn.Parameter, Tensor]:
        """For each parameter that the logits depend on: Σ over examples of its size."""
        if len(pull) == 1:
            found = gradients(record.logits, record.reached, pull)
            return {p: size(g.to(forms.wide(p.dtype))) for p, g in found.items()}
        calls = by_parameter(record.with_grads(pull))
        sizes = {p: sum_of_sizes(p, calls[p], size) for p in self._contracted}
        left = record.reached - self._contracted
        with torch.enable_grad():
            return sizes | self._mapping.sums(record, pull, left, size,
                                              self._checker.compare_logits)


@contextlib.contextmanager
def _measuring(network: nn.Module):
    """Evaluation mode, gradients, no compiled code; afterwards each module's own mode again.

    Compiled code runs without the hooks that record, and cuDNN's recurrent layers have no backward
    pass in evaluation mode.
    """
    if any(isinstance(module, nn.modules.batchnorm._BatchNorm) and module.running_mean is None
           for module in network.modules()):
        raise ValueError("a BatchNorm without running statistics mixes the examples of a batch: "
                         "build it with track_running_stats=True")
    modes = {module: module.training for module in network.modules()}
    network.eval()
    try:
        with torch.inference_mode(False), torch.enable_grad(), _uncompiled(), _native(network):
            yield
    finally:
        for module, mode in modes.items():
            module.training = mode


def _uncompiled():
    """Runs what was compiled as it was written; where PyTorch cannot, its layers are not seen."""
    if "torch._dynamo" in sys.modules and hasattr(torch.compiler, "set_stance"):
        return torch.compiler.set_stance("force_eager")
    return contextlib.nullcontext()


def _native(network: nn.Module):
    """Without cuDNN where there are recurrent layers."""
    if any(isinstance(module, nn.RNNBase) for module in network.modules()):
        return torch.backends.cudnn.flags(enabled=False)
    return contextlib.nullcontext()
