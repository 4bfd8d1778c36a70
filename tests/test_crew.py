"""Who does a grid's jobs: processes that are killed, interrupted, or come late to a cluster."""

import json
import multiprocessing
import os
import shutil
import signal
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from groups import groups, left_of
from moments import TINY

from si_tutorial.experiments import crew, runner, store
from si_tutorial.experiments.crew import DiedError, Processes, RunnerError

POSIX = pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX")
ROOT = Path(__file__).resolve().parents[1]
MINE = '''
import torch
from si_tutorial.datasets import Dataset

def four():
    y = torch.arange(4).repeat(8)
    x = (torch.arange(32 * 9, dtype=torch.uint8) * 7).view(32, 1, 3, 3)
    return Dataset("four", x, y, x, y, source="made here", complete=True)
'''


def double(job, number, meanwhile=None):
    meanwhile(("doing", number))
    return job(number)


def twice(number):
    return 2 * number


def die(number, *, folder, always=()):
    """Be killed, the first time or each time; 1 is a number that is never killed."""
    mark = folder / f"{number}"
    if number in always or (number != 1 and not mark.exists()):
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def fail(number):
    raise OSError("no space") if number else RunnerError("said in a sentence")


def outcomes(jobs, count=2, do=double):
    told, said = [], []
    with Processes(count, lambda job, what: told.append((job[1], what)), said.append) as work:
        found = {job[1]: outcome for job, outcome in work(jobs, do)}
        assert len(multiprocessing.active_children()) <= min(count, len(jobs))
    assert not multiprocessing.active_children()
    return found, told, said


def test_every_job_is_done_once_and_tells_what_it_does_by_no_more_processes_than_jobs():
    found, told, said = outcomes([(twice, n) for n in range(3)], count=40)
    assert found == {0: 0, 1: 2, 2: 4} and not said
    assert sorted(told) == [(n, ("doing", n)) for n in range(3)]


@POSIX
def test_a_job_whose_process_is_killed_is_named_and_tried_once_more(tmp_path):
    job = partial(die, folder=tmp_path, always=[3])
    found, _, said = outcomes([(job, n) for n in (1, 2, 3)])
    assert found[1] == 1 and found[2] == 2
    assert isinstance(found[3], DiedError) and "was killed, as systems do where memory" in str(
        found[3])
    assert len(said) == 2 and all(f"{n}: its process was killed" in " ".join(said) for n in (2, 3))


@POSIX
def test_what_is_tried_again_comes_after_the_others(tmp_path):
    found, told, _ = outcomes([(partial(die, folder=tmp_path), n) for n in (2, 1)], count=1)
    assert list(found) == [1, 2] and [n for n, _ in told] == [2, 1, 2]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
def test_a_process_is_deaf_to_ctrl_c_from_its_first_moment_and_this_one_is_not():
    def blocked(pid):
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
        mask = next(line.split()[1] for line in status.splitlines() if line.startswith("SigBlk"))
        return bool(int(mask, 16) >> signal.SIGINT - 1 & 1)

    process, pipe = crew._start()
    assert blocked(process.pid) and not blocked("self")
    pipe.close()
    process.join()


def test_what_ends_a_job_is_its_outcome_and_says_where_it_came_from():
    found, _, _ = outcomes([(fail, 0), (fail, 1), (twice, 2)], count=1)
    assert type(found[0]) is RunnerError and str(found[0]) == "said in a sentence"
    assert type(found[1]) is RuntimeError and str(found[1]) == "OSError: no space"
    assert 'raise OSError("no space")' in found[1].__notes__[0] and found[2] == 4


@pytest.mark.parametrize(("jobs", "count"), [(1, 1), (7, 7), (-1, os.cpu_count())])
def test_minus_one_is_a_process_on_each_core(jobs, count):
    assert crew.how_many(jobs) == count


# ------------------------------------------------------------------------------ a whole grid

