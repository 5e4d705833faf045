"""JSON Lines files: one object a line."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from training.formats.columnar import to_frame
from training.formats.names import unique_names
from training.formats.packing import unpacked
from training.missing import Missing

_BLOCK = 16 << 20


def read_jsonlines(path: Path, _: Missing) -> tuple[pd.DataFrame, list[str]]:
    """Read JSON Lines; ValueError names the first line that is no JSON object."""
    import pyarrow as pa
    from pyarrow import json as arrow_json

    options = arrow_json.ReadOptions(block_size=_BLOCK)
    try:
        with unpacked(path) as stream:
            return to_frame(arrow_json.read_json(stream, read_options=options))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        # Arrow wants one type a column; here it may be a number in one row, a text in the next.
        return _line_by_line(path)


def _line_by_line(path: Path) -> tuple[pd.DataFrame, list[str]]:
    columns: dict[str, list[Any]] = {}
    rows = 0
    with unpacked(path) as stream:
        for number, line in enumerate(stream, start=1):
            if not line.strip():
                continue
            for name, value in _record(line, number).items():
                # A key seen for the first time was missing in all rows before.
                cells = columns.setdefault(name, [None] * rows)
                cells.extend([None] * (rows - len(cells)))
                cells.append(value)
            rows += 1
    for cells in columns.values():
        cells.extend([None] * (rows - len(cells)))
    names, notes = unique_names(columns)
    series = [pd.Series(columns.pop(name), name=name).infer_objects() for name in list(columns)]
    return pd.DataFrame(dict(zip(names, series, strict=True)), copy=False), notes


def _record(line: bytes, number: int) -> dict[str, Any]:
    try:
        record = json.loads(line.decode("utf-8-sig"))
    except ValueError as error:
        raise ValueError(f"expected JSON in line {number}, got {error}") from None
    if not isinstance(record, dict):
        raise ValueError(
            f"expected one JSON object a line, got a {type(record).__name__} in line {number}"
        )
    return record
