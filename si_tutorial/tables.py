"""Tables as in print: numbers aligned at the point, units in the head, − and powers of ten."""

import html
import math
from collections.abc import Hashable, Mapping
from itertools import groupby
from numbers import Real

import numpy as np
import pandas as pd

Format = int | str


class Table:
    """A table with its caption, as HTML that needs no other file."""

    def __init__(self, markup: str, text: str):
        self._markup, self._text = markup, text

    def _repr_html_(self) -> str:
        return self._markup

    def __repr__(self) -> str:
        return self._text


def show(table: pd.DataFrame | pd.Series, caption: str, *, digits: Format | Mapping = 2,
         units: Mapping[Hashable, str] | None = None, index: bool = True) -> Table:
    """`table` with a caption that can be understood alone.

    Parameters
    ----------
    digits : int, str or mapping
        Digits after the point, the same for a whole column, so that points stand below each
        other; "g3" for three significant digits, with a power of ten where a number is very small
        or large. A mapping gives them by column (the outermost name, where names have levels).
    units : mapping, optional
        By column, written below its name: `{"forgetting": "%"}`. Values are shown as they are.
    index : bool
        Whether the names of the rows are shown. A name of the index or of the columns
        (`df.index.name`, `df.columns.name`) stands in the head.
    """
    frame = table.to_frame() if isinstance(table, pd.Series) else table
    body = "".join(f"<tr>{_row_names(frame, i) if index else ''}{_cells(frame, i, digits)}</tr>"
                   for i in range(len(frame)))
    words = html.escape(caption)
    markup = (f'<figure class="si-table"><div class="si-scroll" role="region" tabindex="0" '
              f'aria-label="{words}"><table><thead>{_head(frame, units or {}, index)}</thead>'
              f"<tbody>{body}</tbody></table></div><figcaption>{words}</figcaption></figure>")
    return Table(markup, f"{caption}\n{frame}")


def number(value: object, digits: Format = 2) -> str:
    """A number as HTML, with − and, where `digits` asks for it, a power of ten; else the text."""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if value is None or value != value:  # a cell without a value
        return "–"
    if not isinstance(value, Real):
        return html.escape(str(value))
    value = float(value)
    if isinstance(digits, int):
        text = f"{value:z,.{digits}f}" if math.isfinite(value) else f"{value:g}"  # z: no −0.0
        return text.replace(",", "\u202f").replace("inf", "∞").replace("-", "−")
    text = f"{value:.{digits.removeprefix('g') or 3}g}".replace("inf", "∞")
    factor, _, power = text.partition("e")
    factor = factor.replace("-", "−")
    return f"{factor} × 10<sup>{str(int(power)).replace('-', '−')}</sup>" if power else factor


def _head(frame: pd.DataFrame, units: Mapping, index: bool) -> str:
    """One row for each level of the columns' names, those that say something."""
    columns = frame.columns
    corner = [str(name or "") for name in frame.index.names] if index else []
    rows = []
    if columns.nlevels == 1 and columns.name:
        rows.append(f'<th colspan="{len(columns)}" scope="colgroup">'
                    f"{html.escape(str(columns.name))}</th>")
    paths = [c if isinstance(c, tuple) else (c,) for c in columns]
    for level in range(columns.nlevels - 1):
        rows.append("".join(
            f'<th colspan="{len(list(group))}" scope="colgroup">{html.escape(str(path[-1]))}</th>'
            for path, group in groupby(paths, key=lambda path: path[:level + 1])))
    rows.append("".join(
        f'<th scope="col"{_kind(frame, i)}>{html.escape(str(path[-1]))}{_unit(units, column)}</th>'
        for i, (column, path) in enumerate(zip(columns, paths, strict=True))))
    names = "".join(f'<th rowspan="{len(rows)}" scope="col">{html.escape(name)}</th>' if name
                    else f'<td rowspan="{len(rows)}"></td>' for name in corner)
    return "".join(f"<tr>{names if i == 0 else ''}{row}</tr>" for i, row in enumerate(rows))


def _kind(frame: pd.DataFrame, column: int) -> str:
    """Words stand on the left, numbers on the right."""
    kind = frame.dtypes.iloc[column]
    numbers = pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_bool_dtype(kind)
    return "" if numbers else ' class="words"'


def _unit(units: Mapping, column: Hashable) -> str:
    """By the column's whole name, or by its innermost."""
    inner = column[-1] if isinstance(column, tuple) else column
    unit = units.get(column, units.get(inner))
    return f"<span>{html.escape(unit)}</span>" if unit else ""


def _row_names(frame: pd.DataFrame, i: int) -> str:
    """The names of row `i`; one that several rows share stands once, at the first of them."""
    keys = [key if isinstance(key, tuple) else (key,) for key in frame.index]
    cells = ""
    for level, name in enumerate(keys[i]):
        same = [key[:level + 1] == keys[i][:level + 1] for key in keys]
        if level < len(keys[i]) - 1 and i and same[i - 1]:
            continue
        span = 1 if level == len(keys[i]) - 1 else [*same[i:], False].index(False)
        cells += f'<th scope="row" rowspan="{span}">{html.escape(_plain(name))}</th>'
    return cells


def _plain(name: object) -> str:
    return f"{name:g}".replace("-", "−") if isinstance(name, float) else str(name)


def _cells(frame: pd.DataFrame, i: int, digits: Format | Mapping) -> str:
    cells = ""
    for j, column in enumerate(frame.columns):
        outer = column[0] if isinstance(column, tuple) else column
        how = digits.get(column, digits.get(outer, 2)) if isinstance(digits, Mapping) else digits
        if isinstance(how, int) and pd.api.types.is_integer_dtype(frame.dtypes.iloc[j]):
            how = 0
        cells += f"<td{_kind(frame, j)}>{number(frame.iloc[i, j], how)}</td>"
    return cells
