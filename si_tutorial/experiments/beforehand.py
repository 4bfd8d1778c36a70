"""What would end a run at its start is refused before any run is begun."""

import re
import tempfile
from collections.abc import Iterable
from pathlib import Path

import torch

from si_tutorial import datasets
from si_tutorial.experiments import own
from si_tutorial.experiments.checks import SettingsError
from si_tutorial.experiments.runs import SOURCES, measure, network, sequence
from si_tutorial.experiments.settings import Run
from si_tutorial.tasks import Task


def check(runs: Iterable[Run]) -> None:
    """Data, networks and measures of the runs, each once.

    Raises SettingsError, or DatasetError where data cannot be had.
    """
    by_data: dict[tuple, dict[tuple, Run]] = {}
    for run in runs:
        kinds = by_data.setdefault((run.data, run.code), {})
        kinds.setdefault((run.network, run.training.precision, run.method.name), run)
    for kinds in by_data.values():
        tasks = sequence(next(iter(kinds.values())))
        for run in kinds.values():
            _check_parts(run, tasks)


def without_download(runs: Iterable[Run]) -> tuple[list[Run], list[str]]:
    """Those whose images are here, or are refused to be fetched; and what the others fetch."""
    here, missing = [], {}
    for run in runs:
        names = [name for name in SOURCES.get(run.data.name, ()) if name in datasets.SIZES
                 and not datasets.there(name)]
        if names and not datasets.offline():
            missing |= {f"{name} ({datasets.SIZES[name]})": None for name in names}
        else:
            here.append(run)
    return here, list(missing)


def _check_parts(run: Run, tasks: list[Task]) -> None:
    try:
        net = network(run)
        with torch.no_grad():
            net(next(tasks[0].test_batches(2))[0], tasks[0])
    except (RuntimeError, ValueError, MemoryError) as why:
        raise SettingsError(f"the network {run.network} cannot be used for {run.data.name}: "
                            f"{' '.join(str(why).split())}") from why
    penalty = measure(run, net)
    if penalty is not None and run.method.own:
        own.try_out(run, net, penalty, tasks)


def check_device(device: str) -> None:
    """The device must be here, and one that computes."""
    try:
        torch.ones(1, device=device).add(1).item()
    except (RuntimeError, AssertionError, ImportError, ValueError) as why:
        said = re.split(r"[.\n] ?", str(why).strip() or type(why).__name__)[0][:100]
        raise SettingsError(f"the device {device!r} cannot be used here ({said}): choose from cpu, "
                            "cuda, cuda:1, mps; `doctor` tells what there is") from why


def check_folder(folder: Path, file: Path) -> Path:
    """The folder of a store must be one that can be written to; returns that of checkpoints."""
    checkpoints = folder / "checkpoints"
    try:
        checkpoints.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder), tempfile.TemporaryFile(dir=checkpoints):
            pass
        if file.exists():
            file.open("r+b").close()
    except OSError as why:
        raise SettingsError(f"results cannot be written to {folder} ({why.strerror}: "
                            f"{why.filename}): name another folder with --results") from why
    return checkpoints
