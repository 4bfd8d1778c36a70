"""What the store says, as tables: results, tuning, and how to reproduce each of them."""

import dataclasses
import shlex
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from si_tutorial import metrics
from si_tutorial.experiments import protocols, store
from si_tutorial.experiments.settings import File, Run

# of its origin, what decides the bits of a result
DECIDES = ("machine", "device", "threads", "versions", "data_source", "data_digest", "commit")
DEGREES = 3  # of freedom, below which a spread is too badly known to judge another run by
MANY = 8     # and from which on it is known well enough not to ask how others spread
COUNTS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def by_setting(records: Iterable[dict]) -> dict[Run, list[dict]]:
    """The records that differ in their seeds alone, by the run with seed 0, in order of seed."""
    groups: dict[Run, list[dict]] = {}
    for record in sorted(records, key=lambda record: record["seed"]):
        groups.setdefault(Run.of(record).replace(seed=0), []).append(record)
    return groups


def label(run: Run, among: Iterable[Run] = ()) -> str:
    """The run's method in words, with everything that is not usual about it.

    Of runs that are named, what all of them have in common is left out.
    """
    fields = [other.fields for other in among]
    same = {name for name in fields[0] if all(one.get(name) == fields[0][name] for one in fields)
            } if fields else set()
    words = {"dropout": "dropout {:g}", "head_weights": "{} heads", "weight_decay": "decay {:g}",
             "schedule": "{}", "precision": "{}", "correlate": "accounts compared"}
    return ", ".join([run.method.name, *(words.get(name, f"{name} = {{}}").format(value)
                                         for name, value in _unusual(run).items()
                                         if name not in {"held_out", *same})])


def results(records: Iterable[dict], *, held_out: bool = False) -> pd.DataFrame:
    """One row per setting: accuracy after the last task (percent) with its intervals.

    With `held_out`, the tuning runs, which are scored on held-out training images; without, the
    others.
    """
    rows = []
    for run, group in by_setting(records).items():
        if bool(run.data.held_out) != held_out:
            continue
        row = {"scenario": run.data.scenario, "method": label(run), "c": run.method.strength,
               "ξ": run.method.damping, "seeds": len(group)}
        finished = [record for record in group if record["accuracy"]]
        if len(finished) == len(group):
            values = [100 * metrics.average_accuracy(record["accuracy"]) for record in finished]
            row |= {"mean": sum(values) / len(values), "lowest": min(values),
                    "highest": max(values)}
            if len(values) >= metrics.ENOUGH:
                row["95 % of means"] = _interval(metrics.confidence_interval(values))
                row["95 % of seeds"] = _interval(metrics.prediction_interval(values))
        row["minutes each"] = sum(r["seconds"] or 0 for r in finished) / 60 / max(1, len(finished))
        rows.append(row)
    return pd.DataFrame(rows)


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """The columns of `results` that a chapter shows, rounded, one row per method."""
    settings = {name: table[name].map(lambda value: "" if pd.isna(value) else f"{value:g}")
                for name in ("c", "ξ")}
    shown = table.drop(columns=["scenario", "minutes each"]).round(1).assign(**settings)
    return shown.set_index("method")


def at_tuned_strength(base: Run, records: Iterable[dict], rounds: int = 2
                      ) -> dict[str, list[dict]]:
    """Method → its records on the test set, at the strength that tuning chose in so many rounds."""
    records = list(records)
    groups = by_setting(records)
    strengths = protocols.tuned(base, records, rounds)
    return {run.method.name: groups[run] for run in protocols.at_strengths(base, strengths, 1)}


def named(records: Iterable[dict], settings: Mapping[str, Run]) -> dict[str, list[dict]]:
    """The finished records of each setting under its name; names without one are left out."""
    groups = by_setting(record for record in records if record["accuracy"])
    return {name: groups[run] for name, run in settings.items() if run in groups}


def paired(*groups: Sequence[dict]) -> list[tuple[dict, ...]]:
    """One record of each group, for every seed that all of them have."""
    by_seed = [{record["seed"]: record for record in group} for group in groups]
    common = set(by_seed[0]).intersection(*by_seed[1:])
    return [tuple(records[seed] for records in by_seed) for seed in sorted(common)]


