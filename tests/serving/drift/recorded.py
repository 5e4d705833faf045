"""Recordings as a server writes them, made from a table."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from training.features import decode_target
from training.schema import Column, Schema
from training.values import label, to_booleans, to_moments, to_numbers, to_texts

START = datetime(2026, 1, 30, 22, tzinfo=UTC)


def write_recordings(
    place: Path,
    version: tuple[str, str],
    schema: Schema,
    frame: pd.DataFrame,
    raw: np.ndarray,
    *,
    files: int = 3,
    start: datetime = START,
    step: timedelta = timedelta(minutes=1),
    rows_a_request: int = 1,
    fingerprint: str = "",
) -> pd.DataFrame:
    """Write some rows, as if each request had been asked a step after the one before.

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
    files, start, step, rows_a_request, fingerprint
        Otherwise than usual.

    Returns
    -------
    DataFrame
        `request` and `row` of each.
    """
    numbers = np.arange(len(frame))
    requests = [f"r-{number // rows_a_request}" for number in numbers]
    rows = (numbers % rows_a_request).astype(np.int32)
    times = [start + step * int(number // rows_a_request) for number in numbers]
    columns: dict[str, Any] = {
        "__time": pa.array(times, pa.timestamp("us", "UTC")),
        "__request": pa.array(requests),
        "__row": pa.array(rows),
        "__version": pa.array([version[1]] * len(frame)).dictionary_encode(),
        **{column.name: _cells(column, frame[column.name]) for column in schema.used},
    }
    if schema.target.classes:
        labels = decode_target(raw.argmax(axis=1), schema).tolist()
        columns["__prediction"] = pa.array([label(item) for item in labels])
        columns["__probabilities"] = pa.array(list(raw), pa.list_(pa.float64()))
    else:
        columns["__prediction"] = pa.array(raw)
    table = pa.table(columns).replace_schema_metadata(
        {
            "sixfold.model": version[0],
            "sixfold.version": version[1],
            "sixfold.schema": fingerprint or schema.fingerprint,
            "sixfold.sampled": "0.5",
        }
    )
    for number, part in enumerate(np.array_split(numbers, files)):
        if not len(part):
            continue
        written = times[part[-1]]
        day = Path(place, *version, f"{written:%Y-%m-%d}")
        day.mkdir(parents=True, exist_ok=True)
        name = f"{written:%Y%m%dT%H%M%S.%f}-0-{number:08x}.parquet"
        pq.write_table(table.slice(part[0], len(part)), day / name)
    return pd.DataFrame({"request": requests, "row": rows})


def _cells(column: Column, values: pd.Series) -> pa.Array:
    if column.kind == "numeric":
        return pa.array(to_numbers(values), from_pandas=True)
    if column.kind == "boolean":
        words = {1.0: "true", 0.0: "false"}
        return pa.array([words.get(item) for item in to_booleans(values).tolist()], pa.string())
    if column.kind == "datetime":
        moments = to_moments(values, column.format)
        return pa.array([None if np.isnat(item) else str(item) for item in moments], pa.string())
    return pa.array([text or None for text in to_texts(values)], pa.string())
