"""The store: one JSON line for each finished run, appended whole or not at all."""

import importlib.resources
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # pandas is imported where a table is made
    import pandas as pd


def read(file: Path) -> list[dict]:
    """All records of a store, oldest first; none if there is no file.

    A last line that a kill has cut off is left out. Raises ValueError for a damaged line elsewhere.
    """
    if not file.exists():
        return []
    whole = file.read_bytes().rpartition(b"\n")[0]
    records = []
    for number, line in enumerate(whole.splitlines(), start=1):
        try:
            records.append(json.loads(line))
        except ValueError as why:
            raise ValueError(f"line {number} of {file} is damaged ({why}): delete that line; its "
                             "run will be done again") from why
    return records


def append(file: Path, record: dict) -> None:
    """Add one line; it is on the disk when this returns. Not for two writers at a time."""
    file.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps(record, allow_nan=False).encode() + b"\n"
    file.touch()
    with open(file, "r+b") as f:
        f.truncate(f.read().rfind(b"\n") + 1)  # drop what a kill has left of an earlier line
        f.seek(0, os.SEEK_END)
        f.write(line)
        f.flush()
        os.fsync(f.fileno())


def published(experiment: str) -> list[dict]:
    """The records that the book shows, shipped with the package."""
    return read(Path(str(importlib.resources.files("si_tutorial") / "results"))
                / f"{experiment}.jsonl")


def runs(records: list[dict]) -> "pd.DataFrame":
    """One row per run: its fields, and "ACC", the mean accuracy after the last task."""
    import pandas as pd

    matrices = {"accuracy", "at_start", "correlation"}  # None where a run failed
    table = pd.DataFrame([{k: v for k, v in record.items()
                           if k not in matrices and not isinstance(v, list | dict)}
                          for record in records])
    table["ACC"] = [float(pd.Series(record["accuracy"][-1]).mean()) if record["accuracy"] else None
                    for record in records]
    return table


def accuracies(records: list[dict]) -> "pd.DataFrame":
    """One row per run × trained task × tested task (both from 1), with its "accuracy"."""
    import pandas as pd

    return pd.DataFrame([
        {"scenario": record["scenario"], "method": record["method"],
         "strength": record["strength"], "damping": record["damping"],
         "dropout": record["dropout"], "head_weights": record["head_weights"],
         "seed": record["seed"], "trained": i, "tested": j, "accuracy": accuracy}
        for record in records if record["accuracy"]
        for i, row in enumerate(record["accuracy"], start=1)
        for j, accuracy in enumerate(row, start=1)])
