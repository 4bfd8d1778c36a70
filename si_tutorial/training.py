"""The loop over tasks: train on one after another, test on all after each."""

import inspect
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm.auto import tqdm

from si_tutorial import resume
from si_tutorial.importance import QuadraticPenalty
from si_tutorial.tasks import Task


@dataclass(frozen=True, eq=False)
class History:
    """What a training run leaves behind."""

    accuracy: np.ndarray  # (T, T): row i after training on task i, column j tested on task j
    at_start: np.ndarray  # (T,): the untrained network
    epochs: np.ndarray    # (epochs trained in all, T): after each epoch, if asked for; else (0, T)
    seconds: float        # that it took, in all calls if it was interrupted


def train(network: nn.Module, tasks: Sequence[Task], optimizer: torch.optim.Optimizer, *,
          epochs: int, batch_size: int, seed: int = 0,
          measure: QuadraticPenalty | Sequence[QuadraticPenalty] | None = None,
          interleave: bool = False, reset_optimizer: bool | Literal["moments"] = True,
          every_epoch: bool | Literal["own"] = False, progress: bool = True,
          after_epoch: Callable[[int, int], None] | None = None,
          before_consolidate: Callable[[int], None] | None = None,
          checkpoint: Path | None = None, begin: Path | None = None) -> History:
    """Train on the tasks one after another with the cross-entropy loss; test on all after each.

    Parameters
    ----------
    network : called as `network(x, task)`; logits `(batch, classes)`.
    optimizer : over the network's parameters.
    epochs, batch_size : per task.
    seed : fixes the order of the training examples (and dropout, through the global generator).
    measure : an importance measure attached to `optimizer`, or a list of them; each is
        consolidated after each task, on all of its training data where it looks at data (which
        it cannot if the tasks are interleaved).
    interleave : train all tasks at once instead, by mixing their batches within each epoch: as
        many steps on the same data, in another order. The history then holds the same values in
        every row.
    reset_optimizer : forget the optimizer's moments between tasks. "moments": set Adam's to zero
        and go on counting its steps, as the authors of SI do; its correction for moments that
        began at zero has long faded by then, so the first steps of a task are up to 6.6 times as
        long.
    every_epoch : test after each epoch too; "own": only on the task in training, and the history's
        `epochs` then has one column.
    progress : show a progress bar.
    after_epoch : called with (task index, epoch) after each epoch.
    before_consolidate : called with the task's index when its last epoch is done and the measures
        still hold what they have gathered.
    checkpoint : a file that holds, after each epoch, all that the rest of the run depends on. If
        it is there already, the same call goes on from it, and ends with the same bits as a run
        that was never interrupted. It is never half-written, and stays. One that is damaged is
        set aside, with a warning, and the run begins again.
    begin : the checkpoint of a call that trained the first task alone and alike, watched by
        `SynapticIntelligence`. Where it is there and `checkpoint` is not yet, training goes on
        from it, and ends with the same bits as if it had trained the first task itself, whatever
        it measures.

    Returns
    -------
    History

    Raises
    ------
    FloatingPointError
        If the training loss becomes NaN or infinite.
    ValueError
        If the checkpoint is not this call's, a measure is not attached to `optimizer`, or one
        would have to look at data of several interleaved tasks; nothing is changed then.
    OSError
        If a checkpoint cannot be written.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    if epochs < 1 or not tasks:
        raise ValueError(f"train needs at least one task and one epoch, got {len(tasks)} tasks "
                         f"and epochs={epochs}")
    if reset_optimizer == "moments" and not isinstance(optimizer, torch.optim.Adam):
        raise ValueError('reset_optimizer="moments" is about Adam\'s moments, got '
                         f"{type(optimizer).__name__}: reset_optimizer=True forgets all it knows")
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    measures = measure if isinstance(measure, list | tuple) else [measure] if measure else []
    for one in measures:
        if isinstance(one, QuadraticPenalty) and one.optimizer is not optimizer:
            raise ValueError(f"this {type(one).__name__} is not attached to the optimizer that "
                             "trains the network: call attach(optimizer) first")
        if interleave and len(tasks) > 1 and _looks_at_data(one):
            raise ValueError(f"{type(one).__name__} looks at the data of one task after it, and "
                             "interleaved tasks end together: train them one after another, or "
                             "use a measure that needs no data, such as SynapticIntelligence")
    rounds = [list(tasks)] if interleave else [[task] for task in tasks]
    state = {"network": network, "optimizer": optimizer,
             **{f"measure {i}": one for i, one in enumerate(measures)}}
    call = resume.call(state, tasks, epochs=epochs, batch_size=batch_size, seed=seed,
                       interleave=interleave, reset_optimizer=reset_optimizer,
                       every_epoch=every_epoch)
    place = resume.resumed(checkpoint, call, state, generator)
    if place is None:
        place = resume.Place(at_start=evaluate(network, tasks).tolist())
        if begin is not None:
            resume.take_over(begin, call, state, generator, place)
    started = time.perf_counter() - place.seconds
    with tqdm(total=len(rounds) * epochs, initial=place.round * epochs + place.epoch,
              unit="epoch", disable=not progress, leave=False) as bar:
        while place.round < len(rounds):
            group = rounds[place.round]
            bar.set_description("all tasks" if interleave else
                                f"task {place.round + 1}/{len(tasks)}")
            while place.epoch < epochs:
                train_epoch(network, _mixed(group, batch_size, generator), optimizer)
                if every_epoch:
                    place.curve.append(
                        evaluate(network, group if every_epoch == "own" else tasks).tolist())
                if after_epoch is not None:
                    after_epoch(place.round, place.epoch)
                bar.update()
                place.epoch += 1
                place.seconds = time.perf_counter() - started
                if checkpoint is not None:
                    resume.save(checkpoint, call, state, generator, place)
            if before_consolidate is not None:
                before_consolidate(place.round)
            for one in measures:
                _consolidate(one, network, group)
            if reset_optimizer:
                _reset(optimizer, reset_optimizer == "moments")
            place.rows.append(evaluate(network, tasks).tolist())
            place.round, place.epoch = place.round + 1, 0
    rows = place.rows * len(tasks) if interleave else place.rows
    columns = 1 if every_epoch == "own" and not interleave else len(tasks)
    return History(np.array(rows), np.array(place.at_start),
                   np.array(place.curve).reshape(-1, columns), time.perf_counter() - started)


def _reset(optimizer: torch.optim.Optimizer, keep_count: bool) -> None:
    counts = [state["step"] for state in optimizer.state.values() if "step" in state]
    optimizer.state.clear()
    if keep_count:  # one count for all parameters, those too that were never stepped
        for p in (p for group in optimizer.param_groups for p in group["params"]):
            optimizer.state[p] = {"step": max(counts).clone(), "exp_avg": torch.zeros_like(p),
                                  "exp_avg_sq": torch.zeros_like(p)}


def _looks_at_data(measure) -> bool:
    batches = inspect.signature(measure.consolidate).parameters.get("batches")
    return batches is not None and batches.default is inspect.Parameter.empty


def _consolidate(measure, network: nn.Module, group: Sequence[Task]):
    if len(group) > 1:
        measure.consolidate()
        return
    order = torch.Generator().manual_seed(0)  # of its own: measuring must not change the training
    measure.consolidate(group[0].batches(256, generator=order),
                        forward=lambda x: network(x, group[0]))


def train_epoch(network: nn.Module, batches: Iterable[tuple[Task, Tensor, Tensor]],
                optimizer: torch.optim.Optimizer) -> None:
    """One optimizer step for each `(task, x, y)` of `batches`, on the mean cross-entropy.

    In training mode; of a network that is in it already, modules held in evaluation mode stay so.
    """
    if not network.training:
        network.train()
    loss = None
    for task, x, y in batches:
        loss = F.cross_entropy(network(x, task), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if loss is not None and not torch.isfinite(loss):
        raise FloatingPointError(f"the training loss has become {loss.item()}: lower the learning "
                                 "rate or the strength of the penalty")


@torch.no_grad()
def evaluate(network: nn.Module, tasks: Sequence[Task]) -> np.ndarray:
    """The network's test accuracy on each task, shape (T,), in evaluation mode.

    Each module's own mode is as it was afterwards.
    """
    modes = {module: module.training for module in network.modules()}
    network.eval()
    try:
        return np.array([sum((network(x, task).argmax(1) == y).sum().item()
                             for x, y in task.test_batches()) / len(task.y_test) for task in tasks])
    finally:
        for module, mode in modes.items():
            module.training = mode


def _mixed(tasks: Sequence[Task], batch_size: int, generator: torch.Generator) -> Iterator:
    """One epoch of `(task, x, y)` over all `tasks`, their batches in random order."""
    epochs = [task.batches(batch_size, generator=generator) for task in tasks]
    counts = [-(-len(task.y_train) // batch_size) for task in tasks]
    owners = torch.repeat_interleave(torch.arange(len(tasks)), torch.tensor(counts))
    if len(tasks) > 1:
        owners = owners[torch.randperm(len(owners), generator=generator)]
    for owner in owners.tolist():
        yield (tasks[owner], *next(epochs[owner]))
