"""What an importance measure refuses because it would be silently wrong, and what to do instead."""

import math
import operator
import warnings
from collections.abc import Iterator, Mapping, Sized

import torch
from torch import Tensor, nn

from si_tutorial import formulas
from si_tutorial.errors import DivergenceWarning


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def at_least_zero(name: str, value: float) -> float:
    """`value`, if it is a finite number of at least zero."""
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{name} must be a finite number of at least 0, got {value!r}")
    return float(value)


def check_parameters(network: nn.Module, params: Mapping[str, nn.Parameter]) -> None:
    """Parameters must have a shape and be real floating-point numbers."""
    for name, p in params.items():
        if isinstance(p, nn.parameter.UninitializedParameter):
            raise ValueError(f"parameter {name!r} has no shape yet: run one batch through the "
                             "network before measuring importance")
        if not p.is_floating_point():
            raise TypeError(f"parameter {name!r} is {p.dtype}; only real floating-point "
                            "parameters can be penalised")
    if not params:
        raise ValueError(f"{type(network).__name__} has no parameters to protect: none is both "
                         "trainable and meant by protect= (for no protection: strength=0)")


def check_same(network: nn.Module, params: Mapping[str, nn.Parameter],
               meant: Mapping[str, nn.Parameter], importance: Mapping[str, Tensor]) -> None:
    """The network must still have the parameters that are being measured, in their shapes.

    And of those that are `meant` to be, no others that can be trained.
    """
    now = dict(network.named_parameters())
    changed = [name for name, p in params.items()
               if now.get(name) is not p or p.shape != importance[name].shape]
    changed += [name for name, p in meant.items() if p.requires_grad and p is not params.get(name)]
    if changed:
        raise RuntimeError(
            f"parameter {changed[0]!r} was added, removed or replaced, has grown, or is no longer "
            "frozen, since this measure last looked at the network: change it between two tasks, "
            "and then call sync_parameters(), directly after consolidate(). If this task has "
            "begun, put the network back as it was until it ends")


def check_optimizer(optimizer: torch.optim.Optimizer, params: Mapping[str, nn.Parameter]) -> None:
    """The optimizer must step once on a given gradient, and on this network."""
    if isinstance(optimizer, torch.optim.LBFGS):
        raise TypeError("LBFGS evaluates the loss inside its step, so its gradient cannot be "
                        "told from the penalty's: use SGD, Adam or another one-step optimizer")
    hooked = (getattr(type(optimizer).step, "hooked", False)
              and hasattr(optimizer, "_optimizer_step_pre_hooks"))
    if not hooked:  # what torch.optim.Optimizer.__init__ leaves behind
        raise TypeError(f"{type(optimizer).__name__} runs no step hooks, because its class does "
                        "not call torch.optim.Optimizer.__init__, so the penalty would never act: "
                        "attach to the optimizer that it wraps")
    held = {p for group in optimizer.param_groups for p in group["params"]}
    if held.isdisjoint(params.values()):
        raise ValueError("this optimizer holds none of the network's parameters that this measure "
                         "protects: build it from network.parameters()")


def warn_if_left_out(optimizer: torch.optim.Optimizer, params: Mapping[str, nn.Parameter],
                     importance: Mapping[str, Tensor]) -> None:
    """What is new and has a gradient is to learn, and needs an optimizer.

    What has learned may well be left out later, such as the heads of earlier tasks.
    """
    held = {p for group in optimizer.param_groups for p in group["params"]}
    found = [name for name, p in params.items()
             if p.requires_grad and p.grad is not None and p not in held
             and not importance[name].any()]
    if found:
        warnings.warn(
            f"there is a gradient for {found[0]!r}{_others(found)}, but the optimizer that this "
            "object is attached to does not hold it, so that nothing is learned there. Add what is "
            "new with optimizer.add_param_group, and freeze what shall stay as it is with "
            "requires_grad_(False)", RuntimeWarning, stacklevel=2)


def check_step(optimizer: torch.optim.Optimizer, args: tuple, kwargs: dict, *,
               running: bool) -> None:
    """A step must neither compute nor scale the gradient itself, nor run inside another.

    Nor may it be recorded, to be repeated without its hooks.
    """
    closure = kwargs.get("closure", args[1] if len(args) > 1 else None)
    if closure is not None:
        raise RuntimeError("step(closure) computes the gradient after this hook has added the "
                           "penalty, and overwrites it: call loss.backward(), then step()")
    if running:
        raise RuntimeError(
            "this hook ran twice without a finished step in between. Either the optimizer's "
            "step() calls another optimizer's step(), which is not supported; or an earlier "
            "step was interrupted: then call detach() and attach(optimizer) and go on")
    if getattr(optimizer, "found_inf", None) is not None:
        raise RuntimeError("GradScaler hands scaled gradients to a fused optimizer: build it "
                           "with fused=False, or use bfloat16 autocast without a scaler")
    if torch.cuda.is_initialized() and torch.cuda.is_current_stream_capturing():
        raise RuntimeError("a CUDA graph repeats what it has recorded without this hook, so that "
                           "steps in it would not be seen: record the forward and backward pass, "
                           "and call optimizer.step() after each replay()")


