"""Parquet and Feather files, and what all Arrow data becomes."""

from pathlib import Path
from typing import Any

import pandas as pd

from training.formats.names import unique_names
from training.formats.packing import is_packed, unpacked
from training.missing import Missing


def read_parquet(path: Path, _: Missing) -> tuple[pd.DataFrame, list[str]]:
    """Read a Parquet file; ValueError or OSError if it is none, or not whole."""
    import pyarrow.parquet as pq

    # Pre-buffering holds the whole file beside the table.
    with pq.ParquetFile(_source(path), pre_buffer=False) as file:
        return to_frame(file.read())


def read_feather(path: Path, _: Missing) -> tuple[pd.DataFrame, list[str]]:
    """Read a Feather file of version 1 or 2; ValueError or OSError if it is none, or not whole."""
    from pyarrow import feather

    return to_frame(feather.read_table(_source(path), memory_map=False))


def to_frame(table: Any) -> tuple[pd.DataFrame, list[str]]:
    """An Arrow table as a data frame of numbers, booleans, texts, moments, categories or objects.

    The index that pandas may have stored with it is a column like any other. The Arrow table's
    memory is given up column by column.
    """
    import pyarrow as pa

    names, notes = unique_names(table.column_names)
    # No other name may hold the columns, or their memory would not be given up.
    table = pa.Table.from_arrays([_plain(column) for column in table.columns], names=names)
    frame = table.to_pandas(split_blocks=True, self_destruct=True, ignore_metadata=True)
    del table
    pa.default_memory_pool().release_unused()  # what decoding took is as much as the table
    return frame, notes


def _source(path: Path) -> Any:
    import pyarrow as pa

    if not is_packed(path):
        return str(path)
    with unpacked(path) as stream:
        return pa.BufferReader(stream.read())


def _plain(column: Any) -> Any:
    """The column in a type that pandas has; decimals and times of day would become objects."""
    import pyarrow as pa
    from pyarrow import types

    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        return _plain(pa.chunked_array([c.storage for c in column.chunks], kind.storage_type))
    if types.is_null(kind) or types.is_decimal(kind) or types.is_float16(kind):
        return column.cast(pa.float64())
    if types.is_date(kind):
        return column.cast(pa.timestamp("ms"))
    if types.is_time(kind):
        return column.cast(pa.string())
    if types.is_binary(kind) or types.is_large_binary(kind):
        try:
            return column.cast(pa.string())
        except pa.ArrowInvalid:  # not UTF-8: stays bytes
            return column
    return column