def half_interval(values: Sequence[float]) -> float:
    """How far the 95 % interval of the mean reaches; NaN for fewer seeds than are enough."""
    if len(values) < metrics.ENOUGH:
        return float("nan")
    low, high = metrics.confidence_interval(values)
    return (high - low) / 2


def count(number: int, what: str = "seed") -> str:
    """"one seed", "two seeds", "12 seeds"."""
    return f"{COUNTS[number] if number < len(COUNTS) else number} {what}{'s' * (number != 1)}"


def told(values: Sequence[float], said: int = 0) -> str:
    """Differences in percentage points over some seeds, in words: the mean, and how sure it is.

    `said` is the number of seeds that the page has named already: only another one is told.
    """
    values = list(values)
    # 2.35 is 2.4 however it was computed, and nothing is −0.0
    mean = f"{round(round(float(np.mean(values)), 9), 1) + 0.0:+.1f}"
    sure = [count(len(values))] if len(values) != said else []
    if len(values) >= metrics.ENOUGH:
        mean += f" ± {half_interval(values):.1f}"
    elif len(values) > 1:
        sure.append(" and ".join(f"{value:+.1f}" for value in values))
    return (f"{mean} ({': '.join(sure)})" if sure else mean).replace("-", "−")


def accuracies(groups: dict[str, list[dict]]) -> pd.DataFrame:
    """What `store.accuracies` has of each group of records, whose name is its "method"."""
    return pd.concat(store.accuracies(group).assign(method=name) for name, group in groups.items())


def ends(groups: dict[str, list[dict]]) -> pd.DataFrame:
    """One row per run: its group's name as "method", and its "accuracy" after the last task."""
    return pd.DataFrame([{"method": name, "accuracy": metrics.average_accuracy(record["accuracy"])}
                         for name, group in groups.items() for record in group])


def learned_and_kept(records: Iterable[dict], setting: str) -> pd.DataFrame:
    """One row per run: the setting, how well tasks were just learned, and how well at the end."""
    return pd.DataFrame([{setting: record[setting],
                          "just learned": np.diagonal(record["accuracy"]).mean(),
                          "at the end": metrics.average_accuracy(record["accuracy"])}
                         for record in records])


def difference(one: pd.Series | np.ndarray, other: pd.Series | np.ndarray) -> str:
    """Mean difference over the same seeds, in percentage points, ± its 95 % interval."""
    low, high = metrics.confidence_interval(100 * (one - other))
    return f"{(low + high) / 2:+.1f} ± {(high - low) / 2:.1f}".replace("-", "−")


def chosen(experiment: str, records: list[dict]) -> pd.DataFrame:
    """The strength that tuning has chosen for each method, by scenario."""
    base = protocols.EXPERIMENTS[experiment][0]
    scenarios = dict.fromkeys(record["scenario"] for record in records)
    return pd.DataFrame({name: protocols.tuned(protocols.in_scenario(base, name), records)
                         for name in scenarios}).rename_axis("method")


def reproduction(experiment: str, records: Iterable[dict]) -> pd.DataFrame:
    """One row per reported setting: the command that makes it, and what it was made with."""
    rows = []
    for run, group in by_setting(records).items():
        if run.data.held_out:
            continue
        settings = [f"{name} = {value:g}" for name, value in (("c", run.method.strength),
                                                              ("ξ", run.method.damping)) if value]
        rows.append({"result": f"{run.data.scenario}: {', '.join([label(run), *settings])}",
                     "command": command(run, range(group[0]["seed"], group[-1]["seed"] + 1)),
                     "minutes": sum(record["seconds"] or 0 for record in group) / 60,
                     **{name: "; ".join(dict.fromkeys(_words(r[name]) for r in group))
                        for name in DECIDES}})
    return pd.DataFrame(rows)


