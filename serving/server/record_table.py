"""Recorded requests become Parquet: a row a predicted row.

Beside the schema's used columns, as the server has read them, there are `__time` (of the answer),
`__request` (its id), `__row` (in the request), `__version`, `__prediction`, and for classes
`__probabilities`. Numbers are float64, all else is text; missing is null. Of a model that Sixfold
has not trained the columns are the signature's.
"""

import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from serving.server.bundle import Bundle, PyfuncBundle
from serving.server.cells import Cell, Cells, Line
from serving.server.moments import iso_text, parse_moment
from serving.server.values import label, number, truth
from training.missing import Missing, parse_missing
from training.schema import Column

#: A column of the schema that is called so is left out.
RESERVED = ("__time", "__request", "__row", "__version", "__prediction", "__probabilities")

_COMPRESSION = "zstd(1)"


@dataclass(frozen=True)
class Answered:
    """A request and what was predicted for it."""

    request: str
    time: float
    cells: Cells
    raw: np.ndarray


class RecordTable:
    """Collects rows, and writes them as one file's bytes.

    Parameters
    ----------
    bundle : Bundle
    share : float
        Of the requests that are recorded; the file says it.
    """

    def __init__(self, bundle: Bundle, share: float) -> None:
        from arro3.core import DataType, Field, Schema

        missing = parse_missing(bundle.schema.na_values)
        placed = [p for p in enumerate(bundle.schema.used) if p[1].name not in RESERVED]
        columns = [column for _, column in placed]
        self._reads = [(at, _reader(column, missing)) for at, column in placed]
        self._version = bundle.version
        self._classes = [label(item) or "" for item in bundle.schema.target.classes or ()]
        text, real = DataType.string(), DataType.float64()
        self._probabilities = DataType.list(Field("item", real))
        types = [DataType.timestamp("us", tz="UTC"), text, DataType.int32()]
        types.append(DataType.dictionary(DataType.int32(), text))
        types += [real if column.kind == "numeric" else text for column in columns]
        types += [text, self._probabilities] if self._classes else [_prediction(bundle, real, text)]
        names = [*RESERVED[:4], *(column.name for column in columns)]
        names += RESERVED[4:] if self._classes else RESERVED[4:5]
        self._types = types
        self._facts = {
            "sixfold.model": bundle.model,
            "sixfold.version": bundle.version,
            "sixfold.schema": bundle.schema.fingerprint,
            "sixfold.sampled": repr(share),
        }
        # Readers look in either place: the Arrow schema's metadata, or the file's.
        fields = [Field(*pair) for pair in zip(names, types, strict=True)]
        self._schema = Schema(fields, metadata=self._facts)
        self._batches: list[Any] = []

    def add(self, answered: list[Answered]) -> None:
        """Add the rows of some requests."""
        if not answered:
            return
        from arro3.core import Array, RecordBatch

        counts = [len(item.raw) for item in answered]
        rows = sum(counts)
        moments = np.array([round(item.time * 1e6) for item in answered], np.int64)
        numbers = np.concatenate([np.arange(count, dtype=np.int32) for count in counts])
        arrays = [
            Array(np.repeat(moments, counts)).cast(self._types[0]),
            Array([item.request for item in answered for _ in item.raw], self._types[1]),
            Array(numbers),
            Array([self._version] * rows, self._types[1]).cast(self._types[3]),
        ]
        lines = [item.cells.columns() for item in answered]
        for (at, read), kind in zip(self._reads, self._types[4:], strict=False):
            cells: list[Cell] = []
            for columns in lines:
                cells.extend(columns[at])
            arrays.append(Array(read(cells), kind))
        arrays += self._predictions(np.concatenate([item.raw for item in answered]))
        self._batches.append(RecordBatch.from_arrays(arrays, schema=self._schema))

    def take(self) -> bytes:
        """The rows so far as a Parquet file; the next one begins without any."""
        from arro3.core import Table
        from arro3.io import write_parquet

        table = Table.from_batches(self._batches, schema=self._schema).combine_chunks()
        self._batches = []
        file = io.BytesIO()
        write_parquet(table, file, compression=_COMPRESSION, key_value_metadata=self._facts)
        return file.getvalue()

    def _predictions(self, raw: np.ndarray) -> list[Any]:
        from arro3.core import Array, list_array

        if not self._classes:
            if raw.dtype == object:
                return [Array(raw.tolist(), self._types[-1])]
            return [Array(np.ascontiguousarray(raw, np.float64))]
        labels = [self._classes[code] for code in raw.argmax(axis=1).tolist()]
        width = raw.shape[1]
        ends = np.arange(0, raw.size + 1, width, dtype=np.int32)
        values = Array(np.ascontiguousarray(raw, np.float64).ravel())
        shares = list_array(Array(ends), values, type=self._probabilities)
        return [Array(labels, self._types[-2]), shares]


def _prediction(bundle: Bundle, real: Any, text: Any) -> Any:
    """The type of what is no class: of a model of others it may be a text."""
    if isinstance(bundle, PyfuncBundle):
        from serving.server.pyfunc_recorded import is_number

        return real if is_number(bundle.signature) else text
    return real


def _reader(column: Column, missing: Missing) -> Callable[[Line], list[Any]]:
    """How the cells of a column are written."""
    if column.kind == "numeric":
        gaps = frozenset(missing.numbers)
        return lambda cells: [_real(number(cell), gaps) for cell in cells]
    if column.kind == "boolean":
        words = {1.0: "true", 0.0: "false"}
        return lambda cells: [words.get(truth(cell)) for cell in cells]
    if column.kind == "datetime":
        return lambda cells: [_moment(label(cell), column.format) for cell in cells]
    return lambda cells: [_text(label(cell), missing) for cell in cells]


def _real(value: float, gaps: frozenset[float]) -> float | None:
    return None if math.isnan(value) or value in gaps else value


def _text(text: str | None, missing: Missing) -> str | None:
    if text is None or missing.marks(text):
        return None
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON can hold and Parquet cannot
        return text.encode(errors="replace").decode()
    return text


def _moment(text: str | None, layout: str) -> str | None:
    moment = None if text is None else parse_moment(text, layout)
    return None if moment is None else iso_text(moment)
