"""One run: from its settings to its result."""

import functools
import math
import tempfile
from collections.abc import Callable, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from si_tutorial import datasets, networks, tasks, training
from si_tutorial.experiments import own
from si_tutorial.experiments.checks import SettingsError
from si_tutorial.experiments.controls import ShuffledSynapticIntelligence
from si_tutorial.experiments.notes import NOTHING, Notes
from si_tutorial.experiments.provenance import commit, provenance
from si_tutorial.experiments.settings import METHODS, MLP, Run
from si_tutorial.experiments.store import VERSION
from si_tutorial.importance import (
    ElasticWeightConsolidation,
    MemoryAwareSynapses,
    QuadraticPenalty,
    SynapticIntelligence,
    UniformImportance,
)

__all__ = ["METHODS", "PENALTIES", "Run", "execute", "finished_with", "measure", "network",
           "sequence", "train_first_task"]

# how each penalty is built; fine-tuning and joint training have none
PENALTIES: dict[str, Callable[..., QuadraticPenalty]] = {
    "L2": UniformImportance,
    "EWC": functools.partial(ElasticWeightConsolidation, labels="sampled"),
    "online EWC": functools.partial(ElasticWeightConsolidation, labels="sampled",
                                    anchors="latest"),
    "MAS": MemoryAwareSynapses,
    "SI": SynapticIntelligence,
}
# the data sets that a run's data consist of
SOURCES = {"mnist": ("mnist",), "mnist subset": ("mnist subset",), "cifar": ("cifar10", "cifar100")}
CIFAR_CLASSES = 10  # of CIFAR-100 in each task, in the order of their labels


def sequence(run: Run) -> list[tasks.Task]:
    """The tasks that the run trains on, in their order."""
    first, *others = [_with_held_out(data, run) for data in _images(run)]
    labels = "global" if run.data.scenario == "class" else "within_task"
    start, end = run.data.start, run.data.start + run.data.tasks
    if run.data.sequence == "permuted":
        parts = tasks.permute_pixels(first, end, labels=labels, seed=run.seed)
    elif run.data.sequence == "split":
        parts = tasks.split_classes(first, labels=labels)
    else:
        parts = tasks.split_classes(first, 10) + tasks.split_classes(others[0], CIFAR_CLASSES)
    if end > len(parts):
        raise SettingsError(f"{run.data.name} splits into 1 to {len(parts)} tasks, got "
                            f"tasks={run.data.tasks}{f' from start={start}' if start else ''}")
    return [replace(task, index=place) for place, task in enumerate(parts[start:end])]


def network(run: Run) -> networks.MultiHeadNetwork:
    """The network at its start."""
    shape, classes = (1, 28, 28), 10
    if run.data.own:
        data = own.dataset(run)
        shape, classes = tuple(data.x_train.shape[1:]), len(data.y_train.unique())
    classes, count = 2 if run.data.sequence == "split" else classes, run.data.tasks
    heads = {"task": [classes] * count, "domain": classes, "class": classes * count}
    start = {"seed": run.seed, "head_weights": run.network.head_weights}
    if isinstance(run.network, MLP):
        net = networks.mlp(heads[run.data.scenario], inputs=math.prod(shape),
                           hidden=run.network.hidden, dropout=run.network.dropout, **start)
    elif run.data.own:
        net = networks.conv_net(heads[run.data.scenario], channels=shape[0], side=shape[1], **start)
    else:
        net = networks.conv_net(heads[run.data.scenario], **start)
    return networks.in_bfloat16(net) if run.training.precision == "bfloat16" else net


def measure(run: Run, net: networks.MultiHeadNetwork) -> QuadraticPenalty | None:
    """The run's penalty; for fine-tuning whose importances are wanted, SI as an observer."""
    settings = {name: value for name in ("strength", "damping")
                if (value := getattr(run.method, name)) is not None}
    if run.method.own:
        return own.measure(run, net, **settings)
    if run.method.name == "shuffled SI":
        return ShuffledSynapticIntelligence(net, seed=run.seed, **settings)
    if run.method.penalised:
        return PENALTIES[run.method.name](net, **settings)
    return SynapticIntelligence(net, strength=0) if run.correlate else None


