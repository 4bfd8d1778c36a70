"""Which parameters of a network are meant: by their names, by their modules', or by a rule."""

import difflib
from collections.abc import Callable, Iterable

from torch import nn

Protect = str | Iterable[str] | Callable[[str, nn.Parameter], bool] | None


def frozen_form(protect: Protect) -> Protect:
    """`protect` so that it can be asked again: names as a tuple, also where they were one word."""
    if protect is None or callable(protect):
        return protect
    return (protect,) if isinstance(protect, str) else tuple(protect)


def chosen(network: nn.Module, protect: Protect) -> dict[str, nn.Parameter]:
    """The parameters that `protect` means, trainable or not, by name, in the network's order.

    A parameter that several modules share goes by its first name, and is meant by any of them.
    """
    aliases: dict[nn.Parameter, list[str]] = {}
    for name, p in network.named_parameters(remove_duplicate=False):
        aliases.setdefault(p, []).append(name)
    return {names[0]: p for p, names in aliases.items()
            if any(_meant(name, p, protect) for name in names)}


def check_names(network: nn.Module, names: Iterable[str], argument: str) -> None:
    """Each of `names` must be a parameter's, or a module's that has parameters.

    Raises ValueError, with names that are near, for any other, and TypeError for what is no name.
    """
    params = {name for name, _ in network.named_parameters(remove_duplicate=False)}
    modules = {name for name, _ in network.named_modules(remove_duplicate=False)} - {""}
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"{argument} takes names, as network.named_parameters() gives them, "
                            f"got a {type(name).__name__}{_its_name(network, name)}")
        if not any(_belongs(param, name) for param in params):
            raise ValueError(f"{argument} names {name!r}, "
                             f"{_why_not(network, name, modules, params)}")


def _meant(name: str, p: nn.Parameter, protect: Protect) -> bool:
    if protect is None:
        return True
    if callable(protect):
        return bool(protect(name, p))
    return any(_belongs(name, one) for one in protect)


def _belongs(param: str, name: str) -> bool:
    return param == name or param.startswith(f"{name}.")


def _its_name(network: nn.Module, thing: object) -> str:
    """Where somebody hands over a module or a parameter itself: what it is called here."""
    known = [*network.named_modules(), *network.named_parameters()]
    return next((f": write {name!r}" for name, one in known if one is thing and name), "")


def _why_not(network: nn.Module, name: str, modules: set[str], params: set[str]) -> str:
    if name in modules:
        return "a module without parameters: there is nothing in it to protect"
    if name in dict(network.named_buffers()):
        return ("which is a buffer and no parameter: training does not move it by gradients, so "
                "no penalty can hold it")
    known = sorted(modules | params)
    near = [one for one in known if one.endswith(f".{name}")]
    near += [one for one in difflib.get_close_matches(name, known) if one not in near]
    top = list(dict.fromkeys(param.split(".")[0] for param, _ in network.named_parameters()))
    hint = (f"did you mean {' or '.join(map(repr, near[:4]))}?" if near else
            "it has " + " and ".join([", ".join(top[:-1]), top[-1]] if top[1:] else top))
    return f"which is no parameter or module of this {type(network).__name__}: {hint}"
