"""The runner: runs in parallel processes of one thread, each finished one a line of the store."""

import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from pathlib import Path

import joblib
from filelock import FileLock, Timeout
from tqdm.auto import tqdm

from si_tutorial import resume
from si_tutorial.experiments import store
from si_tutorial.experiments.runs import execute, finished_with, train_first_task
from si_tutorial.experiments.settings import Run

ALONE = ("runs cannot share a process, since PyTorch's random numbers and threads are the "
         "process's: start the workers with `dask worker --nthreads 1`")
_busy = threading.Lock()  # held by the one run of this process


def run_all(protocol: Callable[[list[dict]], list[Run]], folder: Path, experiment: str, *,
            jobs: int = 1, dask: str | None = None, device: str = "cpu", progress: bool = True
            ) -> list[dict]:
    """Do the runs that are not in the store yet; returns the records of all that were asked for.

    Whatever moment this process is killed at, the next call goes on: no finished run is repeated,
    and one in progress continues after its last finished epoch. A first task that several of the
    runs have in common is trained once, as a job of its own.

    Parameters
    ----------
    protocol : from the records that are there to the runs wanted; asked again when all of them
        are done, until it wants no more.
    folder : holds `EXPERIMENT.jsonl` and, while runs are in progress, their checkpoints.
    jobs : processes at a time.
    dask : the address of a scheduler whose workers do the runs instead, with one thread each.
    device : "cpu", or an accelerator as PyTorch names it.
    progress : show the runs done and the time left; with one job, the epochs too.

    Raises
    ------
    RuntimeError
        If another process is writing to this store, or a Dask worker has several threads.
    """
    file, checkpoints = folder / f"{experiment}.jsonl", folder / "checkpoints"
    # whose end its workers see; on Windows a process is not told that its parent has gone
    runner = os.getpid() if dask is None and os.name == "posix" else None
    checkpoints.mkdir(parents=True, exist_ok=True)
    begun: dict[str | None, bool] = {}  # first task → whether it is there, trained to its end
    with _only_writer(file), _processes(jobs, dask):
        while True:
            done = {Run.of(record): record for record in store.read(file)}
            wanted = list(dict.fromkeys(protocol(list(done.values()))))  # each run once
            missing = [run for run in wanted if run not in done]
            _tidy(wanted, done, checkpoints)
            if not missing:
                return [done[run] for run in wanted]
            todo = _round(missing, begun, checkpoints, len(missing) if dask else jobs)
            work = (joblib.delayed(_work)(job, run, device, checkpoints.resolve(), runner,
                                          progress and jobs == 1 and dask is None)
                    for job, run in todo)
            results = joblib.Parallel(return_as="generator_unordered", batch_size=1)(work)
            for record in tqdm(results, total=len(todo), desc=experiment, unit="run",
                               smoothing=0, disable=not progress):
                if record is not None:
                    store.append(file, record)
                    finished_with(Run.of(record), checkpoints)
            begun |= {run.first_task: True for job, run in todo if job is train_first_task}


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


def _work(job: Callable, run: Run, device: str, checkpoints: Path, runner: int | None,
          progress: bool) -> dict | None:
    """One job, in the process `runner` or a child of it, which ends soon after it."""
    def end_with_runner(*_):
        if runner not in (None, os.getpid(), os.getppid()):
            os._exit(1)  # joblib would catch an exception, and begin the next run in its queue

    end_with_runner()
    checkpoints.mkdir(parents=True, exist_ok=True)  # on another machine it may not be there
    if not _busy.acquire(blocking=False):  # in a worker that came after the others
        raise RuntimeError(ALONE)
    try:
        name = run.key if job is execute else run.first_task
        with FileLock(checkpoints / f"{name}.lock"):
            return job(run, device=device, checkpoints=checkpoints, progress=progress,
                       after_epoch=end_with_runner)
    finally:
        _busy.release()


@contextmanager
def _only_writer(file: Path):
    try:
        with FileLock(file.with_suffix(".lock"), timeout=0):
            yield
    except Timeout:
        raise RuntimeError(f"another process is writing to {file}: wait for it, or choose another "
                           "folder") from None


def _processes(jobs: int, dask: str | None):
    """Where joblib sends the runs."""
    if dask is None:
        return joblib.parallel_config("loky", n_jobs=jobs, inner_max_num_threads=1)
    from distributed import Client

    @contextmanager
    def cluster():
        with Client(dask, set_as_default=True) as client:
            if any(threads > 1 for threads in client.nthreads().values()):
                raise RuntimeError(ALONE)
            with joblib.parallel_config("dask", wait_for_workers_timeout=60):
                yield
    return cluster()
