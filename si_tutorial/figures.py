"""The book's figures: data in, Axes out. Each says in words what it shows; `show` passes it on."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgba_array
from numpy.typing import ArrayLike

from si_tutorial import metrics
from si_tutorial.look import (
    COLORS,
    describe,
    label_ends,
    legend_above,
    panels,
    same_scale,
    sequence,
    theme,
)
from si_tutorial.pictures import Shown, show

__all__ = ["COLORS", "Shown", "accuracy_curves", "accuracy_matrix", "accuracy_points", "describe",
           "differences", "heatmap", "label_ends", "legend_above", "panels", "same_scale",
           "seeds_curve", "seen_curves", "sequence", "setting_curves", "show",
           "strength_panels", "theme"]


def heatmap(values: ArrayLike, *, names: Sequence[object], limit: float = 1.0, fmt: str = "",
            label: str = "", ax: Axes | None = None) -> Axes:
    """Square of values from −`limit` to `limit`; the page shows through at 0. NaN is left blank.

    Positive is blue, negative vermillion. `fmt` writes the values into the cells; `label` adds a
    scale beside them.
    """
    values = np.asarray(values, dtype=float)  # (n, n)
    ax = ax or plt.subplots(figsize=(4.15, 3.7))[1]
    map_ = _faint(COLORS["fine-tuning"], COLORS["SI"])
    image = ax.imshow(values, cmap=map_, vmin=-limit, vmax=limit)
    if label:
        bar = ax.figure.colorbar(image, ax=ax, label=label, shrink=0.8)
        bar.solids.set(rasterized=True)
        bar.outline.set_visible(False)
    _cells(ax, values, names, fmt)
    return ax


def _faint(low: str, high: str, opacity: float = 0.85) -> LinearSegmentedColormap:
    """From one colour through nothing to another."""
    ends = to_rgba_array([low, low, high, high]) * (1, 1, 1, opacity)
    ends[1:3, 3] = 0
    return LinearSegmentedColormap.from_list("faint", list(zip((0, 0.5, 0.5, 1), ends,
                                                               strict=True)))


def _cells(ax: Axes, values: np.ndarray, names: Sequence[object], fmt: str) -> None:
    for i, j in np.argwhere(np.isfinite(values)) if fmt else ():
        ax.text(j, i, format(values[i, j], fmt).replace("-", "−"), ha="center", va="center")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_ticks(range(len(names)), [str(name) for name in names])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def accuracy_matrix(accuracy: ArrayLike, names: Sequence[object], *, title: str = "",
                    ax: Axes | None = None) -> Axes:
    """Test accuracy in percent: a row after training on each task, a column per tested task.

    `accuracy` has shape (T, T), in 0 … 1; tasks that are not trained yet are left blank. The
    colour is that of the error, on a scale that tells 1 % from 5 % as well as 10 % from 50 %.
    """
    accuracy = np.array(accuracy, dtype=float)  # (T, T)
    ax = ax or plt.subplots(figsize=(4.15, 3.7))[1]
    percent = np.where(np.tri(len(accuracy), dtype=bool), 100 * accuracy, np.nan)
    color = to_rgba_array([COLORS["fine-tuning"]])[0]
    picture = np.tile(color, (*percent.shape, 1))  # (T, T, 4)
    picture[..., 3] = np.nan_to_num(np.log1p(100 - percent) / np.log(101)) ** 1.5 * 0.75
    ax.imshow(picture)
    _cells(ax, percent, names, ".0f" if len(names) > 6 else ".1f")
    ax.set(xlabel="tested on", ylabel="after training on", title=title)
    last = ", ".join(f"{100 * a:.0f} % on {name}" for a, name in
                     zip(accuracy[-1], names, strict=True))
    describe(ax, f"Accuracy matrix{' of ' + title if title else ''}: after the last task "
                 f"{last}; mean {100 * metrics.average_accuracy(accuracy):.1f} %.")
    return ax


def differences(found: Mapping[str, metrics.Difference], *, label: str,
                ax: Axes | None = None) -> Axes:
    """Differences with their intervals: thick, each read alone; thin, all of them at once."""
    ax = ax or plt.subplots(figsize=(4.15, 0.9 + 0.24 * len(found)))[1]
    ax.axvline(0, color="0.35", linewidth=1)
    for row, one in enumerate(found.values()):
        ax.plot(one.together, (row, row), color=COLORS["SI"], linewidth=1)
        ax.plot(one.alone, (row, row), color=COLORS["SI"], linewidth=4, solid_capstyle="butt")
        ax.plot(one.mean, row, "o", color="black", markersize=4)
    ax.set_yticks(range(len(found)), list(found))
    ax.invert_yaxis()
    ax.set_xlabel(label)
    describe(ax, f"{label}: " + "; ".join(
        f"{name} {one.mean:+.1f}, from {one.alone[0]:+.1f} to {one.alone[1]:+.1f}"
        for name, one in found.items()).replace("-", "−") + ".")
    return ax


def _palette(groups: Sequence[str]) -> dict[str, str]:
    """The methods' own colours, or an ordered ramp for anything else."""
    if set(groups) <= COLORS.keys():
        return COLORS
    return dict(zip(groups, sequence(len(groups)), strict=True))


