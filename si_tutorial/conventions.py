"""What other libraries call strength, and the `strength` here that makes the same penalty.

Read off their public source code; `conventions.jsonl` says of which version. A penalty there is
factor · λ Σ I (θ − θ̃)², with I what the library calls importance. Where it multiplies the penalty
by the decay γ of online EWC as well, `times_decay` is true. I itself is `scale` times what this
package measures, if it is built with the settings in `here`.
"""

import difflib
import importlib.resources
import json
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

PACKAGE = "si-tutorial"
# scale → what it depends on, and the function of that
SCALES: dict[str, tuple[tuple[str, ...], Callable[..., float]]] = {
    "1": ((), lambda: 1.0),
    "1 / batch_size": (("batch_size",), lambda batch_size: 1 / batch_size),
    "examples / (examples - 1)": (("examples",), lambda examples: examples / (examples - 1))}
LEAST = {"batch_size": 1, "examples": 2, "decay": 0, "largest_importance": 0}


class Convention(NamedTuple):
    library: str
    seen: str                # the version, commit or date that was read
    method: str
    factor: float            # in front of the library's strength
    times_decay: bool        # whether the penalty has the decay γ as a factor too
    same_importance: bool    # whether the library's I is what this package measures
    importance: str          # how the library measures it
    key: str = ""
    here: Mapping[str, str] = {}    # settings with which this package measures I up to the scale
    scale: str = "1"                # of I, if the package's measure is 1
    only: Mapping[str, object] = {}   # what must be so for any factor to hold
    below: Mapping[str, float] = {}   # what must be less than that
    where: str = ""          # further conditions, in words
    never: str = ""          # why no factor makes the same pull

    def strength_here(self, strength: float, *, decay: float | None = None) -> float:
        """The package's strength for the same penalty, where the importances agree.

        The package's EWC keeps F/2 as its importance, its other methods what the papers define.
        """
        halves = 2.0 if "EWC" in self.method else 1.0
        if not self.times_decay:
            return strength * self.factor * halves
        if decay is None:
            raise ValueError(f"{self.library} multiplies the penalty of {self.method} by its decay "
                             "γ: give it, decay=")
        return strength * self.factor * halves * decay

    @property
    def depends_on(self) -> tuple[str, ...]:
        """What has to be known for `convert_strength`."""
        return (*SCALES[self.scale][0], *self.only, *self.below,
                *(["decay"] if self.times_decay else []))

    def factor_here(self, **known: Any) -> float:
        """The package's strength for the same pull as strength 1 there; `known` has no None."""
        if self.never:
            raise ValueError(f"{self.key} does not convert: {self.never}. Choose the strength anew")
        if missing := [name for name in self.depends_on if name not in known]:
            raise ValueError(f"the factor of {self.key} depends on {', '.join(missing)}: give "
                             f"{', '.join(f'{name}=' for name in missing)}")
        for name, value in self.only.items():
            if known[name] != value:
                raise ValueError(f"{self.key} converts only for {name}={value!r}, not "
                                 f"{known[name]!r}: otherwise no factor makes the pull of all "
                                 "weights the same. Choose the strength anew")
        for name, limit in self.below.items():
            if not 0 < known[name] < limit:
                raise ValueError(
                    f"{self.key} does not convert with {name}={known[name]!r}: importances are cut "
                    f"off there at {limit:g}, and on a CPU all of them are 0, so that nothing is "
                    "protected. Choose the strength anew")
        depends, scale = SCALES[self.scale]
        decay = known["decay"] if self.times_decay else None
        return self.strength_here(1.0, decay=decay) * scale(
            *(known[name] for name in depends))


def conventions() -> list[Convention]:
    """All rows of the file, in its order."""
    text = (importlib.resources.files("si_tutorial") / "conventions.jsonl").read_text("utf-8")
    return [Convention(**json.loads(line)) for line in text.splitlines()]


def convention(key: str) -> Convention:
    """The row with that key."""
    rows = {row.key: row for row in conventions()}
    if key not in rows:
        near = difflib.get_close_matches(key, rows, n=3, cutoff=0.4)
        hint = (f"did you mean {' or '.join(near)}?" if near else
                f"known are {', '.join(sorted(rows))}")
        raise ValueError(f"no library is known as {key!r}: {hint}")
    return rows[key]


def convert_strength(value: float, source: str, target: str = PACKAGE, *,
                     batch_size: int | None = None, examples: int | None = None,
                     decay: float | None = None, largest_importance: float | None = None,
                     optimizer: str | None = None) -> float:
    """The strength in `target` that pulls every weight as `value` does in `source`::

        convert_strength(10.0, "avalanche-ewc", batch_size=64)                    # here: 0.3125
        convert_strength(10.0, "avalanche-si", "mammoth-si", largest_importance=1e-4)

    Parameters
    ----------
    value : the strength in the source.
    source, target : keys of `conventions()`, such as "avalanche-si"; or "si-tutorial", which is
        this package, with its measure built as `convention(key).here` says.
    batch_size : of the pass in which the importance is measured.
    examples : the number of examples in that pass.
    decay : γ of online EWC.
    largest_importance : the largest that the library has measured, over all weights. Avalanche's
        SI cuts them off at 0.001.
    optimizer : "SGD" where the source was trained with plain SGD.

    Returns
    -------
    float
        Under the conditions that the row's `where` names, the same pull to the digit.

    Raises
    ------
    ValueError
        If the factor depends on something that is not given, if no factor exists, or if the two
        measure different things, as SI, EWC and MAS do.
    """
    known: dict[str, Any] = {name: given for name, given in {
        "batch_size": batch_size, "examples": examples, "decay": decay, "optimizer": optimizer,
        "largest_importance": largest_importance}.items() if given is not None}
    for name, number in {"value": value, **known}.items():
        least = LEAST.get(name, 0)
        if name != "optimizer" and not (math.isfinite(number) and number >= least):
            raise ValueError(f"{name} must be a finite number of at least {least}, got {number!r}")
    rows = [convention(key) for key in (source, target) if key != PACKAGE]
    if len(rows) == 2:
        _check_comparable(*rows)
    there = 1.0 if source == PACKAGE else convention(source).factor_here(**known)
    return value * there / (1.0 if target == PACKAGE else convention(target).factor_here(**known))


def _check_comparable(one: Convention, other: Convention) -> None:
    """Both must measure the same thing after a first task."""
    kinds = [row.method.removeprefix("online ") for row in (one, other)]
    labels = [row.here.get("labels", "expected") for row in (one, other)]
    if kinds[0] != kinds[1]:
        raise ValueError(f"{one.key} measures {kinds[0]} and {other.key} {kinds[1]}: these are "
                         "different quantities, and no factor converts them")
    if kinds[0] == "EWC" and labels[0] != labels[1] and not (one.never or other.never):
        raise ValueError(f"{one.key} measures the Fisher information with {labels[0]} labels and "
                         f"{other.key} with {labels[1]} ones: no factor converts them")
