"""A measure or a data set of one's own: one Python file, named by its path and its content.

The file's digest is part of every run that takes something from it, so that a changed file makes
other runs. Nothing else is looked for: what the file needs it imports, from installed packages.
"""

import functools
import inspect
import sys
import traceback
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from si_tutorial.datasets import Dataset
from si_tutorial.experiments.checks import SettingsError
from si_tutorial.experiments.settings import CONTROLS, DATA, METHODS, File, Run
from si_tutorial.importance import QuadraticPenalty
from si_tutorial.tasks import Task

FEW = 4  # examples of a trial


def file(path: Path) -> File:
    """The file as runs name it: by its name and the digest of its content."""
    return File(f"{path.name} {_digest(_content(path))}", path.resolve())


def kind(file: File, name: str) -> type[QuadraticPenalty]:
    """The file's measure of that name."""
    found = _named(file, name, METHODS + CONTROLS)
    if not (inspect.isclass(found) and issubclass(found, QuadraticPenalty)):
        raise SettingsError(f"{name} in {file.path} is no class on QuadraticPenalty, which is what "
                            "a method must be")
    if not hasattr(found, "consolidate"):
        raise SettingsError(f"{name} in {file.path} has no consolidate(batches, *, forward), with "
                            "which a task ends")
    return found


def measure(run: Run, network: nn.Module, **settings: float) -> QuadraticPenalty:
    """The run's own measure of the network."""
    its = kind(_file(run), run.method.name)
    try:
        return its(network, **settings)
    except Exception as why:  # somebody's own code raises what it likes
        raise SettingsError(f"{run.method.name} cannot be built with {settings or 'its defaults'}: "
                            f"{_said(why, _file(run).path)}") from why


def dataset(run: Run) -> Dataset:
    """The run's own data set: what the function of that name returns."""
    function = _named(_file(run), run.data.name, DATA)
    return _dataset(function, run.data.name, _file(run).path)


@functools.lru_cache(maxsize=1)
def _dataset(function: Callable, name: str, file: Path) -> Dataset:
    if not inspect.isfunction(function):
        raise SettingsError(f"{name} in {file} is no function, which is what data must be: one "
                            "that takes nothing and returns a si_tutorial.datasets.Dataset")
    try:
        data = function()
    except Exception as why:  # as above
        raise SettingsError(f"{name}() fails: {_said(why, file)}") from why
    if not isinstance(data, Dataset):
        raise SettingsError(f"{name}() in {file} returns {type(data).__name__}, and a "
                            "si_tutorial.datasets.Dataset is needed")
    _check_images(f"{name}() in {file}", data)
    return data


def _check_images(what: str, data: Dataset) -> None:
    for part in ("train", "test"):
        x, y = getattr(data, f"x_{part}"), getattr(data, f"y_{part}")
        if not (isinstance(x, Tensor) and x.dtype == torch.uint8 and x.ndim == 4 and len(x)):
            raise SettingsError(f"x_{part} of {what} must be a uint8 tensor of shape "
                                "(N, channels, height, width)")
        if not (isinstance(y, Tensor) and y.dtype == torch.int64 and y.shape == (len(x),)):
            raise SettingsError(f"y_{part} of {what} must be an int64 tensor with one label for "
                                f"each of the {len(x)} images")
    classes = data.y_train.unique().tolist()
    if classes != list(range(len(classes))) or data.y_test.unique().tolist() != classes:
        raise SettingsError(f"the labels of {what} must be 0, 1, … with images of each to train "
                            f"and to test on, got {classes} and {data.y_test.unique().tolist()}")
    if data.x_train.shape[1:] != data.x_test.shape[1:]:
        raise SettingsError(f"the images of {what} differ in shape: {tuple(data.x_train.shape[1:])}"
                            f" to train on, {tuple(data.x_test.shape[1:])} to test on")


def try_out(run: Run, network: nn.Module, penalty: QuadraticPenalty, tasks: Sequence[Task]
            ) -> None:
    """A step, a task's end, and a state saved and loaded, on a few examples of the first task."""
    task = tasks[0]
    images, labels = next(task.batches(FEW, generator=torch.Generator().manual_seed(0)))
    optimizer = torch.optim.Adam(network.parameters())
    try:
        penalty.attach(optimizer)
        F.cross_entropy(network(images, task), labels).backward()
        optimizer.step()
        penalty.consolidate([(images, labels)], forward=lambda x: network(x, task))
        penalty.load_state_dict(penalty.state_dict())
    except Exception as why:  # as above
        raise SettingsError(f"{run.method.name} fails when it is tried out: "
                            f"{_said(why, _file(run).path)}") from why
    if not penalty.tasks:
        raise SettingsError(f"{run.method.name} does not end its task: consolidate must return "
                            "self._end_task(importance, anchor)")
    kept = {name for name, value in vars(penalty).items()
            if isinstance(value, dict) and value.keys() == penalty.anchor.keys()
            and not name.startswith("_")} - set(penalty._tensor_fields)
    if kept:
        raise SettingsError(
            f"{run.method.name} keeps {', '.join(sorted(kept))} for each parameter, which would be "
            "lost where a run goes on: name it in _tensor_fields, beside those of its base class")


def _file(run: Run) -> File:
    if run.file is None or run.file.path is None or run.file.code != run.code:
        raise SettingsError(f"this run needs {run.code}: name that file with --from")
    return run.file


def _named(file: File, name: str, taken: Sequence[str]) -> Any:
    """What the file calls by that name."""
    found = vars(_module(file.path, file.code))
    if name not in found:
        own = [word for word, value in found.items() if not word.startswith("_")
               and getattr(value, "__module__", None) == found["__name__"]]
        raise SettingsError(f"there is no {name} in {file.path}: it has "
                            f"{', '.join(own) or 'no class and no function'}, and the package "
                            f"has {', '.join(taken)}")
    return found[name]


@functools.lru_cache(maxsize=4)
def _module(file: Path, code: str) -> ModuleType:
    """The file's content, run once in each process, and never another content than expected."""
    content = _content(file)
    if code != f"{file.name} {_digest(content)}":
        raise SettingsError(f"{file} has changed since its runs were asked for: give the command "
                            "again, and the changed file makes runs of its own")
    module = ModuleType(f"si_tutorial_own_{_digest(content)}")
    module.__file__ = str(file)
    sys.modules[module.__name__] = module  # where copying and inspecting look for a class's module
    try:
        exec(compile(content, file, "exec"), vars(module))
    except (Exception, SystemExit) as why:  # as above
        raise SettingsError(f"{file} cannot be run: {_said(why, file)}") from why
    return module


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as why:
        raise SettingsError(f"{file} cannot be read ({why.strerror}): --from takes a Python "
                            "file") from why


def _digest(content: bytes) -> str:
    return sha256(content).hexdigest()[:16]


def _said(why: BaseException, file: Path) -> str:
    """An error in one line, with the last line of the file that led to it."""
    lines = [frame.lineno for frame in traceback.extract_tb(why.__traceback__)
             if frame.filename == str(file)]
    line = why.lineno if isinstance(why, SyntaxError) else lines[-1] if lines else None
    place = f" ({file.name}, line {line})" if line else ""
    words = why.msg if isinstance(why, SyntaxError) else " ".join(str(why).split())
    return f"{type(why).__name__}: {words}{place}"
