"""Several processes that train one network: what each measures on its own data is averaged."""

from collections.abc import Callable, Iterable, Iterator

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from si_tutorial.per_example import batches as forms


def several() -> bool:
    """Whether this process is one of several."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def mean_over_processes(network: nn.Module, batches: Iterable,
                        measure: Callable[[nn.Module, Iterable], dict[str, Tensor]]
                        ) -> dict[str, Tensor]:
    """`measure(network, batches)`, a mean over examples, as a mean over those of all processes.

    Of a `DistributedDataParallel` network it is the module inside that is measured. Every process
    of its group must take part, each with examples of its own; all then have the same bits.
    """
    if not isinstance(network, DistributedDataParallel):
        if several():
            raise RuntimeError(
                "this is one of several processes, and each would measure on its own data, so "
                "that their networks drift apart: build the measure on the network that is "
                "wrapped in torch.nn.parallel.DistributedDataParallel")
        return measure(network, batches)
    counted = _Counted(batches)
    with network.no_sync():  # a backward pass here is no training step
        values = measure(network.module, counted)
    device = next(iter(values.values())).device
    everywhere = torch.tensor(counted.examples, dtype=torch.float64, device=device)
    dist.all_reduce(everywhere, group=network.process_group)
    share = counted.examples / everywhere.item()
    for value in values.values():
        value.mul_(share)
        dist.all_reduce(value, group=network.process_group)
    return {f"module.{name}": value for name, value in values.items()}


class _Counted:
    """Batches that count their examples as they are read."""

    def __init__(self, batches: Iterable):
        self._batches = batches
        self.examples = 0

    def __iter__(self) -> Iterator:
        for batch in self._batches:
            self.examples += forms.examples(forms.pair(batch)[0])
            yield batch