def three(folder, monkeypatch, **settings):
    """Three runs, of which the middle one fails; the runs that were tried."""
    def execute(run, **_):
        tried.append(run.seed)
        if run.seed == 1:
            raise OSError("no space")
        return run.fields | {"version": store.VERSION, "accuracy": None, "failed": "x",
                             **{name: None for name in (*store.FOUND, *store.ORIGIN)}}

    tried = []
    monkeypatch.setattr(runner, "execute", execute)
    monkeypatch.setattr(runner.beforehand, "check", lambda runs: None)
    with pytest.raises((RunnerError, OSError)) as caught:
        runner.run_all(lambda _: [TINY.replace(seed=seed) for seed in range(3)], folder,
                       TINY.experiment, progress=False, **settings)
    return tried, caught.value


def test_a_run_that_cannot_be_done_ends_the_grid_or_is_left_out(tmp_path, monkeypatch):
    tried, why = three(tmp_path / "a", monkeypatch)
    assert tried == [0, 1] and type(why) is OSError
    assert "zero heads, data = mnist subset, learning_rate = 0.01, seed 1" in why.__notes__[0]
    assert "--keep-going" in why.__notes__[0]
    tried, why = three(tmp_path / "b", monkeypatch, keep_going=True)
    assert tried == [0, 1, 2] and why.status == 1
    assert "1 of 3 runs could not be done: split-mnist, task, fine-tuning" in str(why)
    assert "no space" in str(why) and "Run(" not in str(why)
    assert [r["seed"] for r in store.read(tmp_path / "b" / f"{TINY.experiment}.jsonl")] == [0, 2]


@pytest.fixture
def start(tmp_path):
    """Start a command in a session of its own; what it says goes to a file."""
    (tmp_path / "my.py").write_text(MINE)
    with groups(tmp_path, ROOT, cwd=tmp_path) as start:
        yield lambda *words: start([sys.executable, "-m", *words])


def until(condition, *processes, limit=300):
    end = time.monotonic() + limit
    while not condition():
        assert all(process.poll() is None for process in processes), "a process has ended"
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def words(*more, epochs=100_000, methods=("fine-tuning", "L2")):
    return ["si_tutorial", "run", "split-mnist", "--from", "my.py", "--method", *methods,
            "--seeds", "1", "--with", "data=four", "tasks=2", "hidden=(4,)", f"epochs={epochs}",
            "batch_size=32", *more]


@POSIX
@pytest.mark.skipif(not shutil.which("ps"), reason="needs ps to look for the workers")
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_an_interrupt_ends_the_workers_quietly_and_says_what_is_kept(start, tmp_path, jobs):
    process = start(*words("--jobs", jobs))
    until(lambda: list(tmp_path.glob("results/checkpoints/*.pt")), process)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to every process of the group
    assert process.wait(60) == 130
    said = process.said.read_text()
    assert "Traceback" not in said and "KeyboardInterrupt" not in said
    (last,) = [line for line in said.splitlines() if line.startswith("Interrupted")]
    assert "0 finished runs are in results/split-mnist.jsonl" in last and "goes on" in last
    until(lambda: not left_of(process))


@POSIX
def test_a_worker_of_a_cluster_is_killed_in_mid_run_and_another_that_comes_late_goes_on(
        start, tmp_path):
    pytest.importorskip("distributed")
    file = tmp_path / "scheduler.json"
    scheduler = start("dask", "scheduler", "--scheduler-file", str(file), "--host", "127.0.0.1",
                      "--port", "0", "--no-dashboard", "--no-show")
    until(file.exists, scheduler)

    def worker():
        return start("dask", "worker", "--scheduler-file", str(file), "--nthreads", "1",
                     "--nworkers", "1", "--no-nanny", "--no-dashboard")

    time.sleep(0.2)
    address = json.loads(file.read_text())["address"]
    first = worker()
    grid = start(*words("--dask", address, epochs=300, methods=["fine-tuning"]))
    until(lambda: list(tmp_path.glob("results/checkpoints/*.pt")), grid)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    saved = {f.name for f in tmp_path.glob("results/checkpoints/*.pt")}
    assert saved and not (tmp_path / "results/split-mnist.jsonl").exists()
    worker()
    assert grid.wait(300) == 0, grid.said.read_text()
    (record,) = store.read(tmp_path / "results/split-mnist.jsonl")
    alone = start(*words("--results", "alone", epochs=300, methods=["fine-tuning"]))
    assert alone.wait(300) == 0
    (same,) = store.read(tmp_path / "alone/split-mnist.jsonl")
    assert record["accuracy"] == same["accuracy"]