def execute(run: Run, *, device: str = "cpu", checkpoints: Path | None = None,
            progress: bool = False, after_epoch: Callable[[int, int], None] | None = None) -> dict:
    """Train and test as the run says, with one thread.

    Parameters
    ----------
    device : "cpu", or an accelerator as PyTorch names it.
    checkpoints : a folder; the run then goes on after the last epoch that is finished there, and
        begins with the first task that `train_first_task` may have left there.
    progress : show a progress bar.
    after_epoch : called with (task index, epoch) after each epoch.

    Returns
    -------
    dict
        One line of a store: the run's fields; "accuracy" `(T, T)` and "at_start" `(T,)` as lists;
        what `Notes.results` tells if asked for; "seconds"; and `provenance`. Where tasks have
        networks of their own, row i of the accuracy asks, for each task up to i, the network that
        was trained for it. If the loss became NaN or infinite, "failed" says so and "accuracy" is
        None.
    """
    commit()  # asked for now: the tree may change while the run goes on
    result = run.fields | {"version": VERSION, "accuracy": None, "at_start": None, "seconds": None,
                           "failed": None, **NOTHING}
    keep = tempfile.TemporaryDirectory() if checkpoints is None else nullcontext(checkpoints)
    with keep as folder, _exactly():
        folder = Path(folder)
        work = _Work(run, [task.to(device) for task in sequence(run)], device, folder,
                     {"progress": progress, "after_epoch": after_epoch})
        try:
            found = SCHEDULES[run.training.schedule](work)
            while found is None:  # notes were damaged: they cannot be made again without the rest
                finished_with(run, folder)
                found = SCHEDULES[run.training.schedule](work)
        except FloatingPointError as why:  # a result, too: this strength is too strong
            return result | {"failed": str(why)} | _origin(run, device)
        return result | found | _origin(run, device)


def train_first_task(run: Run, *, device: str = "cpu", checkpoints: Path, progress: bool = False,
                     after_epoch: Callable[[int, int], None] | None = None) -> None:
    """Train the first task once for all runs that begin alike (the same `Run.first_task`).

    It is left in the folder, with SI's path integral, and `execute` begins there with the same
    bits as if it had trained it. Goes on after the last finished epoch.
    """
    commit()
    with _exactly():
        _Work(run, [sequence(run)[0].to(device)], device, checkpoints,
              {"progress": progress, "after_epoch": after_epoch}).first()


def finished_with(run: Run, checkpoints: Path) -> None:
    """Delete what `execute` left in the folder; its record is in the store."""
    for file in checkpoints.glob(f"{run.key}.*"):
        file.unlink()


@dataclass
class _Work:
    """A run in progress: what its schedule trains with."""

    run: Run
    tasks: Sequence[tasks.Task]
    device: str
    folder: Path
    shown: dict

    def train(self, chosen: Sequence[tasks.Task], *, name: str = "", frozen: bool = False,
              notes: Notes | None = None):
        """A network of the run's, trained on the chosen tasks in turn; with its history, measure.

        It begins with the shared first task if that is the first of those chosen and there.
        """
        net, optimizer = self._start()
        net.body.requires_grad_(not frozen)
        penalty = measure(self.run, net)
        if penalty is not None:
            penalty.attach(optimizer)
        history = training.train(
            net, chosen, optimizer, measure=penalty, interleave=self.run.method.name == "joint",
            checkpoint=self.folder / f"{self.run.key}{name}.pt",
            begin=self._first_file() if chosen[0].index == 0 else None,
            before_consolidate=notes and (
                lambda place: notes.keep(chosen[place], net, penalty)),
            **self._settings())
        return history, penalty

    def first(self) -> training.History:
        """The first task, trained and left for all runs that begin alike."""
        net, optimizer = self._start()
        watch = SynapticIntelligence(net, strength=0).attach(optimizer)
        return training.train(net, self.tasks[:1], optimizer, measure=watch,
                              checkpoint=self._first_file(), **self._settings())

    def _first_file(self) -> Path | None:
        name = self.run.first_task
        return name and self.folder / f"{name}.pt"

    def _start(self):
        net = network(self.run).to(self.device)
        settings = self.run.training
        kind = torch.optim.AdamW if settings.weight_decay else torch.optim.Adam
        return net, kind(net.parameters(), lr=settings.learning_rate, fused=True,
                         weight_decay=settings.weight_decay)

    def _settings(self) -> dict:
        its = self.run.training
        return {"epochs": its.epochs, "batch_size": its.batch_size, "seed": self.run.seed,
                "reset_optimizer": its.reset_optimizer,
                "every_epoch": "own" if self.run.curves else False, **self.shown}


def _in_sequence(work: _Work) -> dict | None:
    frozen = work.run.training.schedule == "first, then heads"
    if frozen:
        work.first()
    notes = Notes(work.run, work.folder)
    history, penalty = work.train(work.tasks, frozen=frozen, notes=notes)
    return _results(work, history.accuracy, history.at_start, history.seconds,
                    history.epochs, notes, penalty)


