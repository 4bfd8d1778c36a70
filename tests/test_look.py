"""The look: colours that stand out on any page, names at the ends of lines."""

import itertools

import matplotlib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

matplotlib.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.colors import to_rgb
from matplotlib.text import Text

from si_tutorial import look

LIGHT, DARK = "#ffffff", "#222832"   # the theme's lightest and its second darkest ground


@pytest.fixture(autouse=True)
def no_figure_left_open():
    yield
    plt.close("all")


def luminance(color):
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(color)]
    return np.dot(linear, [0.2126, 0.7152, 0.0722])


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("color", [*look.COLORS.values(), *look.sequence(10)])
def test_every_colour_stands_out_from_a_light_and_a_dark_page(color):
    assert contrast(color, LIGHT) >= 3
    assert contrast(color, "#121212") >= 3


def test_methods_are_told_apart():
    for one, other in itertools.combinations(look.COLORS.values(), 2):
        assert np.abs(np.subtract(to_rgb(one), to_rgb(other))).sum() > 0.25


@given(st.lists(st.floats(-1, 2), min_size=1, max_size=9).map(sorted), st.floats(0.01, 0.3))
def test_names_keep_apart_and_stay_near(wanted, step):
    found = look._apart(wanted, step)
    assert (np.diff(found) >= step - 1e-9).all()
    assert np.mean(found) == pytest.approx(np.mean(wanted), abs=1e-9)
    if (np.diff(wanted) >= step).all():
        assert found == pytest.approx(wanted, abs=1e-9)


def test_each_name_stands_at_the_end_of_its_own_line():
    _, ax = plt.subplots()
    for name, end in (("low", 0.1), ("high", 0.9), ("middle", 0.5)):
        ax.plot([0, 1], [0.5, end], color=look.COLORS["SI" if name == "low" else "MAS"],
                linestyle="--" if name == "high" else "-", label=name)
    ax.set(ylim=(0, 1))
    ax.legend()
    look.label_ends(ax)
    assert ax.get_legend() is None
    at = {text.get_text(): (text.xyann[1], text.xy[1]) for text in ax.texts}
    assert list(at) == ["low", "middle", "high"]
    assert [y for _, y in at.values()] == pytest.approx([0.1, 0.5, 0.9])
    assert [y for y, _ in at.values()] == pytest.approx([0.1, 0.5, 0.9])


def test_no_line_to_a_name_runs_through_another_name():
    _, ax = plt.subplots()
    for i, name in enumerate(("a very long name indeed", "SI", "EWC", "online EWC", "MAS")):
        ax.plot([0, 1], [0.5, 0.1 + i / 500], label=name, color=f"C{i}")
    ax.set(ylim=(0, 1))
    look.label_ends(ax)
    ax.figure.canvas.draw()
    names = [Text.get_window_extent(text) for text in ax.texts]  # without their lines
    for text in ax.texts:
        ends = text.arrow_patch.get_transform().transform(text.arrow_patch.get_path().vertices)
        assert ends[:, 0].max() <= min(box.x0 for box in names) + 1


def test_panels_are_figures_of_their_own_on_one_scale_when_asked():
    one, other = look.panels(2, width=320, height=240)
    assert one.figure is not other.figure
    assert one.figure.get_size_inches() * 72 * look.SCALE == pytest.approx([320, 240])
    one.set_ylim(0, 1)
    other.set_ylim(-1, 0.5)
    look.same_scale([one, other])
    assert one.get_ylim() == other.get_ylim() == (-1, 1)
