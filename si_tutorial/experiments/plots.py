"""The book's figures of one store, each as a file."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from si_tutorial import figures, pictures
from si_tutorial.experiments import protocols, report
from si_tutorial.experiments.settings import Run

FEW = 8  # settings of one method that have lines of their own in a figure of several methods


def draw(experiment: str, records: Iterable[dict], folder: Path, kind: str = "svg") -> list[Path]:
    """Write every figure that the records allow into the folder; returns the files."""
    records = [record for record in records if record["accuracy"]]
    folder.mkdir(parents=True, exist_ok=True)
    figures.theme()
    files = []
    for scenario in dict.fromkeys(record["scenario"] for record in records):
        for name, ax in _of_scenario(experiment, scenario, records):
            files.append(folder / f"{experiment}-{scenario}-{_plain(name)}.{kind}")
            pictures.save(ax, files[-1])
    return files


def _of_scenario(experiment: str, scenario: str, records: list[dict]
                 ) -> Iterator[tuple[str, figures.Axes]]:
    """Name and axes of one figure after another."""
    records = [record for record in records if record["scenario"] == scenario]
    base = protocols.in_scenario(protocols.EXPERIMENTS[experiment][0], scenario)
    tested = report.by_setting(record for record in records if not record["held_out"])
    tuned = protocols.tuned(base, records)
    groups = dict(_named(tested, tuned))
    if groups:
        yield "seen", figures.seen_curves(report.accuracies(groups))
        yield "runs", figures.accuracy_points(report.ends(groups), by="method")
    for name, group in groups.items():
        mean = np.mean([record["accuracy"] for record in group], axis=0)
        yield f"matrix {name}", figures.accuracy_matrix(mean, range(1, len(mean) + 1), title=name)
    for setting, letter in (("strength", "c"), ("damping", "ξ")):
        for name, table in _along(setting, tested):
            yield f"{setting} {name}", figures.setting_curves(table, x=setting, title=name,
                                                              label=f"{setting} {letter}")
    if tuned:
        by_strength = {method: report.learned_and_kept(
            [record for record in records if record["held_out"] and record["method"] == method],
            "strength") for method in tuned}
        for name, ax in zip(("tuning learned", "tuning kept"),
                            figures.strength_panels(by_strength, tuned), strict=True):
            yield name, ax


def _named(tested: dict[Run, list[dict]], tuned: dict[str, float]
           ) -> Iterator[tuple[str, list[dict]]]:
    """A name for each setting: of a method that is tuned only the chosen strength, of others all
    where they are few.
    """
    by_label: dict[str, list[Run]] = {}
    for run in tested:
        by_label.setdefault(report.label(run, tested), []).append(run)
    for label, runs in by_label.items():
        chosen = [run for run in runs if label == run.method.name in tuned
                  and run == protocols.with_method(run, label, tuned[label])]
        shown = chosen or (runs if len(runs) <= FEW else [])
        for run in shown:
            settings = (("c", run.method.strength), ("ξ", run.method.damping))
            several = [f"{name} = {value:g}" for name, value in settings if value is not None]
            yield ", ".join([label, *(several if len(shown) > 1 else [])]), tested[run]


def _along(setting: str, tested: dict[Run, list[dict]]) -> Iterator[tuple[str, object]]:
    """Label and table of each method with at least three values of the setting, all else equal."""
    lines: dict[tuple, list[dict]] = {}
    for run, group in tested.items():
        if getattr(run.method, setting):  # zero has no place on a logarithmic scale
            key = report.label(run, tested), run.replace(**{setting: 1.0})
            lines.setdefault(key, []).extend(group)
    labels = [label for label, _ in lines]
    for (label, run), group in lines.items():
        if len({record[setting] for record in group}) >= 3:
            rest = {"strength": ("ξ", run.method.damping), "damping": ("c", run.method.strength)}
            letter, value = rest[setting]
            at = f", {letter} = {value:g}" if labels.count(label) > 1 else ""
            yield f"{label}{at}", report.learned_and_kept(group, setting)


def _plain(name: str) -> str:
    """A name as a part of a file's name."""
    return re.sub(r"[^\w.+-]+", "-", name)
