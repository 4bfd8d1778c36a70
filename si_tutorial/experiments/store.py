"""The store: one JSON line for each finished run, appended whole or not at all.

A line is flat: the fields of its `Run`, what it found, and where that was made. It tells its
version; lines of older versions are read by the rules below, and nothing is guessed about others.
"""

import importlib.resources
import json
import os
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from si_tutorial.errors import UserError
from si_tutorial.experiments.settings import Run

if TYPE_CHECKING:  # pandas is imported where a table is made
    import pandas as pd

VERSION = 2
# what a run finds, `(T, T)` and the like as lists; None where it was not asked for, or failed
FOUND = ("accuracy", "at_start", "seconds", "failed", "correlation", "spread", "curve",
         "training_accuracy")
# where and with what it was made
ORIGIN = ("data_source", "data_digest", "device", "machine", "kind", "system", "threads",
          "versions", "commit", "finished")
# what lines of version 1, which do not tell their version, do not tell either: all had this
SINCE_1 = {"start": 0, "network": "mlp", "weight_decay": 0.0, "precision": "float32",
           "schedule": "sequence", "curves": False, "spread": None, "curve": None,
           "training_accuracy": None}


# the fields by which tables tell runs apart; some networks lack some
SETTINGS = ("scenario", "method", "strength", "damping", "dropout", "head_weights", "schedule",
            "weight_decay", "seed")


class StoreError(UserError, ValueError):
    """A store that cannot be read; the message names the line and says what to do."""


def read(file: Path) -> list[dict]:
    """All records of a store in the present version, oldest first; none if there is no file.

    A last line that a kill has cut off is left out. A line that is no record of a run at all is
    left out, with a warning that names it. Raises StoreError for a line that is damaged, or that a
    newer version of this package has written.
    """
    if not file.exists():
        return []
    records = []
    *whole, last = file.read_bytes().split(b"\n")
    for number, line in enumerate([*whole, last] if _is_json(last) else whole, start=1):
        try:
            found = json.loads(line)
        except ValueError as why:
            raise StoreError(f"line {number} of {file} is damaged ({why}): delete that line; its "
                             "run will be done again") from why
        if not isinstance(found, dict) or not {"experiment", "seed"} <= found.keys():
            warnings.warn(f"line {number} of {file} is no record of a run and is passed over: "
                          f"{line[:40].decode(errors='replace')}", RuntimeWarning, stacklevel=2)
        else:
            records.append(_present(found, f"line {number} of {file}"))
    return records


def _present(record: dict, where: str) -> dict:
    """The record as the present version would have written it."""
    version = record.get("version", 1)
    if version not in range(1, VERSION + 1):
        raise StoreError(f"{where} has version {version!r}, and this package reads versions 1 to "
                         f"{VERSION}: bring si_tutorial up to date, or use another folder")
    if version == 1:
        record = SINCE_1 | record | {"version": VERSION}
    try:
        known = {"version", *Run.of(record).fields, *FOUND, *ORIGIN}
    except KeyError as missing:
        raise StoreError(f"{where} lacks the field {missing}: delete that line; its run will be "
                         "done again") from missing
    except ValueError as why:
        raise StoreError(f"{where} describes a run that this version does not know ({why}): bring "
                         "si_tutorial up to date, or delete that line") from why
    if unknown := record.keys() - known:
        raise StoreError(f"{where} has the unknown field {', '.join(sorted(unknown))}, which may "
                         "change what its result means: bring si_tutorial up to date, or delete "
                         "that line")
    return record


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def append(file: Path, record: dict) -> None:
    """Add one line; it is on the disk when this returns. Not for two writers at a time."""
    file.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps(record, allow_nan=False).encode() + b"\n"
    file.touch()
    with open(file, "r+b") as f:
        whole, end, last = f.read().rpartition(b"\n")
        if _is_json(last):
            line = b"\n" + line  # complete, and only its end is missing
        else:
            f.truncate(len(whole + end))  # drop what a kill has left of an earlier line
        f.seek(0, os.SEEK_END)
        f.write(line)
        f.flush()
        os.fsync(f.fileno())


def published(experiment: str) -> list[dict]:
    """The records that the book shows, shipped with the package."""
    return read(Path(str(importlib.resources.files("si_tutorial") / "results"))
                / f"{experiment}.jsonl")


def runs(records: Iterable[dict]) -> "pd.DataFrame":
    """One row per run: its fields, and "ACC", the mean accuracy after the last task."""
    import pandas as pd

    records = list(records)
    lists = {*FOUND, "hidden", "versions"} - {"seconds", "failed"}
    table = pd.DataFrame([{k: v for k, v in record.items() if k not in lists}
                          for record in records])
    table["ACC"] = [float(pd.Series(record["accuracy"][-1]).mean()) if record["accuracy"] else None
                    for record in records]
    return table


def accuracies(records: Iterable[dict]) -> "pd.DataFrame":
    """One row per run × trained task × tested task (both from 1), with its "accuracy"."""
    import pandas as pd

    return pd.DataFrame([
        {**{name: record.get(name) for name in SETTINGS},
         "trained": i, "tested": j, "accuracy": accuracy}
        for record in records if record["accuracy"]
        for i, row in enumerate(record["accuracy"], start=1)
        for j, accuracy in enumerate(row, start=1)])
