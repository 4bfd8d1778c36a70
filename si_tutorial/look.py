"""The look of the book's figures: colours, sizes, and where names and panels stand."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_hex

from si_tutorial.pictures import SCALE

# one colour for one method, in every figure; all of them stand out from a light and a dark page
COLORS = {"fine-tuning": "#d55e00", "SI": "#0173b2", "joint": "#029e73", "EWC": "#bd8a00",
          "online EWC": "#7f6a00", "MAS": "#b95fa8", "L2": "#84858a",
          "fine-tuning, dropout": "#9b6b4e", "from scratch": "#6f6bd8"}
RAMP = LinearSegmentedColormap.from_list("ordered", ["#0173b2", "#7a5fd0", "#c2478f", "#d55e00"])


def theme() -> None:
    """The book's look; call it once at the top of a notebook."""
    size = 9.75  # points, of all text: 16 pixels where there is room, 11 on a phone
    sns.set_theme(context="paper", style="ticks", palette=list(COLORS.values()), rc={
        "axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False,
        "figure.figsize": (4.15, 2.8), "figure.constrained_layout.use": True,
        "image.interpolation": "none", "lines.linewidth": 1.5,
        "text.color": "black", "axes.labelcolor": "black", "axes.edgecolor": "0.35",
        "xtick.color": "0.35", "ytick.color": "0.35", "xtick.labelcolor": "black",
        "ytick.labelcolor": "black", "font.size": size, "axes.labelsize": size,
        "axes.titlesize": size, "xtick.labelsize": size, "ytick.labelsize": size,
        "legend.fontsize": size, "legend.title_fontsize": size})


def panels(n: int, *, width: float = 330, height: float = 270) -> list[Axes]:
    """Axes in `n` figures of their own: `show` sets them beside each other, or below on a phone.

    `width` and `height` are in CSS pixels; the text column is 688 wide at best.
    """
    size = (width / SCALE / 72, height / SCALE / 72)
    return [plt.subplots(figsize=size)[1] for _ in range(n)]


def same_scale(axes: Sequence[Axes]) -> None:
    """One range of y for all panels, wide enough for each."""
    lows, highs = zip(*(ax.get_ylim() for ax in axes), strict=True)
    for ax in axes:
        ax.set_ylim(min(lows), max(highs))


def sequence(n: int) -> list[str]:
    """`n` colours in an order that can be seen, for what comes one after another."""
    return [to_hex(color) for color in RAMP(np.linspace(0, 1, n))]


def describe(ax: Axes, text: str) -> None:
    """Append `text` to the alternative text of the figure that `ax` belongs to."""
    ax.figure.set_label(f"{ax.figure.get_label()} {text}".strip())


def label_ends(ax: Axes) -> None:
    """Put each line's name beside its end, in place of the legend; names keep apart."""
    handles, names = ax.get_legend_handles_labels()
    if ax.get_legend():
        ax.get_legend().remove()
    ends = []
    for handle, name in zip(handles, names, strict=True):
        line = next(line for line in ax.get_lines() if line.get_label() == name or (
            to_hex(line.get_color()) == to_hex(handle.get_color())
            and len(line.get_xdata()) > 1 and line.get_linestyle() == handle.get_linestyle()))
        ends.append((line.get_xdata()[-1], line.get_ydata()[-1], to_hex(handle.get_color()), name))
    to_axes = ax.transScale + ax.transLimits  # from data to 0 … 1
    ends = [(x, to_axes.transform((x, y)), color, name) for x, y, color, name in ends]
    ends.sort(key=lambda end: end[1][1])
    step = 1.25 * plt.rcParams["font.size"] / (ax.get_window_extent().height
                                               / ax.figure.dpi * 72)
    heights = _apart([end[1][1] for end in ends], step)
    for height, (_, (x, y), color, name) in zip(heights, ends, strict=True):
        ax.annotate(name, (x, y), (1.06, height), xycoords="axes fraction", va="center",
                    arrowprops={"arrowstyle": "-", "color": color, "shrinkA": 1, "shrinkB": 0,
                                "relpos": (0, 0.5)})  # else it runs through the name beside


def _apart(wanted: Sequence[float], step: float) -> list[float]:
    """Heights in ascending order, each near the wanted one and `step` above the one below."""
    blocks: list[list[float]] = []  # of heights that touch: [sum of what each wants, how many]
    for i, height in enumerate(wanted):
        blocks.append([height - i * step, 1])
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] > blocks[-1][0] / blocks[-1][1]:
            total, count = blocks.pop()
            blocks[-1] = [blocks[-1][0] + total, blocks[-1][1] + count]
    level = [total / count for total, count in blocks for _ in range(int(count))]
    return [height + i * step for i, height in enumerate(level)]


def legend_above(ax: Axes, columns: int = 3) -> None:
    """The legend in a row above the axes, where it takes no width."""
    sns.move_legend(ax, "lower left", bbox_to_anchor=(0, 1), ncols=columns, title=None,
                    borderaxespad=0.2, columnspacing=1.2, handletextpad=0.4)
