"""The runner: runs in parallel processes of one thread, each finished one a line of the store."""

import os
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from filelock import FileLock, Timeout
from tqdm.auto import tqdm

from si_tutorial import resume
from si_tutorial.experiments import beforehand, store
from si_tutorial.experiments.crew import ALONE, RunnerError, crew, how_many
from si_tutorial.experiments.runs import execute, finished_with, train_first_task
from si_tutorial.experiments.settings import Run

_busy = threading.Lock()  # held by the one run of this process


class UnfinishedError(RunnerError):
    """Some runs could not be done, and all others are."""

    status = 1


def run_all(protocol: Callable[[list[dict]], list[Run]], folder: Path, experiment: str, *,
            jobs: int = 1, dask: str | None = None, device: str = "cpu", progress: bool = True,
            keep_going: bool = False) -> list[dict]:
    """Do the runs that are not in the store yet; returns the records of all that were asked for.

    Whatever moment this process is killed at, the next call goes on: no finished run is repeated,
    and one in progress continues after its last finished epoch. A first task that several of the
    runs have in common is trained once, as a job of its own.

    Parameters
    ----------
    protocol : from the records that are there to the runs wanted; asked again when all of them
        are done, until it wants no more.
    folder : holds `EXPERIMENT.jsonl` and, while runs are in progress, their checkpoints.
    jobs : processes at a time; -1: as many as there are cores. A script that asks for several
        does so below `if __name__ == "__main__"`, since each process imports it.
    dask : the address of a scheduler whose workers do the runs instead, with one thread each.
    device : "cpu", or an accelerator as PyTorch names it.
    progress : show the runs done and the time left, and how far the runs in progress are.
    keep_going : do the other runs where one cannot be done.

    Raises
    ------
    SettingsError, DatasetError
        If a run, the device or the folder cannot be; nothing is begun then.
    RunnerError
        If another process is writing to this store; if no scheduler or no worker answers, or a
        worker has several threads; if a process was killed twice in the middle of a run.
    UnfinishedError
        With `keep_going`, at the end, if a run could not be done.
    Exception
        Whatever else ended a run.
    """
    jobs = how_many(jobs)
    file = folder / f"{experiment}.jsonl"
    checkpoints = beforehand.check_folder(folder, file)
    if dask is None:
        beforehand.check_device(device)
    bar = _Bar(experiment, progress)
    # whose end its workers see; on Windows a process is not told that its parent has gone
    runner = os.getpid() if dask is None and os.name == "posix" else None
    do = partial(_work, device=device, checkpoints=checkpoints.resolve(), runner=runner,
                 progress=progress and jobs == 1 and dask is None)
    begun: dict[str | None, bool] = {}  # first task → whether it is there, trained to its end
    failed: dict[Run, Exception] = {}
    work = None
    with _only_writer(file), ExitStack() as stack:
        while True:
            done = {Run.of(record): record for record in store.read(file)}
            wanted = list(dict.fromkeys(protocol(list(done.values()))))  # each run once
            missing = [run for run in wanted if run not in done and run not in failed]
            _tidy(wanted, done, checkpoints)
            if not missing:
                break
            if dask is None:  # a cluster's workers have data of their own
                beforehand.check(missing)
            work = work or stack.enter_context(crew(jobs, dask, bar.meanwhile, bar.say))
            todo = _round(missing, begun, checkpoints, len(missing) if dask else jobs)
            for (job, run), outcome in bar.over(work(todo, do), len(todo)):
                if isinstance(outcome, Exception):
                    failed |= _failure(job, run, outcome, keep_going, bar.say)
                elif outcome is not None:
                    store.append(file, outcome)
                    finished_with(run, checkpoints)
            begun |= {run.first_task: True for job, run in todo if job is train_first_task}
    if failed:
        raise UnfinishedError(f"{len(failed)} of {len(wanted)} runs could not be done: "
                              + "; ".join(f"{run} ({why})" for run, why in failed.items()))
    return [done[run] for run in wanted]


