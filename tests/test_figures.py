"""Figures: what they draw comes from the data, and so do the words for those who cannot see it."""

import base64
import html
import re

import matplotlib
import numpy as np
import pandas as pd
import pytest

matplotlib.use("Agg")

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
    assert [t.get_text() for t in ax.texts] == ["91", "81", "92", "71", "82", "93"]
    assert [t.get_text() for t in ax.get_xticklabels()] == NAMES


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


def test_a_curve_below_chance_is_not_cut_off():
    data = table(epoch=[1, 2], accuracy=[0.9, 0.1], method=["SI"] * 2)
    assert figures.accuracy_curves(data).get_ylim()[0] < 0.1


def test_methods_keep_their_colours_in_every_figure():
    data = table(method=["SI", "SI", "EWC"], accuracy=[0.9, 0.8, 0.7])
    ax = figures.accuracy_points(data, x="method")
    colors = [c.get_facecolors()[0][:3] for c in ax.collections if len(c.get_offsets())]
    assert [tuple(c) for c in colors[:2]] == [figures.COLORS["SI"], figures.COLORS["EWC"]]
    assert "SI 85.0 %, EWC 70.0 %" in ax.figure.get_label()


def test_show_keeps_caption_words_and_picture_together(accuracy):
    shown = figures.show(figures.accuracy_matrix(accuracy, NAMES), "A <caption> & more.")
    page = shown._repr_html_()
    assert html.escape("A <caption> & more.") in page
    assert html.escape(shown.alt) in page and "71 % on zeros" in shown.alt
    picture = base64.b64decode(re.search(r"base64,([^\"]+)", page)[1])
    assert picture.startswith(b"\x89PNG") and len(picture) > 1000
    assert not matplotlib.pyplot.get_fignums()  # shown once, not a second time by the notebook


@pytest.mark.parametrize("alt", ["", "a figure", "plot.png"])
def test_a_figure_without_words_is_refused(alt):
    _, ax = matplotlib.pyplot.subplots()
    with pytest.raises(ValueError, match="cannot see"):
        figures.show(ax, "caption", alt=alt)


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


def test_setting_panels_share_one_legend_and_one_scale():
    table = pd.DataFrame({"strength": [0.1, 10], "just learned": [0.9, 0.6],
                          "at the end": [0.5, 0.6]})
    tables = {"SI": table, "EWC": table - 0.05, "MAS": table, "L2": table.assign(strength=[1, 2])}
    ax = figures.setting_panels(tables, x="strength", label="strength c")
    panels = ax.figure.axes
    assert [panel.get_title() for panel in panels] == [*tables, "", ""]
    assert [bool(panel.get_legend() and panel.get_legend().get_visible())
            for panel in panels] == [True] + 5 * [False]
    assert [panel.axison for panel in panels] == 4 * [True] + 2 * [False]
    assert panels[3].get_lines()[0].get_xdata().tolist() == [1, 2]
    assert panels[0].get_ylim() == panels[1].get_ylim()
    assert all(title in ax.figure.get_label() for title in tables)


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
