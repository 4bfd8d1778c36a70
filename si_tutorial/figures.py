"""Seaborn figures: data in, Axes out. Each says in words what it shows, for `show` to pass on."""

import base64
import html
import io
import math
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from si_tutorial import metrics

# one colour for one method, in every figure of the book (seaborn's colour-blind safe palette)
COLORS = dict(zip(
    ("fine-tuning", "SI", "joint", "EWC", "online EWC", "MAS", "L2", "fine-tuning, dropout"),
    (sns.color_palette("colorblind")[i] for i in (3, 0, 2, 1, 8, 4, 7, 5)), strict=True))

DPI = 160  # of the pictures, sharp on a screen with small pixels; they are shown at 110


def theme() -> None:
    """The book's look; call it once at the top of a notebook."""
    sns.set_theme(context="notebook", style="ticks", palette="colorblind", rc={
        "figure.dpi": 110, "axes.spines.top": False, "axes.spines.right": False,
        "legend.frameon": False})


class Shown:
    """A picture with its caption and alternative text, as HTML that needs no other file."""

    def __init__(self, png: bytes, *, alt: str, caption: str, width: int | None = None):
        if len(alt.split()) < 6:
            raise ValueError("describe in a sentence what the figure shows, for readers who cannot "
                             f"see it: alt={alt!r}")
        self.png, self.alt, self.caption = png, alt, caption
        self.width = width  # on the page, in CSS pixels; a narrower page shrinks the picture

    def _repr_html_(self) -> str:
        data = base64.b64encode(self.png).decode()
        width = f"width:{self.width}px; " if self.width else ""
        return (f'<figure class="si-figure"><img src="data:image/png;base64,{data}" '
                f'alt="{html.escape(self.alt)}" style="{width}max-width:100%; background:white">'
                f"<figcaption>{html.escape(self.caption)}</figcaption></figure>")

    def __repr__(self):
        return f"Figure: {self.caption} [{self.alt}]"


def show(ax: Axes, caption: str, *, alt: str | None = None) -> Shown:
    """The whole figure that `ax` belongs to, with a caption that can be understood alone.

    The alternative text is the one that the figure's function has written (its label), or `alt`.
    Raises ValueError if there is none.
    """
    figure, buffer = ax.figure, io.BytesIO()
    figure.savefig(buffer, format="png", bbox_inches="tight", facecolor="white", dpi=DPI)
    plt.close(figure)
    png = buffer.getvalue()
    drawn = int.from_bytes(png[16:20], "big")  # its width in pixels, from the PNG header
    return Shown(png, alt=alt or figure.get_label(), caption=caption,
                 width=round(drawn * 110 / DPI))


def describe(ax: Axes, text: str) -> None:
    """Append `text` to the alternative text of the figure that `ax` belongs to."""
    ax.figure.set_label(f"{ax.figure.get_label()} {text}".strip())


def accuracy_matrix(accuracy: ArrayLike, names: Sequence[str], *, title: str = "",
                    ax: Axes | None = None) -> Axes:
    """Test accuracy in percent: a row after training on each task, a column per tested task.

    `accuracy` has shape (T, T), in 0 … 1; tasks that are not trained yet are left blank.
    """
    accuracy = np.asarray(accuracy, dtype=float)  # (T, T)
    if ax is None:
        _, ax = plt.subplots(figsize=(4.6, 3.8))
    unseen = np.triu(np.ones_like(accuracy, dtype=bool), k=1)
    sns.heatmap(100 * accuracy, mask=unseen, vmin=50, vmax=100, cmap="viridis", annot=True,
                fmt=".0f", linewidths=1, cbar=False, square=True, xticklabels=names,
                yticklabels=names, ax=ax)
    ax.set(xlabel="tested on", ylabel="after training on", title=title)
    ax.tick_params(axis="y", rotation=0)
    last = ", ".join(f"{100 * a:.0f} % on {name}" for a, name in
                     zip(accuracy[-1], names, strict=True))
    describe(ax, f"Accuracy matrix{' of ' + title if title else ''}: after the last task "
                 f"{last}; mean {100 * metrics.average_accuracy(accuracy):.1f} %.")
    return ax


