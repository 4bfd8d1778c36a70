"""How a call of `training.train` goes on where another process stopped, with the same bits."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from si_tutorial import checkpoints
from si_tutorial.tasks import Task

# of a measure's state, what a first task leaves behind alike whichever measure watches it
WATCHED = ("steps", "weights", "anchor", "path_integral")


@dataclass
class Place:
    """How far a call of `train` has come, and what it has seen on the way."""

    at_start: list[float]
    round: int = 0    # in progress: the task's number, 0 where they are interleaved
    epoch: int = 0    # epochs of it that are done
    rows: list[list[float]] = field(default_factory=list)   # test accuracy after each round
    curve: list[list[float]] = field(default_factory=list)  # and after each epoch
    seconds: float = 0.0


def call(state: dict, tasks: Sequence[Task], **settings: Any) -> dict:
    """What a call must have in common with the one whose checkpoint it goes on from."""
    measures = {name: [type(one).__name__, {word: value for word, value in vars(one).items()
                                            if isinstance(value, bool | int | float | str)}]
                for name, one in state.items() if name.startswith("measure")}
    optimizer = [type(state["optimizer"]).__name__, state["optimizer"].defaults]
    start = list(state["network"].state_dict().values())
    return settings | measures | {
        "network": repr(state["network"]), "optimizer": optimizer, "start": _digest(start),
        "device": str(start[0].device),
        **{f"task {i}": [task.name, len(task.y_train), len(task.y_test), _digest(
            [task.y_train, task.y_test, *([] if task.pixels is None else [task.pixels])])]
           for i, task in enumerate(tasks, start=1)}}


def _digest(tensors: Sequence[Tensor]) -> str:
    """Equal for equal tensors."""
    found = hashlib.sha256()
    for tensor in tensors:
        found.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


def save(checkpoint: Path, call: dict, state: dict, generator: torch.Generator, place: Place
         ) -> None:
    """Write all that the rest of the call depends on."""
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    checkpoints.save(Path(checkpoint), {
        "call": call, "state": {name: one.state_dict() for name, one in state.items()},
        "order": generator.get_state(), "global": torch.get_rng_state(), "cuda": cuda,
        "place": asdict(place)})


def resumed(checkpoint: Path | None, call: dict, state: dict, generator: torch.Generator
            ) -> Place | None:
    """Put everything back as the checkpoint has it; None, and nothing changed, without one."""
    saved = checkpoint and checkpoints.load(Path(checkpoint))
    if not saved:
        return None
    _check_call(checkpoint, saved["call"], call, call.keys() | saved["call"])
    for name, one in state.items():
        one.load_state_dict(saved["state"][name])
    _put_generators_back(saved, generator)
    return Place(**saved["place"])


def is_whole(begin: Path) -> bool:
    """Whether the file holds a first task, trained to its end, for `take_over`."""
    saved = checkpoints.load(Path(begin))
    return saved is not None and saved["place"]["epoch"] == saved["call"]["epochs"]


def take_over(begin: Path, call: dict, state: dict, generator: torch.Generator, place: Place
              ) -> None:
    """Go on after the first task of another call, if it is there, whatever it has measured."""
    saved = checkpoints.load(Path(begin))
    if saved is None:
        return
    theirs = saved["call"]
    _check_call(begin, theirs, call, [name for name in theirs if not name.startswith("measure")
                                      and name != "reset_optimizer"])  # acts after the first task
    there, watched = Place(**saved["place"]), saved["state"].get("measure 0", {})
    if (there.round, there.epoch) != (0, call["epochs"]) or not watched.keys() >= {*WATCHED}:
        raise ValueError(f"{begin} does not hold a whole first task, watched by this version's "
                         "SynapticIntelligence: delete it and train it again")
    for name, one in state.items():
        mine = saved["state"].get(name)
        if name.startswith("measure"):  # the fields of its own that do not depend on its kind
            mine = one.state_dict()
            mine |= {field: _of_these(mine[field], watched[field])
                     for field in mine.keys() & watched if field in WATCHED}
        one.load_state_dict(mine)
    _put_generators_back(saved, generator)
    place.epoch, place.curve, place.seconds = there.epoch, there.curve, there.seconds


def _of_these(mine: Any, watched: Any) -> Any:
    """What was watched, of the parameters that are measured now: fewer, where some are frozen."""
    return {name: watched[name] for name in mine} if isinstance(mine, dict) else watched


def _check_call(file: Path, theirs: dict, mine: dict, names: Iterable[str]):
    if other := [name for name in sorted(names)
                 if name not in theirs or mine.get(name) != theirs[name]]:
        raise ValueError(f"{file} belongs to another run, which differs in its "
                         f"{', '.join(other)}: delete it to start anew, or name another file")


def _put_generators_back(saved: dict, generator: torch.Generator):
    generator.set_state(saved["order"])
    torch.set_rng_state(saved["global"])
    if saved["cuda"]:
        torch.cuda.set_rng_state_all(saved["cuda"])
