"""One raw column becomes a `Column`: what kind it is, or why it is dropped.

The rules, in their order, for numbers: no value, one value in every row, a row number or id.
For texts: no value, one value in every row, numbers, dates, running text, identifiers, categories.
A column of one value and gaps is kept: the gaps may tell something.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from training.dates import find_layout
from training.errors import UserError
from training.hashing import type_name
from training.schema import MAX_LEVELS, PARTS, Column
from training.values import coded, moment_part, parse_number, to_booleans, to_moments, to_numbers

NO_VALUE = "no value in any row"
ONE_VALUE = "the same value in every row"
ROW_ID = "a number of the row, different in every row"
IDENTIFIER = "an identifier, different in nearly every row"
NESTED = "holds lists or objects"

FEW = 20  # distinct values up to which numbers written as texts stay categories
_MOST = 0.95  # share of the values that must be numbers, or different, to count as all
_WORDS = 3.0  # on average: from here on it is running text
_SAMPLE = 2000
_ID_WORDS = frozenset({"id", "ids", "uuid", "guid", "rowid", "index", "idx", "key", "pk", "row"})
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_NO_SPACES = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


@dataclass(frozen=True)
class _Texts:
    """A column's distinct texts, in no order, and how often each occurs."""

    distinct: Sequence[str]
    counts: np.ndarray
    missing: int

    @property
    def filled(self) -> int:
        return int(self.counts.sum())


def column_of(name: str, values: pd.Series) -> tuple[Column, list[str]]:
    """Find out what a column is.

    Parameters
    ----------
    name : str
    values : Series, shape (n,)

    Returns
    -------
    column : Column
    notes : list of str
        What the user should know, beyond a reason for dropping it.
    """
    stored = stored_as(values)
    column = Column(name, "dropped", type_name(values))
    if stored == "nested":
        return replace(column, why=NESTED), []
    if stored == "number":
        return _number(column, values)
    if stored == "boolean":
        return _boolean(column, values), []
    if stored == "moment":
        return _moment(column, to_moments(values)), []
    return _text(column, values)


def column_as(name: str, values: pd.Series, kind: str) -> tuple[Column, list[str]]:
    """Read a column as the kind that the user wants; UserError if not one value can be read so."""
    column = Column(name, kind, type_name(values), why="as the schema file says")
    notes: list[str] = []
    if kind == "dropped":
        return column, notes
    texts = _texts(values)
    if kind == "categorical":
        column = _categories(column, texts)
    elif kind == "text":
        column = replace(column, missing=texts.missing)
    elif kind == "datetime":
        if stored_as(values) != "moment" and (found := find_layout(texts.distinct, texts.counts)):
            column = replace(column, format=found[0])
        column = _moment(column, to_moments(values, column.format))
    else:
        numbers = to_numbers(values) if kind == "numeric" else to_booleans(values)
        column = replace(column, missing=int(np.isnan(numbers).sum()))
    if column.missing == len(values) or (kind == "datetime" and not column.parts):
        shown = ", ".join(repr(text) for text in texts.distinct[:3]) or "no values"
        raise UserError(
            f"expected column {name!r} as {kind}, as the schema file says, got {shown}; "
            f"choose another kind for it"
        )
    if lost := column.missing - texts.missing:
        notes.append(f"{lost:,} values in {name!r} are not {kind} and count as missing")
    return column, notes


def stored_as(values: pd.Series) -> str:
    """What a column holds: 'number', 'boolean', 'moment', 'text' or 'nested'."""
    dtype = values.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return stored_as(pd.Series(dtype.categories)) if len(dtype.categories) else "text"
    if pd.api.types.is_bool_dtype(dtype):
        return "boolean"
    if pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_timedelta64_dtype(dtype):
        return "number"
    if pd.api.types.is_datetime64_any_dtype(dtype):
        return "moment"
    held = pd.api.types.infer_dtype(values, skipna=True)
    if held in ("integer", "floating", "mixed-integer-float", "decimal", "empty"):
        return "number"
    if held in ("datetime", "datetime64", "date"):
        return "moment"
    if held == "mixed" and values.map(_is_nested).sum() > values.notna().sum() / 2:
        return "nested"
    return "boolean" if held == "boolean" else "text"