def accuracy_curves(table: pd.DataFrame, *, hue: str = "method", changes: Sequence[float] = (),
                    ax: Axes | None = None) -> Axes:
    """Accuracy over training, one line per value of `hue`, its band the range over seeds.

    `table` is tidy, with the columns "epoch", "accuracy" (0 … 1) and `hue`. Dotted verticals
    stand at `changes`, the epochs at which the task changes.
    """
    ax = ax or plt.subplots()[1]
    groups = list(table[hue].unique())
    for x in changes:
        ax.axvline(x, color="0.6", linestyle=":", linewidth=1)
    sns.lineplot(table, x="epoch", y="accuracy", hue=hue, hue_order=groups,
                 palette=_palette(groups), errorbar=("pi", 100), ax=ax)
    ax.set(xlabel="epochs trained", ylabel="test accuracy",
           ylim=(min(0.4, table["accuracy"].min() - 0.02), 1.02))
    label_ends(ax)
    ends = table[table["epoch"] == table["epoch"].max()].groupby(hue, sort=False)["accuracy"]
    describe(ax, "Accuracy over training. At the end: " + ", ".join(
        f"{name} {100 * mean:.0f} %" for name, mean in ends.mean().items()) + ".")
    return ax


def seeds_curve(x: ArrayLike, values: ArrayLike, *, name: str, color: str, ax: Axes,
                marker: str = "") -> None:
    """The mean over seeds of `values`, `(seeds, len(x))`, and from three seeds on their range."""
    values = np.asarray(values, dtype=float)
    ax.plot(x, values.mean(0), color=color, label=name, marker=marker)
    if len(values) >= metrics.ENOUGH:
        ax.fill_between(x, values.min(0), values.max(0), color=color, alpha=0.2, linewidth=0)


def accuracy_points(table: pd.DataFrame, *, by: str, hue: str | None = None, label: str = "",
                    ax: Axes | None = None) -> Axes:
    """Every run as a point, and the mean of each group as a bar across; `table` is tidy.

    Columns: "accuracy" (0 … 1), `by` and `hue` (categories). The points of a group are its seeds.
    """
    rows = table[by].nunique() * (table[hue].nunique() if hue else 1)
    ax = ax or plt.subplots(figsize=(4.15, 0.8 + 0.26 * max(rows, 1.3 * table[by].nunique())))[1]
    colored = hue or by
    groups = list(dict.fromkeys(table[colored]))
    style = {"x": "accuracy", "y": by, "hue": colored, "palette": _palette(groups), "ax": ax}
    sns.stripplot(table, dodge=bool(hue), jitter=False, size=5, alpha=0.7, legend=bool(hue),
                  **style)
    sns.pointplot(table, dodge=0.4 if hue else False, linestyle="none", marker="|",
                  markersize=16, errorbar=None, legend=False, **style)
    ax.set(ylabel=label, xlabel="test accuracy")
    if hue:
        legend_above(ax)
    means = table.groupby([by, hue] if hue else [by], sort=False, observed=True)["accuracy"].mean()
    describe(ax, "Accuracy of every run, by group. Means: " + ", ".join(
        f"{' '.join(key) if isinstance(key, tuple) else key} {100 * mean:.1f} %"
        for key, mean in means.items()) + ".")
    return ax


