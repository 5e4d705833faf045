"""Raw rows become model input, and targets become codes and back: the only way to do either.

Training and prediction both call `conform`; what the model learnt from a level, a date or a
missing value is then what it meets later.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from training.missing import Missing, parse_missing
from training.schema import Column, Label, Schema
from training.values import (
    Values,
    coded,
    finite,
    label,
    moment_part,
    parse_number,
    to_booleans,
    to_moments,
    to_numbers,
    to_texts,
)

#: Up to this many rows cells are taken from one array of objects: pandas' cost a column is more
#: than Python's a cell. Beyond, columns go one by one, so that no second copy is made.
_FEW_ROWS = 64
#: From here on whole numbers are no longer all floats.
_EXACT = 2.0**53


def conform(frame: pd.DataFrame, schema: Schema) -> Any:
    """Bring rows into the form that every model of this schema takes.

    Parameters
    ----------
    frame : DataFrame, shape (n, any)
        Rows with at least the schema's columns that are not dropped, in any order and of any
        reasonable type: numbers as texts, whole numbers as floats, booleans as 'true' or 1, dates
        as texts or timestamps. Other columns are ignored.
    schema : Schema

    Returns
    -------
    ndarray of float64, shape (n, len(schema.features)), C order
        Numbers, booleans as 0 and 1, categories as the code of their level, dates as one number a
        part; NaN where a value is missing, infinite, unreadable or an unknown level.
    DataFrame
        Instead, if there is a text feature: one column a feature, float64 or object (str, '' where
        missing).

    Raises
    ------
    ValueError
        Columns are missing, or there twice.
    """
    positions = _positions(frame, schema)
    cells = _cells(frame, _all_numeric(schema)) if len(frame) <= _FEW_ROWS else None
    missing = parse_missing(schema.na_values)
    if cells is not None and cells.dtype.kind in "fiu" and _all_numeric(schema):
        return finite(_without(cells[:, positions].astype(np.float64, order="C"), missing))
    matrix = np.empty((len(frame), len(schema.features)))
    texts: dict[int, np.ndarray] = {}
    at = 0
    for column, position in zip(schema.used, positions, strict=True):
        values = frame.iloc[:, position] if cells is None else cells[:, position]
        if column.kind == "datetime":
            moments = to_moments(values, column.format)
            for part in column.parts:
                matrix[:, at] = moment_part(moments, part)
                at += 1
            continue
        if column.kind == "text":
            texts[at] = _texts(values, missing)
        elif column.kind == "categorical":
            matrix[:, at] = _codes(values, column, missing)
        elif column.kind == "boolean":
            matrix[:, at] = to_booleans(values)
        else:
            matrix[:, at] = _without(to_numbers(values), missing)
        at += 1
    return _with_texts(matrix, texts, schema) if texts else matrix


def has_target(values: pd.Series, schema: Schema) -> np.ndarray:
    """Rows whose target is there and can be read, as a boolean mask of shape (n,)."""
    if schema.target.classes is None:
        return ~np.isnan(_without(to_numbers(values), parse_missing(schema.na_values)))
    return _class_codes(values, schema) >= 0


def drop_unlabelled(frame: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """The rows that have a target; the same frame, not a copy, if all have."""
    there = has_target(frame[schema.target.name], schema)
    return frame if there.all() else frame[there]


def new_classes(values: pd.Series, schema: Schema) -> np.ndarray:
    """The classes that the schema does not know.

    Parameters
    ----------
    values : Series, shape (n,)
        Targets.
    schema : Schema

    Returns
    -------
    ndarray of object (str), shape (n,)
        '' where the class is known, or where there is none: the target is missing, blank, or no
        finite number where classes are numbers, and at training such a row is left out. Of a
        regression all are ''.
    """
    classes, kind = schema.target.classes, schema.target.kind
    codes, distinct = coded(values)
    names = np.full(len(distinct) + 1, "", object)  # the last is for code -1
    if classes is None:
        return names[np.full(len(codes), -1)]
    known = _class_table(kind, tuple(classes))
    missing = parse_missing(schema.na_values)
    for at, text in enumerate(distinct):
        if text is None or missing.marks(text):
            continue
        name = _canonical(text, kind)
        blank = not text.strip()
        wordy = kind in ("integer", "float") and not math.isfinite(parse_number(text))
        if name not in known and not blank and not wordy:
            names[at] = name
    return names[codes]


def encode_target(values: pd.Series, schema: Schema) -> np.ndarray:
    """Targets as a model learns them.

    Parameters
    ----------
    values : Series, shape (n,)
    schema : Schema

    Returns
    -------
    ndarray, shape (n,)
        int64 codes 0..k-1 for classification, float64 for regression.

    Raises
    ------
    ValueError
        A target is missing, not a number or of no known class; `drop_unlabelled` leaves these out.
    """
    there = has_target(values, schema)
    if not there.all():
        raise ValueError(
            f"expected a target in every row, got {int((~there).sum())} rows without one that "
            f"can be read as {schema.target.name!r}"
        )
    return _class_codes(values, schema) if schema.target.classes else to_numbers(values)


def decode_target(codes: np.ndarray, schema: Schema) -> np.ndarray:
    """Labels as the user wrote them, from codes of shape (n,); numbers stay numbers."""
    classes = schema.target.classes
    if classes is None:
        return np.asarray(codes, np.float64)
    kinds: dict[str, Any] = {"integer": np.int64, "float": np.float64, "boolean": np.bool_}
    labels = np.array(classes, dtype=kinds.get(schema.target.kind, np.str_))
    return labels[np.asarray(codes, np.int64)]


def _cells(frame: pd.DataFrame, numeric: bool) -> np.ndarray:
    """All cells as one array of numbers, or of objects."""
    cells = frame.to_numpy()
    if not numeric and cells.dtype.kind == "f" and (np.abs(cells) >= _EXACT).any():
        return frame.to_numpy(dtype=object)  # among floats, whole numbers have lost digits
    return cells if cells.dtype.kind in "fiuO" else frame.to_numpy(dtype=object)


def _positions(frame: pd.DataFrame, schema: Schema) -> list[int]:
    names = _names(schema)
    columns = frame.columns
    if not columns.is_unique:
        twice = columns[columns.duplicated()].intersection(names)
        if len(twice):
            raise ValueError(f"expected each column once, got {', '.join(map(repr, twice))} twice")
        places = {name: place for place, name in enumerate(columns)}
        columns = pd.Index(list(places))  # each name's last place; those asked for have but one
        order = np.array(list(places.values()))
    else:
        order = np.arange(len(columns))
    found = columns.get_indexer_for(names)
    if len(found) and found.min() < 0:
        # A frame made from an array or from JSON may name its columns 0, 1, 2.
        found = columns.map(str).get_indexer_for(names)
        if absent := [repr(name) for name, at in zip(names, found, strict=True) if at < 0]:
            shown = ", ".join(absent[:20]) + (", …" if absent[20:] else "")
            raise ValueError(f"expected {len(names)} columns, got a table without {shown}")
    return order[found].tolist()


@lru_cache(maxsize=16)
def _all_numeric(schema: Schema) -> bool:
    return all(column.kind == "numeric" for column in schema.used)


@lru_cache(maxsize=16)
def _names(schema: Schema) -> pd.Index:
    return pd.Index([column.name for column in schema.used])


def _without(numbers: np.ndarray, missing: Missing) -> np.ndarray:
    if not missing.numbers:
        return numbers
    return np.where(np.isin(numbers, missing.numbers), np.nan, numbers)


def _codes(values: Values, column: Column, missing: Missing) -> np.ndarray:
    codes, distinct = coded(values)
    table = np.full(len(distinct) + 1, np.nan)  # the last is for code -1
    for at, level in enumerate(distinct):
        if level is not None and not missing.marks(level):
            table[at] = column.codes.get(level, np.nan)
    return table[codes]


def _texts(values: Values, missing: Missing) -> np.ndarray:
    texts = to_texts(values)
    if missing.added:
        texts[[missing.marks(text) for text in texts]] = ""
    return texts


def _with_texts(matrix: np.ndarray, texts: dict[int, np.ndarray], schema: Schema) -> pd.DataFrame:
    # pandas would turn a bare array of str into its own string type, which no vectoriser takes.
    columns: dict[str, Any] = {
        feature.name: pd.Series(texts[at], dtype=object) if at in texts else matrix[:, at]
        for at, feature in enumerate(schema.features)
    }
    return pd.DataFrame(columns)


def _class_codes(values: pd.Series, schema: Schema) -> np.ndarray:
    kind = schema.target.kind
    known = _class_table(kind, tuple(schema.target.classes or ()))
    missing = parse_missing(schema.na_values)
    codes, distinct = coded(values)
    table = np.full(len(distinct) + 1, -1, np.int64)
    for at, text in enumerate(distinct):
        if text is not None and not missing.marks(text):
            table[at] = known.get(_canonical(text, kind), -1)
    return table[codes]


def _canonical(text: str, kind: str) -> str:
    if kind == "boolean":
        return text.lower()
    return text if kind == "string" else str(label(parse_number(text)))


@lru_cache(maxsize=64)
def _class_table(kind: str, classes: Sequence[Label]) -> dict[str, int]:
    table: dict[str, int] = {}
    for code, name in enumerate(classes):
        table[str(label(name))] = code
        if kind == "boolean":
            table["1" if name else "0"] = code
    return table