def numbers_rows(name: str, values: pd.Series) -> bool:
    """Whether whole numbers differ in every row and are a gapless range, or named like an id."""
    numbers = values.dropna().to_numpy() if values.dtype.kind in "iu" else to_numbers(values)
    numbers = numbers[~np.isnan(numbers)]
    gapless = len(numbers) >= 10 and int(numbers.max()) - int(numbers.min()) + 1 == len(numbers)
    if not (len(numbers) and (gapless or _named_like_an_id(name))):
        return False
    return bool((numbers == np.floor(numbers)).all()) and len(np.unique(numbers)) == len(numbers)


def looks_numeric(texts: Sequence[str], counts: np.ndarray) -> bool:
    """Whether distinct texts are numbers but for a few, and too many to be the codes of categories.

    Leading zeros tell a code (01234), and so do more digits than a float64 can hold.
    """
    sample = texts[:: max(1, len(texts) // 100)]
    if len(texts) <= FEW or sum(np.isnan(parse_number(text)) for text in sample) > len(sample) / 2:
        return False
    numbers = np.array([parse_number(text) for text in texts])
    if counts[~np.isnan(numbers)].sum() < _MOST * counts.sum() or np.isnan(numbers).sum() > FEW:
        return False
    return not any(map(_is_code, texts))


def _is_code(text: str) -> bool:
    return text.isdigit() and (len(text) > 15 or (len(text) > 1 and text[0] == "0"))


def distinct_texts(values: pd.Series) -> tuple[list[str], np.ndarray]:
    """The distinct texts of a column, in no order, and how often each occurs."""
    texts = _texts(values)
    return list(texts.distinct), texts.counts


def _texts(values: pd.Series) -> _Texts:
    codes, distinct = coded(values)
    counts = np.bincount(codes[codes >= 0], minlength=len(distinct))
    total: dict[str, int] = {}
    for text, count in zip(distinct, counts.tolist(), strict=True):
        if text is not None and count:
            total[text] = total.get(text, 0) + count
    filled = np.array(list(total.values()), np.int64)
    return _Texts(list(total), filled, len(values) - int(filled.sum()))


def _number(column: Column, values: pd.Series) -> tuple[Column, list[str]]:
    numbers = to_numbers(values)
    gaps = np.isnan(numbers)
    column = replace(column, missing=int(gaps.sum()))
    infinite = column.missing - int(values.isna().sum())
    notes = []
    if infinite:
        notes.append(f"{infinite:,} infinite values in {column.name!r} count as missing")
    if gaps.all():
        return replace(column, why=NO_VALUE), notes
    if not column.missing and (values == values.iloc[0]).all():
        return replace(column, why=ONE_VALUE), notes
    if numbers_rows(column.name, values):
        return replace(column, why=ROW_ID), notes
    why = "" if pd.api.types.is_numeric_dtype(values.dtype) else "read as numbers"
    return replace(column, kind="numeric", why=why), notes


def _named_like_an_id(name: str) -> bool:
    words = [word.lower() for word in _WORD.findall(name)]
    stored_index = name.startswith(("Unnamed: ", "__index_level_"))
    return stored_index or (bool(words) and (words[-1] in _ID_WORDS or words[0] == "id"))


def _boolean(column: Column, values: pd.Series) -> Column:
    truths = to_booleans(values)
    missing = int(np.isnan(truths).sum())
    column = replace(column, missing=missing, dtype="bool")
    if missing == len(truths):
        return replace(column, why=NO_VALUE)
    if not missing and truths.min() == truths.max():
        return replace(column, why=ONE_VALUE)
    return replace(column, kind="boolean")


def _moment(column: Column, moments: np.ndarray) -> Column:
    gaps = np.isnat(moments)
    column = replace(column, missing=int(gaps.sum()))
    if gaps.all():
        return replace(column, why=NO_VALUE)
    if not gaps.any() and moments.min() == moments.max():
        return replace(column, why=ONE_VALUE)
    there = moments[~gaps]
    parts = tuple(part for part in PARTS if np.ptp(moment_part(there, part)) > 0)
    return replace(column, kind="datetime", parts=parts or PARTS[:1])


def _text(column: Column, values: pd.Series) -> tuple[Column, list[str]]:
    texts = _texts(values)
    column = replace(column, missing=texts.missing)
    if not len(texts.distinct):
        return replace(column, why=NO_VALUE), []
    if len(texts.distinct) == 1 and not texts.missing:
        return replace(column, why=ONE_VALUE), []
    if not isinstance(values.dtype, pd.CategoricalDtype):
        if looks_numeric(texts.distinct, texts.counts):
            return _numeric_texts(column, values, texts)
        if found := find_layout(texts.distinct, texts.counts):
            return _dates(column, values, texts, *found)
    if _is_running_text(texts):
        return replace(column, kind="text"), []
    if texts.filled >= 10 and len(texts.distinct) >= _MOST * texts.filled:
        return replace(column, why=IDENTIFIER), []
    column = _categories(replace(column, kind="categorical"), texts)
    if len(texts.distinct) > MAX_LEVELS:
        rare = column.missing - texts.missing
        return column, [
            f"{column.name!r} has {len(texts.distinct):,} levels: the {MAX_LEVELS:,} most frequent "
            f"are kept, {rare:,} rows with others count as missing"
        ]
    return column, []


def _numeric_texts(column: Column, values: pd.Series, texts: _Texts) -> tuple[Column, list[str]]:
    numbers = to_numbers(values)
    missing = int(np.isnan(numbers).sum())
    notes = []
    if lost := missing - texts.missing:
        words = [text for text in texts.distinct if np.isnan(parse_number(text))][:3]
        notes.append(
            f"{column.name!r} is read as numbers; {lost:,} values such as "
            f"{', '.join(map(repr, words)) or 'infinity'} count as missing"
        )
    return replace(column, kind="numeric", why="texts read as numbers", missing=missing), notes


def _dates(
    column: Column, values: pd.Series, texts: _Texts, layout: str, ambiguous: bool
) -> tuple[Column, list[str]]:
    moments = to_moments(values, layout)
    lost = int(np.isnat(moments).sum()) - texts.missing
    column = _moment(replace(column, format=layout), moments)
    if column.kind == "datetime":
        column = replace(column, why=f"texts read as dates ({layout or 'ISO 8601'})")
    notes = []
    if lost:
        notes.append(f"{lost:,} values in {column.name!r} are no dates and count as missing")
    if ambiguous:
        notes.append(
            f"{column.name!r} is read as {layout}; day and month could be the other way round"
        )
    return column, notes


def _categories(column: Column, texts: _Texts) -> Column:
    counts = dict(zip(texts.distinct, texts.counts.tolist(), strict=True))
    order = sorted(counts, key=lambda text: (-counts[text], text))
    lost = sum(counts[text] for text in order[MAX_LEVELS:])
    return replace(column, levels=tuple(order[:MAX_LEVELS]), missing=texts.missing + lost)


def _is_running_text(texts: _Texts) -> bool:
    """Many different values of several words; a script without spaces has two signs a word."""
    if len(texts.distinct) <= max(10, 0.2 * texts.filled):
        return False
    sample = texts.distinct[:: max(1, len(texts.distinct) // _SAMPLE)]
    words = [len(text.split()) + len(_NO_SPACES.findall(text)) / 2 for text in sample]
    return float(np.mean(words)) >= _WORDS


def _is_nested(value: object) -> bool:
    return isinstance(value, list | dict | tuple | set | np.ndarray)
