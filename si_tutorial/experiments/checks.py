"""What the fields of a run may be: each check raises with the field's name and what it got."""

from collections.abc import Iterable

from si_tutorial.errors import UserError

LARGEST = 10**9  # of whole numbers, so that none is beyond what PyTorch counts with


class SettingsError(UserError, ValueError):
    """A run that cannot be, or not here; the message says why."""


class FieldError(UserError, TypeError):
    """A field that a run does not have."""


def one_of(what: str, value: object, known: Iterable[str], more: str = "") -> None:
    """`more` is said after the known ones."""
    if value not in tuple(known):  # a tuple: a value may be a list, which is in no dictionary
        raise SettingsError(f"unknown {what} {value!r}: choose from {', '.join(known)}{more}")


def whole(part: object, **least: int) -> None:
    """The fields named must be whole numbers, each of at least so much."""
    for name, smallest in least.items():
        if type(value := getattr(part, name)) is not int or value < smallest:
            raise SettingsError(f"{name} must be a whole number of at least {smallest}, "
                                f"got {value!r}")
        if value > LARGEST:
            raise SettingsError(f"{name} must be at most {LARGEST:,}, got {value}")


def switch(part: object, name: str) -> None:
    """The field as a bool: 1 and True are one run, with one key."""
    if (value := getattr(part, name)) not in (True, False):
        raise SettingsError(f"{name} must be True or False, got {value!r}")
    object.__setattr__(part, name, bool(value))


def number(part: object, name: str) -> float:
    """The field as a float: 1 and 1.0 are one run, with one key."""
    try:
        value = float(getattr(part, name))
    except (TypeError, ValueError, OverflowError):
        raise SettingsError(f"{name} must be a number, got {getattr(part, name)!r}") from None
    if not abs(value) < float("inf"):
        raise SettingsError(f"{name} must be finite, got {value}")
    object.__setattr__(part, name, value)
    return value
