"""Figures: what they draw comes from the data, and so do the words for those who cannot see it."""

import matplotlib
import numpy as np
import pandas as pd
import pytest

matplotlib.use("Agg")

from matplotlib.colors import to_hex

from si_tutorial import figures, metrics

NAMES = ["zeros", "ones", "twos"]


@pytest.fixture(autouse=True)
def no_figure_left_open():
    yield
    matplotlib.pyplot.close("all")


@pytest.fixture
def accuracy():
    return np.array([[0.91, 0.5, 0.5], [0.81, 0.92, 0.5], [0.71, 0.82, 0.93]])


def test_the_matrix_shows_what_is_trained_and_hides_what_is_not(accuracy):
    ax = figures.accuracy_matrix(accuracy, NAMES)
    assert [t.get_text() for t in ax.texts] == ["91.0", "81.0", "92.0", "71.0", "82.0", "93.0"]
    assert [t.get_text() for t in ax.get_xticklabels()] == NAMES
    opacity = ax.get_images()[0].get_array()[..., 3]
    assert (opacity[np.triu_indices(3, 1)] == 0).all()


def test_the_matrix_tells_95_from_100_percent_as_it_tells_60_from_95():
    ax = figures.accuracy_matrix(np.diag([1.0, 0.95, 0.6]), NAMES)
    perfect, good, bad = np.diag(ax.get_images()[0].get_array()[..., 3])
    assert perfect == 0 and good > 0.15 and 1 < (bad - good) / (good - perfect) < 3


def test_the_words_of_the_matrix_follow_the_numbers(accuracy):
    words = figures.accuracy_matrix(accuracy, NAMES, title="SI").figure.get_label()
    assert "71 % on zeros, 82 % on ones, 93 % on twos" in words
    assert "of SI" in words and "mean 82.0 %" in words


def table(**columns):
    return pd.DataFrame(columns)


def test_curves_end_in_the_words_where_they_end_in_the_data():
    data = table(epoch=[1, 2, 1, 2], accuracy=[0.9, 0.6, 0.9, 0.8],
                 method=["fine-tuning"] * 2 + ["SI"] * 2)
    ax = figures.accuracy_curves(data, changes=[1.5])
    assert "fine-tuning 60 %, SI 80 %" in ax.figure.get_label()
    lines = [line for line in ax.lines if len(line.get_xdata()) == 2 and line.get_color() != "0.6"]
    drawn = {tuple(np.round(line.get_ydata(), 6)) for line in lines}
    assert {(0.9, 0.6), (0.9, 0.8)} <= drawn
    assert {text.get_text() for text in ax.texts} == {"fine-tuning", "SI"}
    assert ax.get_legend() is None


def test_a_curve_below_chance_is_not_cut_off():
    data = table(epoch=[1, 2], accuracy=[0.9, 0.1], method=["SI"] * 2)
    assert figures.accuracy_curves(data).get_ylim()[0] < 0.1


def test_methods_keep_their_colours_in_every_figure():
    data = table(method=["SI", "SI", "EWC"], accuracy=[0.9, 0.8, 0.7])
    ax = figures.accuracy_points(data, by="method")
    colors = [to_hex(c.get_facecolors()[0]) for c in ax.collections if len(c.get_offsets())]
    assert colors[:2] == [figures.COLORS["SI"], figures.COLORS["EWC"]]
    assert "SI 85.0 %, EWC 70.0 %" in ax.figure.get_label()


def accuracies(**by_method):
    """Tidy rows of accuracy matrices, one (method, seed 0) each."""
    return pd.DataFrame([
        {"method": method, "seed": 0, "trained": i, "tested": j, "accuracy": value}
        for method, matrix in by_method.items()
        for i, row in enumerate(matrix, 1) for j, value in enumerate(row, 1)])


def test_accuracy_by_tasks_seen_leaves_out_tasks_not_yet_seen():
    ax = figures.seen_curves(accuracies(SI=[[1.0, 0.1], [0.8, 0.6]], L2=[[0.9, 0.1], [0.5, 0.5]]),
                             title="here")
    si, l2 = (line.get_ydata() for line in ax.get_lines()[:2])
    assert si.tolist() == pytest.approx([1.0, 0.7]) and l2.tolist() == pytest.approx([0.9, 0.5])
    assert ax.get_lines()[0].get_color() == figures.COLORS["SI"]
    assert "here" in ax.figure.get_label() and "SI 70.0 %" in ax.figure.get_label()