def command(run: Run, seeds: int | range) -> str:
    """The command line that makes the run with these seeds, or with that many from 0."""
    if isinstance(seeds, range):
        seeds = f"{seeds.start}:{seeds.stop}" if seeds.start else seeds.stop
    words = ["python", "-m", "si_tutorial", "run", run.experiment, "--scenario", run.data.scenario,
             "--method", run.method.name, "--seeds", str(seeds)]
    if run.code is not None:
        words += ["--from", run.code.rpartition(" ")[0]]
    for option, value in (("--strength", run.method.strength), ("--damping", run.method.damping)):
        words += [] if value is None else [option, str(value)]
    changed = [f"{name}={value}" for name, value in _unusual(run).items()]
    return shlex.join(words + (["--with", *changed] if changed else []))


def same_setup(record: dict, other: dict) -> bool:
    """Whether both were made on the same machine with the same versions, threads and data.

    Never so on a graphics card, which may add in another order each time. A processor's name may
    stand for several kinds, on which sums are rounded differently. The oldest records do not tell
    theirs; these are not known to be from the same machine as any other.
    """
    return record["device"] == "cpu" and "kind" in record and all(
        record[name] == other.get(name) for name in ("kind", *DECIDES) if name != "commit")


def agrees(record: dict, again: dict, records: Iterable[dict]) -> bool:
    """Whether a recomputed record confirms the one that is stored.

    With the same set-up its accuracies are the same numbers; elsewhere, where sums are rounded in
    another order, the accuracy after the last task lies in the interval of `elsewhere`. A run that
    failed is confirmed by one that fails. Raises ValueError if there is no such interval.
    """
    if same_setup(record, again) or not (record["accuracy"] and again["accuracy"]):
        return record["accuracy"] == again["accuracy"]
    low, high = elsewhere(record, records)
    return low <= metrics.average_accuracy(again["accuracy"]) <= high


def elsewhere(record: dict, records: Iterable[dict]) -> tuple[float, float]:
    """The 99.9 % prediction interval for the accuracy of this record's run on another machine.

    Around the mean of the stored seeds of its setting. The spread is pooled over that setting and
    those beside it: up to a factor of ten in strength and damping, on the test set or on held-out
    images. All settings of the experiment on the same data are pooled with these, where they have
    fewer than DEGREES degrees of freedom, or fewer than MANY and neither spread is more than twice
    the other. Raises ValueError if none has two seeds to tell it.
    """
    mine = Run.of(record).replace(seed=0)
    settings = {run: values for run, group in by_setting(records).items()
                if (values := [metrics.average_accuracy(r["accuracy"]) for r in group
                               if r["accuracy"]])}
    beside = [run for run in settings if _are_beside(run, mine)]
    rest = [run for run in settings if run.data == mine.data and run not in beside]
    (near, known), (far, _) = (metrics.pooled_spread([settings[run] for run in runs])
                               for runs in (beside, rest))
    if known < DEGREES or (known < MANY and near <= 2 * far and far <= 2 * near):
        beside += rest
    try:
        return metrics.prediction_interval(
            settings.get(mine, []), level=0.999, alike=[settings[run] for run in beside
                                                        if run != mine])
    except ValueError:
        raise ValueError("neither this setting nor one of the experiment on the same data has two "
                         "finished seeds in the store, so there is no spread to judge another "
                         "set-up by: choose another line") from None


def _are_beside(one: Run, other: Run) -> bool:
    settings = {"strength": other.method.strength, "damping": other.method.damping,
                "held_out": other.data.held_out}
    if one.method.name != other.method.name or one.replace(**settings) != other:
        return False
    pairs = ((one.method.strength, other.method.strength),
             (one.method.damping, other.method.damping))
    return all(a == b or max(a, b) <= 10.001 * min(a, b) for a, b in pairs)


def _interval(bounds: tuple[float, float]) -> str:
    return f"{max(bounds[0], 0):.1f} to {min(bounds[1], 100):.1f}"


def _unusual(run: Run) -> dict:
    """The fields in which the run differs from its experiment's, given scenario and method."""
    base = protocols.EXPERIMENTS[run.experiment][0]
    if run.code is not None:
        base = dataclasses.replace(base, file=File(run.code))
    base = protocols.with_method(protocols.in_scenario(base, run.data.scenario), run.method.name,
                                 run.method.strength, run.method.damping)
    usual = base.fields
    return {name: value for name, value in run.fields.items()
            if name not in ("seed", "code") and value != usual.get(name)}


def _words(value) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {version}" for name, version in value.items())
    return str(value)
