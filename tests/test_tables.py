"""Tables: numbers as in print, aligned at the point, with heads that say what they mean."""

import re
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from si_tutorial import tables


def parsed(table, **how):
    """Rows of (tag, text, attributes)."""
    root = ElementTree.fromstring(tables.show(table, "A <caption>.", **how)._repr_html_())
    return [[(cell.tag, "".join(cell.itertext()), cell.attrib) for cell in row]
            for row in root.iter("tr")]


def texts(rows):
    return [[text for _, text, _ in row] for row in rows]


def grid(rows):
    """The table as it is seen, spans filled in."""
    seen = {}
    for i, row in enumerate(rows):
        j = 0
        for _, text, attributes in row:
            while (i, j) in seen:
                j += 1
            for a in range(int(attributes.get("rowspan", 1))):
                for b in range(int(attributes.get("colspan", 1))):
                    assert (i + a, j + b) not in seen
                    seen[i + a, j + b] = text
    height, width = (max(n) + 1 for n in zip(*seen, strict=True))
    return [[seen[i, j] for j in range(width)] for i in range(height)]


@pytest.fixture
def plain():
    return pd.DataFrame({"ACC": [91.234, 8.1], "runs": [3, 10]},
                        index=pd.Index([0, 1], name="seed"))


def test_points_of_a_column_stand_below_each_other_and_whole_numbers_have_none(plain):
    assert texts(parsed(plain, digits=1)) == [["seed", "ACC", "runs"], ["0", "91.2", "3"],
                                              ["1", "8.1", "10"]]


def test_units_stand_in_the_head(plain):
    head = parsed(plain, units={"ACC": "%"})[0]
    assert [text for _, text, _ in head] == ["seed", "ACC%", "runs"]


def test_digits_by_column(plain):
    rows = texts(parsed(plain.astype(float), digits={"ACC": 3, "runs": 0}))
    assert rows[1] == ["0", "91.234", "3"]


@pytest.mark.parametrize("value, digits, expected", [
    (-1.25, 1, "−1.2"), (12345.6, 1, "12\u202f345.6"), (float("nan"), 2, "–"),
    (float("-inf"), 2, "−∞"), (1e-7, "g3", "1 × 10<sup>−7</sup>"),
    (-34567.0, "g2", "−3.5 × 10<sup>4</sup>"), (0.5, "g3", "0.5"), (np.float32(-2), 0, "−2"),
    (np.int64(5), 0, "5"), (True, 2, "yes"), (np.False_, 2, "no"),
    ("<a> & b", 2, "&lt;a&gt; &amp; b"),
    (-0.0001, 2, "0.00"), (None, 2, "–")])
def test_numbers_as_in_print(value, digits, expected):
    assert tables.number(value, digits) == expected


def test_no_row_of_the_head_is_empty_and_levels_are_spanned():
    table = pd.DataFrame(
        np.arange(8.0).reshape(2, 4), index=pd.Index(["SI", "EWC"], name="method"),
        columns=pd.MultiIndex.from_product([["rank", "cosine"], [10, 640]]))
    rows = parsed(table, digits=0)
    assert grid(rows) == [["method", "rank", "rank", "cosine", "cosine"],
                          ["method", "10", "640", "10", "640"],
                          ["SI", "0", "1", "2", "3"], ["EWC", "4", "5", "6", "7"]]
    assert rows[0][1][2]["scope"] == "colgroup" and rows[1][0][2]["scope"] == "col"


def test_the_columns_name_stands_over_them():
    table = pd.DataFrame([[1.0, 2.0]], index=["SI"], columns=pd.Index([10, 640], name="batch size"))
    assert grid(parsed(table, digits=0)) == [["", "batch size", "batch size"], ["", "10", "640"],
                                             ["SI", "1", "2"]]


def test_a_name_that_rows_share_stands_once():
    table = pd.DataFrame({"x": range(4)}, index=pd.MultiIndex.from_tuples(
        [("a", 1), ("a", 2), ("b", 1), ("a", 1)], names=["one", "two"]))
    rows = parsed(table)
    assert texts(rows)[1:] == [["a", "1", "0"], ["2", "1"], ["b", "1", "2"], ["a", "1", "3"]]
    assert [row[:2] for row in grid(rows)[1:]] == [["a", "1"], ["a", "2"], ["b", "1"], ["a", "1"]]


def test_rows_without_names():
    rows = parsed(pd.DataFrame({"library": ["A"], "clips": [True]}), index=False)
    assert texts(rows) == [["library", "clips"], ["A", "yes"]]
    assert all(cell[2].get("class") == "words" for row in rows for cell in row)


def test_a_series_is_a_table_of_one_column():
    assert texts(parsed(pd.Series([1.5], index=["a"], name="x"), digits=1)) == [["", "x"],
                                                                             ["a", "1.5"]]


def test_a_table_that_scrolls_can_be_reached_and_is_named():
    page = tables.show(pd.DataFrame({"x": [1]}), 'Five "words".')._repr_html_()
    assert re.search(r'role="region" tabindex="0" aria-label="Five &quot;words&quot;\."', page)


def test_in_a_terminal_it_is_the_frame():
    table = pd.DataFrame({"x": [1]})
    assert repr(tables.show(table, "Caption.")) == f"Caption.\n{table}"