def _one_by_one(work: _Work) -> dict | None:
    """A network for each task: fresh, or a copy of the one that knows the first task."""
    after_first = work.run.training.schedule == "first, then one"
    first = work.first().seconds if after_first else 0.0
    notes = Notes(work.run, work.folder)
    own, curves, seconds = [], [], 0.0
    for task in work.tasks:
        chosen = [work.tasks[0], task] if after_first and task.index else [task]
        history, _ = work.train(chosen, name=f".{task.index}", notes=notes)
        own.append(history.accuracy[-1, -1])
        curves.append(history.epochs[-work.run.training.epochs:].ravel())
        seconds += history.seconds - (first if len(chosen) > 1 else 0.0)  # which each begins with
    at_start = training.evaluate(network(work.run).to(work.device), work.tasks)
    accuracy = np.where(np.tri(len(own), dtype=bool), own, at_start)
    return _results(work, accuracy, at_start, seconds, np.concatenate(curves), notes, None)


SCHEDULES = {"sequence": _in_sequence, "first, then heads": _in_sequence,
             "alone": _one_by_one, "first, then one": _one_by_one}


def _results(work: _Work, accuracy, at_start, seconds, curves, notes: Notes, penalty
             ) -> dict | None:
    """What the run has found; None if notes of it were damaged."""
    noted = notes.results(len(work.tasks), curves, penalty)
    return noted and {"accuracy": accuracy.round(6).tolist(),
                      "at_start": at_start.round(6).tolist(), "seconds": round(seconds, 1), **noted}


def _with_held_out(data: datasets.Dataset, run: Run) -> datasets.Dataset:
    """If so many training images are held out, they take the place of the test images.

    MNIST's are the last ones. CIFAR's are drawn at random, and the same for every run, since the
    rows of CIFAR-100 are sorted.
    """
    count = run.data.held_out
    if not count:
        return data
    order = torch.arange(len(data.y_train))
    if run.data.name == "cifar":
        order = torch.randperm(len(order), generator=torch.Generator().manual_seed(0))
    train, test = order[:-count], order[-count:]
    present = [data.y_train[rows].unique().tolist() for rows in (order, train, test)]
    if not present[0] == present[1] == present[2]:
        raise SettingsError(f"held_out={count} leaves classes of {data.name} without images to "
                            "train or to test on: choose another number, and a data set in random "
                            "order")
    return replace(data, x_train=data.x_train[train], y_train=data.y_train[train],
                   x_test=data.x_train[test], y_test=data.y_train[test])


def _images(run: Run) -> list[datasets.Dataset]:
    """The data sets that the run's data consist of."""
    if run.data.own:
        return [own.dataset(run)]
    return [_dataset(name) for name in SOURCES[run.data.name]]


@functools.lru_cache(maxsize=2)
def _dataset(name: str) -> datasets.Dataset:
    return datasets.subset() if name == "mnist subset" else datasets.load(name, strict=True)


@functools.lru_cache(maxsize=2)
def _digest(name: str) -> str:
    return _digest_of(_dataset(name))


def _digest_of(data: datasets.Dataset) -> str:
    def as_in_file(key):  # images with their channels last
        value = getattr(data, key).numpy()
        return value.transpose(0, 2, 3, 1) if value.ndim == 4 else value
    return datasets.digest({key: as_in_file(key) for key in datasets.KEYS})


def _origin(run: Run, device: str) -> dict:
    """Where the result comes from: the data, and what `provenance` says."""
    digests = ([_digest_of(own.dataset(run))] if run.data.own else
               [_digest(name) for name in SOURCES[run.data.name]])
    return {"data_source": "; ".join(map(str, _images(run))), "data_digest": " ".join(digests),
            **provenance(device)}


@contextmanager
def _exactly():
    """One thread; the precision that the run names; and no denormal numbers, which would slow a
    saturated network twentyfold.

    NVIDIA's cards round the inputs of float32 convolutions to 11 bits (TF32) unless told not to.
    """
    threads, rounded = torch.get_num_threads(), torch.backends.cudnn.allow_tf32
    flushed = torch.tensor([1e-38]).mul(0.1).item() == 0  # PyTorch does not say otherwise
    torch.set_num_threads(1)
    torch.backends.cudnn.allow_tf32 = False
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(flushed)
        torch.backends.cudnn.allow_tf32 = rounded
        torch.set_num_threads(threads)
