"""Hashes of a table's content: of all of it, of each column, of each row.

They are the same on every machine and do not depend on the index, nor on how the file was packed.
"""

import hashlib
import math
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_object_dtype

_EXACT = 2.0**53
_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xBF58476D1CE4E5B9)


def fingerprint(frame: pd.DataFrame) -> str:
    """32 hex digits of the names, types and values of all columns, in their order."""
    digest = hashlib.blake2b(digest_size=16)
    for position, name in enumerate(frame.columns):
        digest.update(f"{len(str(name))}:{name}".encode(errors="surrogatepass"))
        digest.update(column_digest(frame.iloc[:, position]))
    return digest.hexdigest()


def column_digest(values: pd.Series) -> bytes:
    """Hash of one column's type and values, 16 bytes."""
    digest = hashlib.blake2b(type_name(values).encode(), digest_size=16)
    bits = _bits(values)
    digest.update((column_hashes(values) if bits is None else bits).tobytes())
    return digest.digest()


def row_hashes(rows: Any) -> np.ndarray:
    """One uint64 a row; equal rows have equal hashes, whether a number is stored as 3 or 3.0.

    Parameters
    ----------
    rows : DataFrame or ndarray, shape (n, p)

    Returns
    -------
    ndarray of uint64, shape (n,)
    """
    frame = rows if isinstance(rows, pd.DataFrame) else None
    total = np.zeros(len(rows), np.uint64)
    for position in range(rows.shape[1]):
        values = pd.Series(rows[:, position]) if frame is None else frame.iloc[:, position]
        total = (total ^ column_hashes(values)) * _MIX + _STEP
    return total


def column_hashes(values: pd.Series) -> np.ndarray:
    """One uint64 a value; missing values of any kind are equal."""
    bits = _bits(values)
    if bits is not None:
        return pd.util.hash_array(bits, categorize=False)
    dtype = values.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        table = np.append(_text_hashes(dtype.categories), _text_hashes([None]))
        return table[values.cat.codes.to_numpy()]
    codes, distinct = pd.factorize(_hashable(values) if is_object_dtype(dtype) else values)
    return np.append(_text_hashes(distinct), _text_hashes([None]))[codes]


def type_name(values: pd.Series) -> str:
    """A column's type in the words of `schema.Column.dtype`."""
    dtype = values.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return type_name(pd.Series(dtype.categories))
    if pd.api.types.is_datetime64_any_dtype(dtype):
        return "datetime64"
    if pd.api.types.is_timedelta64_dtype(dtype):
        return "timedelta64"
    if isinstance(dtype, pd.StringDtype):
        return "string"
    if is_object_dtype(dtype):
        kind = pd.api.types.infer_dtype(values, skipna=True)
        return {"string": "string", "boolean": "bool", "empty": "empty"}.get(kind, "object")
    return str(dtype)


def _bits(values: pd.Series) -> np.ndarray | None:
    """Numbers and moments as uint64 with one form for equal values, None for other columns."""
    dtype = values.dtype
    if isinstance(dtype, pd.DatetimeTZDtype):
        return _bits(values.dt.tz_convert("UTC").dt.tz_localize(None))
    if not isinstance(dtype, np.dtype) or dtype.kind not in "iufbmM":
        return None
    numbers = values.to_numpy()
    if dtype.kind in "mM":
        return numbers.astype(f"{dtype.kind}8[us]").view(np.uint64)
    if dtype.kind in "iu" and len(numbers) and _beyond_exact(numbers):
        return numbers.astype(np.uint64, casting="unsafe")
    # Adding 0.0 makes -0.0 equal to 0.0; all NaN become the same NaN.
    exact = numbers.astype(np.float64) + 0.0
    exact[np.isnan(exact)] = np.nan
    return exact.view(np.uint64)


def _beyond_exact(numbers: np.ndarray) -> bool:
    return float(numbers.max()) > _EXACT or float(numbers.min()) < -_EXACT


def _text_hashes(distinct: Any) -> np.ndarray:
    texts = np.asarray(distinct, dtype=object)
    if pd.api.types.infer_dtype(texts, skipna=False) != "string":
        texts = np.array([_text(item) for item in texts], dtype=object)
    return pd.util.hash_array(texts, categorize=False)


def _hashable(values: pd.Series) -> pd.Series:
    if pd.api.types.infer_dtype(values, skipna=True) == "string":
        return values
    return pd.Series([_text(item) for item in values], dtype=object)


def _text(item: Any) -> str:
    if isinstance(item, str):
        return item
    gap = item is None or item is pd.NA or item is pd.NaT
    if gap or (isinstance(item, float) and math.isnan(item)):
        return "\0missing"
    return f"\0{type(item).__name__}:{item!r}"
