"""The running statistics of normalisation layers: no parameters, so no penalty holds them."""

import warnings

import torch
from torch import Tensor, nn

WHY = ("They are no parameters, so the penalty does not hold them, and earlier tasks are then "
       "tested with the mean and variance of another")
REMEDY = ("Freeze them after the first task, with eval() of the layer after each train() of the "
          "network; or give each task layers of its own; or keep a copy of each task's statistics "
          "and put it back before that task is tested")


class RunningStatistics:
    """Tells, once, that a later task has changed the statistics that an earlier one ended with."""

    def __init__(self, network: nn.Module):
        self._network = network
        self._seen: dict[str, Tensor] = {}  # (2, channels): mean and variance; {}: no task ended
        self.told = False                   # whether a later task has changed them

    def look(self) -> None:
        """A task ends: these are its statistics, where a layer has been trained with."""
        self._seen = {name: _statistics(layer).clone() for name, layer in self._layers()
                      if layer.running_mean.any()}

    def forget(self) -> None:
        """The network may have gone back to an earlier task, or on to a later one."""
        self._seen = {}

    def warn_if_changed(self) -> None:
        if self.told or not (changed := self.changed()):
            return
        self.told = True
        warnings.warn(
            f"the running statistics of the {changed[0]} have changed since the last task ended. "
            f"{WHY}. {REMEDY} (and ignore this warning)", RuntimeWarning, stacklevel=2)

    def changed(self) -> list[str]:
        """The layers whose statistics are others than at the last task's end, with their types."""
        return [_words(name, layer) for name, layer in self._layers()
                if name in self._seen and not torch.equal(_statistics(layer), self._seen[name])]

    def about_to_change(self) -> list[str]:
        """The layers that will change in training; [] if some are new, so that tasks have own."""
        layers = self._layers()
        if any(name not in self._seen for name, _ in layers):
            return []
        return [_words(name, layer) for name, layer in layers if layer.training]

    def _layers(self):
        return [(name, layer) for name, layer in self._network.named_modules()
                if isinstance(layer, nn.modules.batchnorm._NormBase)
                and layer.running_mean is not None]


def _statistics(layer) -> Tensor:
    return torch.stack([layer.running_mean, layer.running_var])


def _words(name: str, layer: nn.Module) -> str:
    return f"{type(layer).__name__} {name!r}"
