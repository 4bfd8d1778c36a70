"""Whether anything but the steps that a measure saw has changed the weights, and who is told."""

import warnings
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

_INTEGERS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}  # by bytes
_CHUNK = 2**16             # numbers at a time, so that a large parameter needs little memory
_ODD = 0x9E3779B97F4A7C15  # 2⁶⁴ over the golden ratio


class Watch:
    """What a measure last saw of the weights.

    After each step it is the version counter and the address of each parameter, which costs no
    pass over memory. In-place operations, `load_state_dict` and `param.data = …` change one of
    them. Writing *into* `param.data` changes neither, nor does the step of a fused optimizer; so
    where a task begins, and wherever else there is time, it is the values, as a digest of their
    bits.

    Parameters
    ----------
    params : the network's parameters by name.
    every_step : whether the measure is wrong if anything but a step that it saw moves them.
    penalises : whether the measure's strength is above zero.
    """

    def __init__(self, params: Mapping[str, nn.Parameter], *, every_step: bool, penalises: bool):
        self._params, self._every_step, self._penalises = params, every_step, penalises
        self._told = False
        self.look()

    def look(self) -> None:
        """From here on, the weights as they are now are the ones that were seen."""
        self._values = {name: _bits(p) for name, p in self._params.items()}
        self._marks: list | None = None  # after the last step; None if there was none since
        self.in_loss = False             # whether the penalty was trained on as a part of the loss

    def follow(self, params: Mapping[str, nn.Parameter], kept: Mapping[str, str]) -> None:
        """Watch `params` from now on. `kept`: what those that are as before were called then."""
        self._values = {name: _bits(p) for name, p in params.items() if name not in kept} | {
            name: self._values[source] for name, source in kept.items() if source in self._values}
        self._params = params
        self._marks = None

    def saw(self, name: str, values: Tensor) -> bool:
        """Whether these are, bit for bit, the values of that parameter when it was last seen."""
        return self._values.get(name) == _bits(values)

    def attached(self) -> None:
        """Look again, unless that would hide a change that matters."""
        if not (self._every_step and self.changed()):
            self.look()

    def step_ended(self) -> None:
        self._marks = self._now()

    def changed(self) -> list[str]:
        """The parameters that something else has written to since they were last seen."""
        if self._marks is None:
            return self._moved(self._params)
        return [name for name, seen, now in zip(self._params, self._marks, self._now(), strict=True)
                if seen != now]

    def check_between_steps(self, optimizer: torch.optim.Optimizer, when: str) -> None:
        """Before a step, unless it is the very first."""
        changed = self.changed()
        if not changed:
            return
        if self._marks is None and not self._every_step:
            self.look()  # a task begins, or the measure was attached again
            return
        changed = self._held(changed, optimizer, when)
        if changed and self._every_step:
            raise RuntimeError(_written(changed[0], when))
        if changed and self._penalises and not self._told:
            self._told = True
            warnings.warn(
                f"parameter {changed[0]!r} was changed {when} by something else than the steps of "
                "the optimizer that carries the penalty. If that is another optimizer, the penalty "
                "does not act in its steps: train with one. Loaded, clipped or averaged weights "
                "are fine with this measure", RuntimeWarning, stacklevel=2)

    def check_before_consolidating(self, optimizer: torch.optim.Optimizer | None, when: str, *,
                                   steps: int, protects: bool) -> None:
        """Whoever consolidates after weights moved without a step that was seen is told."""
        if self._every_step and steps == 0:
            raise RuntimeError("no optimizer step was seen in this task: call attach(optimizer) "
                               "with the optimizer that trains the network")
        changed = self.changed()
        if optimizer is not None:
            if changed and steps == 0:
                raise RuntimeError(
                    f"parameter {changed[0]!r} was changed in this task, but the optimizer that "
                    "this object is attached to made no step, so that nothing was protected: "
                    "detach() and attach(optimizer) with the one that trains the network, before "
                    "it does. Load weights before you attach")
            changed = self._held(changed, optimizer, when)
        if changed and self._every_step:
            raise RuntimeError(_written(changed[0], when))
        if changed and optimizer is None and protects and self._penalises and not self.in_loss:
            warnings.warn(
                f"parameter {changed[0]!r} was changed {when}, and the penalty has not acted on "
                "it: this object is attached to no optimizer, and its penalty() was no part of "
                "the loss. Call attach(optimizer) before training, or give an object that shall "
                "only measure strength=0", RuntimeWarning, stacklevel=2)

    def _held(self, names: list[str], optimizer: torch.optim.Optimizer, when: str) -> list[str]:
        """Those of `names` that the optimizer holds; what it does not hold must not have moved."""
        held = {p for group in optimizer.param_groups for p in group["params"]}
        moved = self._moved(name for name, p in self._params.items() if p not in held)
        if moved and (self._every_step or self._penalises):
            raise RuntimeError(
                f"parameter {moved[0]!r} was changed {when}, but not by the optimizer that this "
                "object is attached to, which does not hold it: train all parameters with one "
                "optimizer, or name in protect= what this one holds")
        return [name for name in names if self._params[name] in held]

    def _moved(self, names: Iterable[str]) -> list[str]:
        """Those of `names` whose values are others than at the last look."""
        return [name for name in names if name in self._values
                and self._values[name] != _bits(self._params[name])]

    def _now(self) -> list[tuple[int, int]]:
        return [(p._version, p.data_ptr()) for p in self._params.values()]

    def state(self) -> dict[str, str]:
        """The values as they were last seen, to go on from in `resume`."""
        changed = set(self.changed())
        return {name: f"{p.dtype}/unseen" if name in changed else _bits(p)
                for name, p in self._params.items()}

    def resume(self, state: Mapping[str, str]) -> None:
        """Go on from a `state`; weights of another dtype than there cannot be compared with it."""
        self.look()
        self._values = {name: state[name] for name, p in self._params.items()
                        if state.get(name, "").startswith(f"{p.dtype}/")}

    def __getstate__(self) -> dict:
        """A copy's parameters have addresses and version counters of their own."""
        return self.__dict__ | {"_values": self.state(), "_marks": None}


def _bits(p: Tensor) -> str:
    """A digest of the values, in C order: the first rows' is that of a tensor of these alone.

    In whole numbers modulo 2⁶⁴, so that it is the same on every device.
    """
    bits = p.detach().view(_INTEGERS[p.element_size()]).flatten()
    places = _scattered(torch.arange(1, min(len(bits), _CHUNK) + 1, device=p.device))
    total = 0
    for part in bits.split(_CHUNK):
        total = (total * _ODD + int(_scattered(part + places[:len(part)]).sum())) % 2**64
    return f"{p.dtype}/{total:016x}"


def _scattered(x: Tensor) -> Tensor:
    """Each int64 as another, so that neighbours lie anywhere: a hash, one to one."""
    x = (x ^ (x >> 32)) * (_ODD - 2**64)
    return x ^ (x >> 32)


def _written(name: str, when: str) -> str:
    return (f"parameter {name!r} is not as this object last saw it ({when}): it was written to "
            "outside the steps of its optimizer, and what that changed is in no account. Clip or "
            "project weights in a hook of the step (optimizer.register_step_post_hook, called "
            "before attach). Evaluate averaged weights in a copy of the network. To go back to "
            "earlier weights, load the state that this object had then, too; and where its state "
            "is loaded, load the network's. Load weights from elsewhere before the first task")
