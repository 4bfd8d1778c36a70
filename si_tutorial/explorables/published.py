"""Stored runs as data for the figures that show them: one entry per setting, seeds summed up."""

from collections.abc import Callable, Iterable

import numpy as np

SETTING = ("scenario", "method", "strength", "damping")


def label(record: dict) -> str:
    """The method, and what is not usual about the run: dropout, a start, a schedule, a decay."""
    usual_heads = "zero" if record["scenario"] == "task" else "random"
    schedule = record.get("schedule", "sequence")
    return (record["method"] + (", dropout" if record.get("dropout") else "")
            + ("" if record["head_weights"] == usual_heads else f", {record['head_weights']} heads")
            + ("" if schedule == "sequence" else f", {schedule}")
            + (f", decay {decay:g}" if (decay := record.get("weight_decay")) else "")
            + (", steps counted on" if record.get("reset_optimizer") == "moments" else ""))


def summaries(records: Iterable[dict], *, name: Callable[[dict], str] = label) -> list[dict]:
    """One entry for each scenario, method, strength and damping; accuracies are in percent.

    The method goes by `name(record)`, which must tell apart what is not to be averaged. A seed
    counts once, also where its run was made again to watch it. Raises ValueError where two runs
    of one setting and one seed end differently.

    `accuracy` is the mean matrix over seeds, up to its diagonal: row by trained, column by tested
    task. `low` and `high` are the range over seeds of the mean accuracy on the tasks seen so far.
    `end` is the mean of the last row, taken before its entries are rounded.
    Where a setting was scored on test images, runs scored on held-out training images (those of
    tuning) are left out, and so is a setting of which no run has finished.
    """
    groups: dict[tuple, list[dict]] = {}
    for record in records:
        setting = record["scenario"], name(record), record["strength"], record["damping"]
        groups.setdefault(setting, []).append(record)
    return [dict(zip(SETTING, setting, strict=True)) | _summary(group)
            for setting, group in sorted(groups.items(), key=lambda item: _order(item[0]))
            if any(record["accuracy"] for record in group)]


def _summary(group: list[dict]) -> dict:
    finished = [record for record in group if record["accuracy"]]
    tested = [record for record in finished if not record["held_out"]]
    shown = _one_each_seed(tested or finished)
    matrices = 100 * np.array([record["accuracy"] for record in shown])   # (seeds, T, T)
    seen = np.array([[m[t, :t + 1].mean() for t in range(len(m))] for m in matrices])
    return {
        "held_out": not tested, "seeds": len(matrices),
        "accuracy": [_short(row[:t + 1]) for t, row in enumerate(matrices.mean(0))],
        "end": _short([seen[:, -1].mean()])[0],
        "low": _short(seen.min(0)), "high": _short(seen.max(0))}


def _one_each_seed(group: list[dict]) -> list[dict]:
    firsts: dict[int, dict] = {}
    for record in group:
        if firsts.setdefault(record["seed"], record)["accuracy"] != record["accuracy"]:
            raise ValueError(
                f"seed {record['seed']} stands twice among the runs of {record['method']} at "
                f"c = {record['strength']} and ξ = {record['damping']}, with other results: give "
                "them names that tell them apart, or leave one of them out")
    return [*firsts.values()]


def _short(values: np.ndarray) -> list[float]:
    """One decimal, and none where it would be zero: a page holds thousands of these."""
    rounded = [round(float(a), 1) for a in values]
    return [int(a) if a.is_integer() else a for a in rounded]


def _order(setting: tuple) -> tuple:
    scenarios = ["task", "domain", "class"]
    methods = ["fine-tuning", "L2", "EWC", "online EWC", "MAS", "SI", "joint"]
    scenario, method, strength, damping = setting
    return (scenarios.index(scenario) if scenario in scenarios else 9, scenario,
            methods.index(method) if method in methods else 9, method,
            strength or 0.0, damping or 0.0)
