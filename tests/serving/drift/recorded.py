"""Recordings by the server's own writer, made from a table."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from serving.server.cells import Cells
from serving.server.record_table import Answered, RecordTable
from training.schema import Schema

START = datetime(2026, 1, 30, 22, tzinfo=UTC)


def recorded(
    schema: Schema,
    frame: pd.DataFrame,
    raw: np.ndarray,
    version: tuple[str, str] = ("churn", "1"),
    start: datetime = START,
    step: timedelta = timedelta(minutes=1),
    rows_a_request: int = 1,
    first: int = 0,
) -> bytes:
    """A file of some rows: requests of so many rows each, a step apart, numbered from the first."""
    bundle: Any = SimpleNamespace(schema=schema, model=version[0], version=version[1])
    table = RecordTable(bundle, 0.5)
    rows = [[_cell(value) for value in line] for line in _used(schema, frame).to_numpy(object)]
    answered = []
    for at in range(0, len(rows), rows_a_request):
        number = first + at // rows_a_request
        part = slice(at, at + rows_a_request)
        time = (start + step * number).timestamp()
        answered.append(Answered(f"r-{number}", time, Cells(rows=rows[part]), raw[part]))
    table.add(answered)
    return table.take()


def write_recordings(
    place: Path,
    version: tuple[str, str],
    schema: Schema,
    frame: pd.DataFrame,
    raw: np.ndarray,
    *,
    files: int = 4,
    rows_a_request: int = 1,
    fingerprint: str = "",
) -> pd.DataFrame:
    """Write the files of some rows, which divide into so many.

    Parameters
    ----------
    place : Path
        The folder of all models' recordings.
    version : (model, version)
    schema : Schema
    frame : DataFrame
        The rows as they were asked.
    raw : ndarray
        What was predicted for them.
    files, rows_a_request : int
    fingerprint : str
        Another table's.

    Returns
    -------
    DataFrame
        `request` and `row` of each.
    """
    schema = replace(schema, fingerprint=fingerprint or schema.fingerprint)
    size = len(frame) // files
    assert size * files == len(frame)
    assert size % rows_a_request == 0
    for number in range(files):
        part = slice(number * size, (number + 1) * size)
        first = number * size // rows_a_request
        data = recorded(
            schema, frame.iloc[part], raw[part], version, rows_a_request=rows_a_request, first=first
        )
        written = START + timedelta(minutes=first + size)
        day = Path(place, *version, f"{written:%Y-%m-%d}")
        day.mkdir(parents=True, exist_ok=True)
        name = f"{written:%Y%m%dT%H%M%S.%f}-0-{number:08x}.parquet"
        (day / name).write_bytes(data)
    numbers = np.arange(len(frame))
    requests = [f"r-{number}" for number in numbers // rows_a_request]
    return pd.DataFrame({"request": requests, "row": numbers % rows_a_request})


def _used(schema: Schema, frame: pd.DataFrame) -> pd.DataFrame:
    return frame[[column.name for column in schema.used]]


def _cell(value: Any) -> Any:
    if isinstance(value, pd.Timestamp | datetime):
        return value.isoformat()
    return None if pd.isna(value) else value