def accuracy_curves(table: pd.DataFrame, *, hue: str = "method", changes: Sequence[float] = (),
                    ax: Axes | None = None) -> Axes:
    """Accuracy over training, one line per value of `hue`, its band the range over seeds.

    `table` is tidy, with the columns "epoch", "accuracy" (0 … 1) and `hue`. Dotted verticals
    stand at `changes`, the epochs at which the task changes.
    """
    if ax is None:
        _, ax = plt.subplots(figsize=(7, 3.6))
    groups = list(table[hue].unique())
    palette = COLORS if set(groups) <= COLORS.keys() else sns.color_palette("viridis", len(groups))
    for x in changes:
        ax.axvline(x, color="0.6", linestyle=":", linewidth=1)
    sns.lineplot(table, x="epoch", y="accuracy", hue=hue, hue_order=groups, palette=palette,
                 errorbar=("pi", 100), ax=ax)
    ax.set(xlabel="epochs trained", ylabel="test accuracy",
           ylim=(min(0.4, table["accuracy"].min() - 0.02), 1.02))
    sns.move_legend(ax, "center left", bbox_to_anchor=(1, 0.5), title=None)
    ends = table[table["epoch"] == table["epoch"].max()].groupby(hue, sort=False)["accuracy"]
    describe(ax, "Accuracy over training. At the end: " + ", ".join(
        f"{name} {100 * mean:.0f} %" for name, mean in ends.mean().items()) + ".")
    return ax


def accuracy_points(table: pd.DataFrame, *, x: str, hue: str | None = None, label: str = "",
                    ax: Axes | None = None) -> Axes:
    """Every run as a point, and the mean of each group as a bar across; `table` is tidy.

    Columns: "accuracy" (0 … 1), `x` and `hue` (categories). The points of a group are its seeds.
    """
    if ax is None:
        _, ax = plt.subplots(figsize=(7, 3.4))
    colored = hue or (x if set(table[x]) <= COLORS.keys() else None)
    colors = COLORS if colored and set(table[colored]) <= COLORS.keys() else None
    style = {"x": x, "y": "accuracy", "hue": colored, "palette": colors, "ax": ax}
    sns.stripplot(table, dodge=bool(hue), jitter=False, size=7, alpha=0.7, legend=bool(hue),
                  **style)
    sns.pointplot(table, dodge=0.4 if hue else False, linestyle="none", marker="_",
                  markersize=26, errorbar=None, legend=False, **style)
    ax.set(xlabel=label, ylabel="test accuracy")
    if hue:
        sns.move_legend(ax, "center left", bbox_to_anchor=(1, 0.5), title=None)
    means = table.groupby([x, hue] if hue else [x], sort=False, observed=True)["accuracy"].mean()
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
    if ax is None:
        _, ax = plt.subplots(figsize=(7, 3.6))
    seen = (table[table["tested"] <= table["trained"]]
            .groupby([hue, "seed", "trained"], sort=False)["accuracy"].mean().reset_index())
    groups = list(seen[hue].unique())
    palette = COLORS if set(groups) <= COLORS.keys() else sns.color_palette("colorblind")
    sns.lineplot(seen, x="trained", y="accuracy", hue=hue, hue_order=groups, marker="o",
                 palette=palette if palette is COLORS else palette[:len(groups)],
                 errorbar=("pi", 100), ax=ax)
    ax.set(xlabel="tasks seen", ylabel="mean accuracy on them", title=title)
    ax.set_xticks(range(1, seen["trained"].max() + 1))
    sns.move_legend(ax, "center left", bbox_to_anchor=(1, 0.5), title=None)
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
    if ax is None:
        _, ax = plt.subplots(figsize=(6, 3.4))
    long = table.melt(id_vars=x, value_vars=["just learned", "at the end"], var_name="measured",
                      value_name="accuracy")
    style = {"x": x, "y": "accuracy", "hue": "measured", "style": "measured", "ax": ax}
    sns.lineplot(long, errorbar=None, **style)
    sns.scatterplot(long, legend=False, alpha=0.6, **style)
    ax.set(xscale="log", xlabel=label, ylabel="mean accuracy", title=title)
    ax.legend(title=None)
    ends = table.groupby(x)["at the end"].mean()
    describe(ax, f"{title + ': a' if title else 'A'}ccuracy at the end by {label}: " + ", ".join(
        f"{100 * mean:.0f} % at {value:g}" for value, mean in ends.items()) + ".")
    return ax


def setting_panels(tables: Mapping[str, pd.DataFrame], *, x: str, label: str) -> Axes:
    """`setting_curves` of several tables beside each other, three in a row, under their titles."""
    rows = math.ceil(len(tables) / 3)
    _, axes = plt.subplots(rows, 3, figsize=(11, 3.2 * rows), sharey=True, squeeze=False)
    for ax, (title, table) in zip(axes.flat, tables.items(), strict=False):
        setting_curves(table, x=x, label=label, title=title, ax=ax)
        ax.get_legend().set_visible(ax is axes[0, 0])
    for ax in axes.flat[len(tables):]:
        ax.axis("off")
    plt.tight_layout()
    return axes[0, 0]
