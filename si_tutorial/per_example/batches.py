"""What a batch may look like: a pair (x, y), with x a tensor, or tuples and dicts of tensors."""

import copy
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

import torch
from torch import Tensor


def pair(batch: Any) -> tuple[Any, Any]:
    """(x, y) of a batch."""
    if isinstance(batch, (tuple, list)) and len(batch) == 2:
        return batch[0], batch[1]
    raise ValueError(f"each batch must be a pair (x, y), got {described(batch)}. Put all that the "
                     "network is given into x, as a tuple or a dict of tensors, which `forward` "
                     "takes apart: ((a, b), y). Where no label is read, y may be None: (x, None)")


def mapped(x: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """x with each tensor in it changed; None stays None."""
    if isinstance(x, Tensor):
        return change(x)
    if isinstance(x, MutableMapping):
        new = copy.copy(x)  # of its own class, with whatever else it holds
        for key, value in x.items():
            new[key] = mapped(value, change)
        return new
    if isinstance(x, (tuple, list)):
        parts = [mapped(part, change) for part in x]
        return type(x)(*parts) if hasattr(x, "_fields") else type(x)(parts)
    if x is None:
        return None
    remedy = ("Make it a tensor, torch.as_tensor(x)" if hasattr(x, "__array__") else
              "What is the same for all examples belongs into `forward`, not into x")
    raise ValueError("x must be a tensor, or tuples and dicts of tensors, and holds "
                     f"{described(x)}. {remedy}")


def tensors(x: Any) -> list[Tensor]:
    """The tensors of x, in order."""
    found: list[Tensor] = []
    mapped(x, lambda t: found.append(t) or t)
    return found


def rows(x: Any, start: int, stop: int) -> Any:
    """The examples from `start` to `stop`, in the form of x."""
    return mapped(x, lambda t: t[start:stop])


def refilled(x: Any, parts: Iterator[Tensor]) -> Any:
    """The form of x with other tensors."""
    return mapped(x, lambda t: next(parts))


def examples(x: Any) -> int:
    """How many examples x holds: the length of the first axis of every tensor in it."""
    shapes = [tuple(t.shape) for t in tensors(x)]
    lengths = {shape[:1] for shape in shapes}
    if len(lengths) != 1 or () in lengths:
        raise ValueError(f"every tensor in x must hold one example per row, got {described(x)}")
    return shapes[0][0]


def logits_of(outputs: Any, batch: int) -> Tensor:
    """What `forward` returned, if it is `(batch, classes)` and has a gradient."""
    wanted = f"forward(x) must return a tensor of logits, shape ({batch}, classes)"
    if not isinstance(outputs, Tensor):
        field = ("by name, as in forward=lambda x: network(x).logits" if hasattr(outputs, "logits")
                 else "as in forward=lambda x: network(x)[0]")
        raise ValueError(f"{wanted}, got {described(outputs)}. Pick the logits {field}")
    if outputs.ndim != 2 or len(outputs) != batch:
        remedy = ""
        if outputs.shape == (batch,):
            remedy = ". Give one output per example an axis of its own, logits[:, None]"
        elif outputs.ndim > 2 and len(outputs) == batch:
            remedy = (". One label belongs to each example: choose what it is read off, such as "
                      "logits[:, -1] or a mean over positions; if all outputs count and are "
                      "independent (bernoulli, gaussian, sensitivity), logits.flatten(1)")
        raise ValueError(f"{wanted}, got {tuple(outputs.shape)}{remedy}")
    if not outputs.is_floating_point():
        raise ValueError(f"{wanted}, got {outputs.dtype}: classes that are chosen already have no "
                         "gradient; return the logits they are chosen by")
    if not outputs.requires_grad:
        raise ValueError("the logits depend on no trainable parameter of this network: check "
                         "`forward` (does it or a decorator of it use no_grad, inference_mode or "
                         "detach?), and whether everything is frozen")
    return outputs


def described(thing: Any) -> str:
    """What came, in a few words: types, and shapes of tensors."""
    if isinstance(thing, Tensor):
        return f"a tensor of shape {tuple(thing.shape)}"
    if isinstance(thing, MutableMapping):
        inside = [f"{key!r}: {_short(value)}" for key, value in thing.items()]
    elif isinstance(thing, (tuple, list)):
        inside = [_short(part) for part in thing]
    else:
        return f"an object of type {type(thing).__name__}"
    return f"a {type(thing).__name__} of {len(inside)} ({', '.join(inside)})"


def _short(part: Any) -> str:
    return str(tuple(part.shape)) if isinstance(part, Tensor) else type(part).__name__


def wide(dtype: torch.dtype) -> torch.dtype:
    """What sums are kept in: float32 at least."""
    return torch.promote_types(dtype, torch.float32)