def places(params: Mapping[str, nn.Parameter]) -> dict[str, tuple[torch.dtype, torch.device]]:
    """Each parameter's dtype and device, for `check_place`."""
    return {name: (p.dtype, p.device) for name, p in params.items()}


def check_place(params: Mapping[str, nn.Parameter],
                built: Mapping[str, tuple[torch.dtype, torch.device]]) -> None:
    """Parameters must be in the dtype and on the device they had when the measure was built."""
    for name, p in params.items():
        dtype, device = built[name]
        if p.dtype != dtype or p.device != device:
            raise RuntimeError(
                f"parameter {name!r} is now {p.dtype} on {p.device}, but was {dtype} on {device} "
                "when this measure was built: move the network first, then build the optimizer "
                "and the measure")


def check_dense(task_grads: Mapping[str, Tensor]) -> None:
    """Gradients must have an entry for every number of their parameter."""
    for name, task_grad in task_grads.items():
        if task_grad.layout is not torch.strided:
            raise TypeError(f"the gradient of {name!r} is sparse: use sparse=False")


def check_finite(what: str, values: Mapping[str, Tensor], when: str) -> None:
    """Nothing NaN or infinite may be consolidated."""
    for name, value in values.items():
        bad = int((~torch.isfinite(value)).sum())
        if bad:
            raise FloatingPointError(
                f"{what} of parameter {name!r} is NaN or infinite in {bad} of {value.numel()} "
                f"places {when}: lower the learning rate or the strength; nothing was "
                "consolidated")


def maximizes(optimizer: torch.optim.Optimizer) -> bool:
    """Whether the optimizer climbs; refuses one that does both."""
    directions = {group.get("maximize", False) for group in optimizer.param_groups}
    if len(directions) > 1:
        raise ValueError("this optimizer maximises in some of its groups and minimises in others: "
                         "use one optimizer for each")
    return directions.pop()


def warn_if_stiff(optimizer: torch.optim.Optimizer, params: Mapping[str, nn.Parameter],
                  importance: Mapping[str, Tensor], strength: float, checked: tuple[float, ...]
                  ) -> tuple[float, ...]:
    """Warn if SGD cannot be stable on the penalty; returns the learning rates now checked.

    `checked` are the rates of the optimizer's groups at the last check, (): none yet. Only where
    one has risen since is there anything to do.
    """
    if not isinstance(optimizer, torch.optim.SGD):
        return checked
    rates = tuple(float(group["lr"]) for group in optimizer.param_groups)
    if len(rates) == len(checked) and all(map(operator.le, rates, checked)):
        return checked
    if found := list(stiff(optimizer, params, importance, strength)):
        name, product, limit, _ = max(found, key=lambda one: one[1] / one[2])
        warnings.warn(
            f"SGD will diverge on {name!r}{_others(found)}: lr · 2cΩ = {product:.3g} exceeds "
            f"{limit:.3g}. Keep lr below {min(highest for *_, highest in found):.3g}, lower the "
            "strength, raise the damping, or use Adam", DivergenceWarning, stacklevel=2)
    return rates


def stiff(optimizer: torch.optim.SGD, params: Mapping[str, nn.Parameter],
          importance: Mapping[str, Tensor], strength: float
          ) -> Iterator[tuple[str, float, float, float]]:
    """Where SGD cannot be stable on the penalty: name, lr · 2cΩ, its limit, the highest lr."""
    names = {p: name for name, p in params.items()}
    for group in optimizer.param_groups:
        limit = formulas.momentum_limit(group["momentum"], dampening=group["dampening"],
                                        nesterov=group["nesterov"])
        for name in (names[p] for p in group["params"] if p in names and p.numel() > 0):
            stiffness = 2 * strength * float(importance[name].max())
            if float(group["lr"]) * stiffness > limit:
                yield name, float(group["lr"]) * stiffness, limit, limit / stiffness


def _others(found: Sized) -> str:
    return f" and {counted(len(found) - 1, 'other')}" if len(found) > 1 else ""
