"""A column parts the rows into groups: categories, quarters of a number or a date, and missing."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.schema import Schema

if TYPE_CHECKING:
    import pandas as pd

#: Categories beyond these, the most frequent ones, are not looked at.
_MOST = 50
_MISSING = "missing"


@dataclass(frozen=True)
class Groups:
    """Groups of rows by one column.

    Attributes
    ----------
    column : str
    names : tuple of str
        In words: a category, or `1.5 to 3`.
    codes : ndarray of int, (n,)
        Positions in `names`, -1 for rows in no group.
    """

    column: str
    names: tuple[str, ...]
    codes: np.ndarray

    def counts(self) -> np.ndarray:
        """Rows of each group."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.names))


def groups_of(frame: "pd.DataFrame", name: str, schema: Schema) -> Groups:
    """Part rows by a column.

    Parameters
    ----------
    frame : DataFrame, (n, any)
    name : str
        One of its columns; the schema says what it is, or, if dropped there, its type does.
    schema : Schema
    """
    from training.values import moment_part, to_moments, to_numbers

    values = frame[name]
    kind, layout = _kind(values, name, schema)
    if kind == "numeric":
        return _quarters(name, to_numbers(values), dates=False)
    if kind == "datetime":
        days = moment_part(to_moments(values, layout), "elapsed")
        return _quarters(name, days, dates=True)
    return _categories(name, values)


def _kind(values: "pd.Series", name: str, schema: Schema) -> tuple[str, str]:
    from training.hashing import type_name

    known = {column.name: column for column in schema.columns}
    if name in known and known[name].kind != "dropped":
        return known[name].kind, known[name].format
    dtype = type_name(values).lower()
    if dtype.startswith(("int", "uint", "float")):
        return "numeric", ""
    return ("datetime" if dtype == "datetime64" else "categorical"), ""


def _quarters(name: str, numbers: np.ndarray, dates: bool) -> Groups:
    gaps = np.isnan(numbers)
    known = numbers[~gaps]
    codes = np.full(len(numbers), -1)
    names: list[str] = []
    if len(known):
        values = np.unique(known)
        if len(values) <= 4:
            codes[~gaps] = np.searchsorted(values, known)
            names = [_shown(value, dates) for value in values]
        else:
            edges = np.unique(np.quantile(known, [0.25, 0.5, 0.75], method="lower"))
            codes[~gaps] = np.searchsorted(edges, known, side="left")
            ends = [known[codes[~gaps] == code] for code in range(len(edges) + 1)]
            names = [_range(part, dates) if len(part) else "" for part in ends]
    if gaps.any():
        codes[gaps] = len(names)
        names.append(_MISSING)
    return Groups(name, tuple(names), codes)


def _categories(name: str, values: "pd.Series") -> Groups:
    from training.values import coded

    codes, distinct = coded(values)
    names: dict[str | None, int] = {}
    # A text may be there twice (3 and "3"); the last place is for code -1.
    places = np.array([names.setdefault(text, len(names)) for text in [*distinct, None]])
    merged = places[codes]
    counts = np.bincount(merged, minlength=len(names))
    order = np.argsort(-counts, kind="stable")[:_MOST]
    order = order[counts[order] > 0]
    table = np.full(len(names), -1)
    table[order] = np.arange(len(order))
    texts = list(names)
    shown = [_MISSING if texts[at] is None else str(texts[at]) for at in order]
    return Groups(name, tuple(shown), table[merged])


def _range(part: np.ndarray, dates: bool) -> str:
    low, high = _shown(part.min(), dates), _shown(part.max(), dates)
    return low if low == high else f"{low} to {high}"


def _shown(value: float, dates: bool) -> str:
    if dates:
        return str(np.datetime64(int(value), "D"))
    return f"{value:.6g}"
