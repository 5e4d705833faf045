"""One raw column becomes numbers, yes and no, moments or texts, whatever it was stored as.

Training and prediction come through here alike, so that 3, 3.0 and "3" mean the same to a model.
Nothing here knows a schema; what cannot be read is missing, never an error. A column is a Series,
or, where rows are few, an array of its cells, which spares pandas' cost a column.
"""

import math
import re
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from pandas.api.types import is_object_dtype

#: Beyond this a float64 is infinite as the float32 that boosters and trees compute with.
LARGEST = 3e38

_TRUE = frozenset({"true", "t", "yes", "y", "1"})
_FALSE = frozenset({"false", "f", "no", "n", "0"})
_ISO = "ISO8601"
_DAY = 86_400e6  # microseconds
_MOMENT = np.dtype("datetime64[us]")

#: Sign, currency, digits in groups of three by commas or not, fraction, currency or per cent.
_DRESSED = re.compile(r"([+-]?) ?[$€£¥]? ?(\d{1,3}(?:,\d{3})+|\d+)(\.\d*)? ?[$€£¥%]?", re.ASCII)

Values: TypeAlias = Any  # a Series, or an ndarray of cells


def label(value: Any) -> str | None:
    """The text a single value stands for: 3.0 and 3 are '3', True is 'true', a list is nothing.

    A whole number has one text, of digits only, however large it is and however it is stored.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, int | np.integer):
        return str(int(value))
    if isinstance(value, Decimal):
        value = math.nan if value.is_nan() else float(value)  # float() refuses a signalling NaN
    if isinstance(value, float | np.floating):
        number = float(value)
        if math.isnan(number):
            return None
        return str(int(number)) if number.is_integer() else repr(number)
    if value is pd.NaT or value is pd.NA or value is None:
        return None
    if isinstance(value, np.datetime64):
        value = pd.Timestamp(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return label((value // timedelta(microseconds=1)) / 1e6)
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return None


def coded(values: Values) -> tuple[np.ndarray, list[str | None]]:
    """Split a column into distinct texts and each row's position among them.

    Returns
    -------
    codes : ndarray of int64, shape (n,)
        -1 where the value is missing.
    distinct : list of str or None
        The texts; None where a value has none. A text may occur twice (3 and "3").
    """
    if isinstance(values, np.ndarray):
        return np.arange(len(values)), [label(item) for item in values.tolist()]
    dtype = values.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return values.cat.codes.to_numpy(np.int64), [label(item) for item in dtype.categories]
    if is_object_dtype(dtype):
        # Hash tables take True for 1 and fail on lists: only texts may go in.
        values = pd.Series(np.array([label(item) for item in values], dtype=object), dtype=object)
    codes, distinct = pd.factorize(values)
    # One by one, the items of pandas' string arrays are slow to get at.
    items = np.asarray(distinct, dtype=object).tolist()
    texts = isinstance(dtype, pd.StringDtype)
    return codes, items if texts else [label(item) for item in items]


def to_texts(values: Values) -> np.ndarray:
    """Texts as an object array of str, '' where missing."""
    codes, distinct = coded(values)
    return _spread(codes, ["" if item is None else item for item in distinct], "", object)


def to_numbers(values: Values) -> np.ndarray:
    """Numbers as float64, NaN where missing, not a number, infinite or beyond `LARGEST`."""
    if isinstance(values, np.ndarray) and values.dtype == object:
        return np.array([_cell(item) for item in values.tolist()], np.float64)
    return finite(_numbers(values))


def finite(numbers: np.ndarray) -> np.ndarray:
    """The same numbers with NaN for what is infinite or beyond `LARGEST`."""
    wrong = np.abs(numbers) > LARGEST
    return np.where(wrong, np.nan, numbers) if wrong.any() else numbers


def to_booleans(values: Values) -> np.ndarray:
    """1.0 for true, yes, y, t, 1; 0.0 for false, no, n, f, 0; else NaN."""
    if values.dtype == bool:
        return np.asarray(values, np.float64)
    return _by_text(values, _truth)


def to_moments(values: Values, layout: str = "") -> np.ndarray:
    """Moments in UTC as datetime64[us], NaT where missing or not a date.

    Parameters
    ----------
    values : Series
        Timestamps with or without a zone (without: taken as UTC), dates, or texts.
    layout : str
        strptime format of the texts; '' is ISO 8601, which is tried in any case.
    """
    if isinstance(values, np.ndarray):
        return parse_moments(coded(values)[1], layout)
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        values = values.dt.tz_convert("UTC").dt.tz_localize(None)
    if pd.api.types.is_datetime64_dtype(values.dtype):
        return values.to_numpy().astype(_MOMENT)
    if pd.api.types.is_numeric_dtype(values.dtype):
        return np.full(len(values), "NaT", _MOMENT)
    codes, distinct = coded(values)
    return _spread(codes, parse_moments(distinct, layout), np.datetime64("NaT"), _MOMENT)


def parse_moments(texts: Sequence[str | None], layout: str, only: bool = False) -> np.ndarray:
    """Texts as datetime64[us] in UTC: by the layout, and what is left as ISO 8601 unless `only`."""
    found = np.full(len(texts), "NaT", _MOMENT)
    # ISO 8601 also has bare digits, which are more likely to be anything else.
    given = np.array(
        [None if text is None or (not layout and text.isdigit()) else text for text in texts],
        dtype=object,
    )
    for form in dict.fromkeys((layout or _ISO, layout or _ISO if only else _ISO)):
        left = np.flatnonzero(np.isnat(found))
        if len(left):
            read = pd.to_datetime(given[left], format=form, utc=True, errors="coerce")
            found[left] = read.tz_localize(None).to_numpy().astype(_MOMENT)
    return found


def moment_part(moments: np.ndarray, part: str) -> np.ndarray:
    """One part of moments as float64, NaN for NaT; the parts are those of `schema.PARTS`."""
    days = moments.astype("datetime64[D]")
    months = moments.astype("datetime64[M]")
    known = ~np.isnat(moments)
    numbers: np.ndarray
    if part == "elapsed":
        numbers = moments.astype(np.int64) / _DAY
    elif part == "year":
        numbers = moments.astype("datetime64[Y]").astype(np.int64) + 1970.0
    elif part == "month":
        numbers = months.astype(np.int64) % 12 + 1.0
    elif part == "day":
        numbers = (days - months.astype("datetime64[D]")).astype(np.int64) + 1.0
    elif part == "weekday":
        numbers = (days.astype(np.int64) + 3) % 7 + 0.0
    elif part == "hour":
        numbers = (moments.astype("datetime64[h]") - days).astype(np.int64) + 0.0
    else:
        raise ValueError(f"expected a part of a date, got {part!r}")
    return np.where(known, numbers, np.nan)


def parse_number(text: str | None) -> float:
    """A text as a number, NaN if it is none: 12, -1.5e3, 1,234.50, $12.50 and 45% are (as 45)."""
    if text is None or "_" in text:
        return math.nan
    try:
        return float(text)
    except ValueError:
        dressed = _DRESSED.fullmatch(text.strip())
        return float("".join(dressed.groups("")).replace(",", "")) if dressed else math.nan


def _as_number(text: str | None) -> float:
    if text in ("true", "false"):  # where a boolean comes for a number, it is 1 or 0
        return float(text == "true")
    return parse_number(text)


def _cell(value: Any) -> float:
    number = float(value) if isinstance(value, float) else _as_number(label(value))
    return number if abs(number) <= LARGEST else math.nan


def _numbers(values: Values) -> np.ndarray:
    if isinstance(values, np.ndarray):
        return values.astype(np.float64)
    dtype = values.dtype
    if pd.api.types.is_numeric_dtype(dtype) and dtype.kind != "c":
        if isinstance(dtype, np.dtype):
            return values.to_numpy(np.float64)
        return values.to_numpy(np.float64, na_value=np.nan)
    if pd.api.types.is_timedelta64_dtype(dtype):
        spans = values.to_numpy().astype("timedelta64[us]")
        return np.where(np.isnat(spans), np.nan, spans.astype(np.int64) / 1e6)
    if pd.api.types.is_datetime64_any_dtype(dtype):
        return np.full(len(values), np.nan)
    return _by_text(values, _as_number)


def _truth(text: str | None) -> float:
    word = "" if text is None else text.strip().lower()
    return 1.0 if word in _TRUE else 0.0 if word in _FALSE else math.nan


def _by_text(values: Values, read: Callable[[str | None], float]) -> np.ndarray:
    codes, distinct = coded(values)
    return _spread(codes, [read(item) for item in distinct], np.nan, np.float64)


def _spread(codes: np.ndarray, distinct: Any, gap: Any, dtype: Any) -> np.ndarray:
    """Each row's value from the distinct ones; code -1 is the gap, put last to be index -1."""
    table = np.empty(len(distinct) + 1, dtype)
    table[:-1] = distinct
    table[-1] = gap
    return table[codes]