def test_setting_curves_show_learning_and_keeping_on_a_logarithmic_scale():
    table = pd.DataFrame({"strength": [0.1, 0.1, 10, 10], "just learned": [0.9, 1.0, 0.6, 0.6],
                          "at the end": [0.5, 0.7, 0.6, 0.6]})
    ax = figures.setting_curves(table, x="strength", label="strength c")
    learned, kept = (line.get_ydata() for line in ax.get_lines()[:2])
    assert learned.tolist() == pytest.approx([0.95, 0.6])
    assert kept.tolist() == pytest.approx([0.6, 0.6])
    assert ax.get_xscale() == "log"
    assert "60 % at 0.1, 60 % at 10" in ax.figure.get_label()


def test_strength_panels_measure_each_strength_in_units_of_the_chosen_one():
    table = pd.DataFrame({"strength": [0.1, 10, 10], "just learned": [0.9, 0.6, 0.4],
                          "at the end": [0.5, 0.6, 0.8]})
    tables = {"SI": table, "EWC": table.assign(strength=[1e6, 1e8, 1e8])}
    learned, kept = figures.strength_panels(tables, {"SI": 10, "EWC": 1e6})
    assert [learned.get_title(), kept.get_title()] == ["just learned", "at the end"]
    si, ewc = (kept.get_lines()[i].get_xydata().tolist() for i in (0, 1))
    assert si == [[0.01, 0.5], [1, pytest.approx(0.7)]]
    assert ewc == [[1, 0.5], [100, pytest.approx(0.7)]]
    assert learned.get_lines()[0].get_ydata().tolist() == pytest.approx([0.9, 0.5])
    assert learned.get_ylim() == kept.get_ylim() and learned.figure is not kept.figure
    assert "EWC, at the end: 50 % at 1, 70 % at 100." in kept.figure.get_label()


def test_a_heatmap_lets_the_page_through_at_zero():
    ax = figures.heatmap([[np.nan, -0.5], [0.0, 0.25]], names="ab", limit=0.5, fmt=".2f")
    image = ax.get_images()[0]
    blank, negative, zero, positive = image.to_rgba(image.get_array()).reshape(4, 4)
    assert blank[3] == 0 and zero[3] < 0.01 < positive[3] < negative[3]
    assert negative[0] > negative[2] and positive[0] < positive[2]   # vermillion, and blue
    assert [t.get_text() for t in ax.texts] == ["−0.50", "0.00", "0.25"]


def test_differences_are_drawn_with_both_intervals():
    found = metrics.differences({"A": [5.0, 7, 9], "B": [4, 7, 7], "C": [2, 1, 3]})
    ax = figures.differences(found, label="points")
    assert [text.get_text() for text in ax.get_yticklabels()] == list(found)
    _, thin, thick, mean = ax.get_lines()[:4]
    assert tuple(thin.get_xdata()) == found["A − C"].together
    assert tuple(thick.get_xdata()) == found["A − C"].alone
    assert thick.get_linewidth() > thin.get_linewidth()
    assert mean.get_xdata()[0] == pytest.approx(5)
    assert "A − C +5.0" in ax.figure.get_label()


@pytest.mark.parametrize(("seeds", "bands"), [(1, 0), (2, 0), (3, 1), (5, 1)])
def test_a_band_is_drawn_from_three_seeds_on(seeds, bands):
    ax = figures.panels(1)[0]
    values = np.arange(seeds)[:, None] + [10.0, 20.0]
    figures.seeds_curve([1, 2], values, name="SI", color="blue", ax=ax)
    line, = ax.get_lines()
    assert line.get_ydata().tolist() == values.mean(0).tolist() and line.get_label() == "SI"
    assert len(ax.collections) == bands
    for band in ax.collections:
        heights = band.get_paths()[0].vertices[:, 1]
        assert (heights.min(), heights.max()) == (values.min(), values.max())