def _failure(job: Callable, run: Run, why: Exception, keep_going: bool, say: Callable
             ) -> dict[Run, Exception]:
    """What is left out if the grid goes on; where only its first task failed, the run itself is
    still tried.
    """
    if not keep_going:
        if isinstance(why, RunnerError):
            raise type(why)(f"{run}: {why}. What is finished is in the store; --keep-going does "
                            "the other runs") from why
        why.add_note(f"This ended {run}. With --keep-going the other runs are done.")
        raise why
    say(f"{run}: {type(why).__name__}: {why}. The others go on.")
    return {run: why} if job is execute else {}


class _Bar:
    """The runs done, and how far those in progress are."""

    def __init__(self, experiment: str, shown: bool):
        self._experiment, self._shown = experiment, shown
        self._places: dict[tuple, str] = {}

    def over(self, outcomes: Iterable, total: int):
        with tqdm(total=total, desc=self._experiment, unit="run", smoothing=0,
                  disable=not self._shown) as self._bar:
            for job, outcome in outcomes:
                self._places.pop(job, None)
                self._bar.update()
                yield job, outcome

    def meanwhile(self, job: tuple, place: tuple[int, int]) -> None:
        self._places[job] = f"task {place[0] + 1} epoch {place[1] + 1}"
        self._bar.set_postfix_str(", ".join(self._places.values()))

    def say(self, text: str) -> None:
        if self._shown:
            self._bar.write(text, file=sys.stderr)


def _round(missing: list[Run], begun: dict[str | None, bool], checkpoints: Path, most: int
           ) -> list[tuple[Callable, Run]]:
    """What can be done now: runs that wait for nothing, and the first tasks that others wait for.

    In the order of `missing`, with `most` first tasks at a time, so that the runs that were named
    first are finished first.
    """
    alike = Counter(run.first_task for run in missing)
    todo: list[tuple[Callable, Run]] = []
    training = set()
    for run in missing:
        first = run.first_task
        if first not in begun:  # looked at once
            begun[first] = first is None or resume.is_whole(checkpoints / f"{first}.pt")
        if begun[first] or alike[first] == 1 or any(checkpoints.glob(f"{run.key}.*pt")):
            todo.append((execute, run))
        elif first not in training and len(training) < most:
            training.add(first)
            todo.append((train_first_task, run))
    return todo


def _tidy(wanted: Iterable[Run], done: dict[Run, dict], checkpoints: Path) -> None:
    """Delete what is not needed any more, also where a kill came before it was deleted."""
    needed = {run.first_task for run in wanted if run not in done}
    for run in wanted:
        if run in done:
            finished_with(run, checkpoints)
        if run.first_task not in needed:
            for file in checkpoints.glob(f"{run.first_task}.*"):
                file.unlink()


def _work(job: Callable, run: Run, *, device: str, checkpoints: Path, runner: int | None,
          progress: bool, meanwhile: Callable | None = None) -> dict | None:
    """One job, in the process `runner` or a child of it, which ends soon after it."""
    def after_epoch(task, epoch):
        if runner not in (None, os.getpid(), os.getppid()):
            os._exit(1)
        if meanwhile is not None:
            meanwhile((task, epoch))

    if runner is None:  # on another machine, perhaps
        beforehand.check_device(device)
        checkpoints.mkdir(parents=True, exist_ok=True)
    if not _busy.acquire(blocking=False):  # in a worker that came after the others
        raise RunnerError(ALONE)
    try:
        name = run.key if job is execute else run.first_task
        with FileLock(checkpoints / f"{name}.lock"):
            return job(run, device=device, checkpoints=checkpoints, progress=progress,
                       after_epoch=after_epoch)
    finally:
        _busy.release()


@contextmanager
def _only_writer(file: Path):
    try:
        with FileLock(file.with_suffix(".lock"), timeout=0):
            yield
    except Timeout:
        raise RunnerError(f"another process is writing to {file}: wait for it, or choose another "
                          "folder") from None
