"""Who does the jobs of a grid: this process, processes of its own, or a Dask cluster.

Each crew is a function from jobs to pairs of a job and its outcome, in the order in which they are
finished; an outcome is what the job returned or the exception that ended it.
"""

import asyncio
import contextlib
import multiprocessing
import os
import signal
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any

import torch
from tqdm.auto import tqdm

from si_tutorial.errors import UserError

Job = tuple[Callable, Any]  # what is done, and with which run
Outcomes = Iterator[tuple[Job, Any]]

ANSWER = 5    # seconds in which a scheduler must answer
WORKERS = 60  # and in which it must have a worker
ALONE = ("runs cannot share a process, since PyTorch's random numbers and threads are the "
         "process's: start the workers with `dask worker --nthreads 1`")


class RunnerError(UserError, RuntimeError):
    """The runner cannot begin, or not go on; the message says what to do."""


class DiedError(RunnerError):
    """A process ended in the middle of a job."""

    status = 1


def how_many(jobs: int) -> int:
    """Processes at a time: -1 means one on each core."""
    if jobs < 1 and jobs != -1:
        raise RunnerError(f"jobs must be at least 1, or -1 for one on each core, got {jobs}")
    return (os.cpu_count() or 1) if jobs == -1 else jobs


def here(jobs: Sequence[Job], do: Callable) -> Outcomes:
    """One after another, in this process."""
    for job in jobs:
        try:
            outcome = do(*job)
        except Exception as why:  # whatever ends a run is its outcome: the runner decides
            outcome = why
        yield job, outcome


class Processes:
    """At most `count` processes, started when there is something to do, each for a job at a time.

    `tell(job, what)` is called with what a job sends while it is done. A job whose process is
    killed is tried once more after the others, and `say` is told so.
    """

    def __init__(self, count: int, tell: Callable[[Job, Any], None], say: Callable[[str], None]):
        self._count, self._tell, self._say = count, tell, say
        self._idle: list[tuple[Any, Connection]] = []
        self._busy: dict[Connection, tuple[Any, Job]] = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for _, pipe in self._idle:
            pipe.close()  # at which it ends by itself
        for process, _ in self._busy.values():
            process.terminate()
        for process, _ in [*self._idle, *self._busy.values()]:
            process.join()

    def __call__(self, jobs: Sequence[Job], do: Callable) -> Outcomes:
        waiting, again = deque(jobs), set()
        while waiting or self._busy:
            while waiting and len(self._busy) < self._count:
                process, pipe = self._idle.pop() if self._idle else _start()
                self._busy[pipe] = process, waiting.popleft()
                pipe.send((do, self._busy[pipe][1]))
            for pipe in wait(list(self._busy)):
                process, job = self._busy[pipe]
                try:
                    kind, what = pipe.recv()
                except (EOFError, ConnectionError):
                    del self._busy[pipe]
                    process.join()
                    why = DiedError(_end(process.exitcode))
                    if job in again:
                        yield job, why
                    else:
                        again.add(job)
                        waiting.append(job)
                        self._say(f"{job[1]}: {why}. It is tried once more and goes on after its "
                                  "last finished epoch.")
                    continue
                if kind == "meanwhile":
                    self._tell(job, what)
                    continue
                del self._busy[pipe]
                self._idle.append((process, pipe))
                yield job, _raised(*what) if kind == "raised" else what


def _end(status: int) -> str:
    if status == -getattr(signal, "SIGKILL", 9):
        return ("its process was killed, as systems do where memory runs out: fewer --jobs need "
                "less")
    return f"its process ended in the middle (exit status {status})"


def _start() -> tuple[Any, Connection]:
    context = multiprocessing.get_context("spawn")
    mine, its = context.Pipe()
    process = context.Process(target=_serve, args=(its,), daemon=True)
    with _deaf_to_interrupts():
        process.start()
    its.close()  # so that its end is seen when the process has ended
    return process, mine


@contextmanager
def _deaf_to_interrupts():
    """Ctrl-C goes to every process of a terminal; those started here leave it to the runner."""
    if os.name != "posix":
        yield
        return
    resource_tracker.ensure_running()  # its own start would let interrupts through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(pipe: Connection) -> None:
    """In a process of a crew: one job after another, until the runner has gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    tqdm.set_lock(threading.RLock())  # its own would be left behind by a process that is ended
    while True:
        try:
            do, job = pipe.recv()
        except EOFError:
            return
        try:
            answer = "done", do(*job, meanwhile=lambda what: pipe.send(("meanwhile", what)))
        except Exception as why:  # told to the runner, in words: not every exception can be sent
            told = type(why) if isinstance(why, UserError) else RuntimeError
            words = str(why) if isinstance(why, UserError) else f"{type(why).__name__}: {why}"
            answer = "raised", (told, words, traceback.format_exc())
        pipe.send(answer)


def _raised(kind: type[Exception], words: str, where: str) -> Exception:
    why = kind(words)
    why.add_note(f"In a process of the runner:\n{where}")
    return why


@contextmanager
def cluster(address: str) -> Iterator[Callable[[Sequence[Job], Callable], Outcomes]]:
    """The workers of a Dask scheduler, also those that join later; what one loses another does."""
    try:
        from distributed import Client, as_completed
        from distributed.scheduler import KilledWorker
    except ImportError as why:
        raise RunnerError("--dask needs the package distributed: pip install "
                          "\"si-tutorial[cluster]\"") from why
    try:
        asyncio.run(_ask(address))
        client = Client(address, timeout=ANSWER, set_as_default=False)
    except (OSError, ValueError) as why:
        raise RunnerError(f"no Dask scheduler answers at {address!r} within {ANSWER} seconds: "
                          "start one with `dask scheduler`, and name the address that it "
                          "tells") from why

    def do_there(jobs: Sequence[Job], do: Callable) -> Outcomes:
        futures = {client.submit(do, *job, pure=False): job for job in jobs}
        for future in as_completed(list(futures), loop=client.loop):
            if future.cancelled():
                raise RunnerError(f"the scheduler {address} has gone: what is finished is in the "
                                  "store, and the same command goes on")
            why = future.exception()
            if isinstance(why, KilledWorker):
                why = DiedError("one Dask worker after another was lost with it")
            yield futures.pop(future), future.result() if why is None else why

    with client:
        try:
            client.wait_for_workers(1, timeout=WORKERS)
        except TimeoutError as why:
            raise RunnerError(f"no worker has joined the scheduler {address} within {WORKERS} "
                              f"seconds: start some with `dask worker {address} --nthreads "
                              "1`") from why
        if any(threads > 1 for threads in client.nthreads().values()):
            raise RunnerError(ALONE)
        yield do_there


async def _ask(address: str) -> None:
    """Whether a Dask server answers there: where none does, a client would not let go of it."""
    from distributed.comm import connect

    (await asyncio.wait_for(connect(address, timeout=ANSWER), ANSWER)).abort()


def crew(jobs: int, dask: str | None, tell: Callable, say: Callable) -> Any:
    """The one that is asked for, as a context."""
    if dask is not None:
        return cluster(dask)
    return contextlib.nullcontext(here) if jobs == 1 else Processes(jobs, tell, say)