def seen_curves(table: pd.DataFrame, *, hue: str = "method", title: str = "",
                ax: Axes | None = None) -> Axes:
    """Mean accuracy on the tasks seen so far, after each task; one line per value of `hue`.

    `table` is tidy, one row per run × trained × tested task: the columns "trained" and "tested"
    (from 1), "accuracy" (0 … 1), "seed" and `hue`. Lines are means over seeds, bands their range.
    """
    ax = ax or plt.subplots()[1]
    seen = (table[table["tested"] <= table["trained"]]
            .groupby([hue, "seed", "trained"], sort=False)["accuracy"].mean().reset_index())
    groups = list(seen[hue].unique())
    sns.lineplot(seen, x="trained", y="accuracy", hue=hue, hue_order=groups, marker="o",
                 palette=_palette(groups), errorbar=("pi", 100), ax=ax)
    ax.set(xlabel="tasks seen", ylabel="mean accuracy on them", title=title)
    ax.set_xticks(range(1, seen["trained"].max() + 1))
    label_ends(ax)
    ends = seen[seen["trained"] == seen["trained"].max()].groupby(hue, sort=False)["accuracy"]
    describe(ax, f"{title + ': m' if title else 'M'}ean accuracy on the tasks seen so far, by "
             "their number. After the last: "
             + ", ".join(f"{name} {100 * mean:.1f} %" for name, mean in ends.mean().items()) + ".")
    return ax


def setting_curves(table: pd.DataFrame, *, x: str, label: str, title: str = "",
                   ax: Axes | None = None) -> Axes:
    """How learning and keeping depend on one setting, on a logarithmic scale.

    `table` is tidy, one row per run: `x`, and the accuracies (0 … 1) "just learned", the mean of
    each task right after it was trained, and "at the end". Lines are means, points are runs.
    """
    ax = ax or plt.subplots()[1]
    long = table.melt(id_vars=x, value_vars=["just learned", "at the end"], var_name="measured",
                      value_name="accuracy")
    style = {"x": x, "y": "accuracy", "hue": "measured", "style": "measured", "ax": ax,
             "palette": [COLORS["joint"], COLORS["SI"]]}
    sns.lineplot(long, errorbar=None, **style)
    sns.scatterplot(long, legend=False, alpha=0.6, **style)
    ax.set(xscale="log", xlabel=label, ylabel="mean accuracy", title=title)
    ax.legend(title=None)
    ends = table.groupby(x)["at the end"].mean()
    describe(ax, f"{title + ': a' if title else 'A'}ccuracy at the end by {label}: " + ", ".join(
        f"{100 * mean:.0f} % at {value:g}" for value, mean in ends.items()) + ".")
    return ax


def strength_panels(tables: Mapping[str, pd.DataFrame], chosen: Mapping[str, float]
                    ) -> list[Axes]:
    """How learning and keeping depend on the strength, for several methods on one scale.

    Two panels, "just learned" and "at the end" (the columns of each method's table, which is tidy
    with one row per run, and has a column "strength"). Units of strength differ from method to
    method, so each is divided by the one in `chosen`. Lines are means.
    """
    axes = panels(2)
    for ax, measured in zip(axes, ("just learned", "at the end"), strict=True):
        for method, table in tables.items():
            means = table.groupby("strength")[measured].mean()
            ax.plot(means.index / chosen[method], means, "o-", color=COLORS[method],
                    markersize=4, label=method)
            describe(ax, f"{method}, {measured}: " + ", ".join(
                f"{100 * mean:.0f} % at {c / chosen[method]:g}" for c, mean in means.items()) + ".")
        ax.set(xscale="log", title=measured, xlabel="strength / chosen strength",
               ylabel="mean accuracy")
    same_scale(axes)
    for ax in axes:
        label_ends(ax)
    return axes
