"""Cells become the model's input: what `training.features.conform` does, without pandas.

What a column does with a cell is decided once, when the schema is read. A value of the type that
the column has takes the short way, all others the way through their text.
"""

import math
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from math import prod
from typing import Any

import numpy as np

from serving.server.cells import Cell, Cells, Line
from serving.server.moments import parts_reader
from serving.server.values import LARGEST, label, number, truth
from training.missing import Missing, parse_missing
from training.schema import Column, Schema

#: Up to this many rows are read cell by cell: NumPy's cost a column is more than Python's a cell.
_FEW_ROWS = 16

#: JSON's types that NumPy turns into the same numbers as `values.number` does.
_PLAIN = frozenset({float, int, bool, type(None)})
_TEXT = frozenset({str, type(None)})

ReadCell = Callable[[Cell], Any]


@dataclass(frozen=True)
class _Reader:
    """How one column is read: a cell at a time, or a column at a time into (n,) or (n, width)."""

    one: ReadCell
    many: Callable[[Line], np.ndarray]
    width: int = 1
    several: bool = False
    numeric: bool = False


class RowReader:
    """Reads the rows of one schema.

    Parameters
    ----------
    schema : Schema
        Without text columns: those have no number.

    Attributes
    ----------
    width : int
        Number of features.
    """

    def __init__(self, schema: Schema) -> None:
        if any(column.kind == "text" for column in schema.used):
            raise ValueError("expected columns that become numbers, got a text column")
        self._missing = parse_missing(schema.na_values)
        self._readers = [_reader(column, self._missing) for column in schema.used]
        self._one = [(reader.several, reader.one) for reader in self._readers]
        self.width = len(schema.features)
        starts = np.cumsum([0, *(reader.width for reader in self._readers)]).tolist()
        placed = list(enumerate(zip(self._readers, starts, strict=False)))
        self._numeric = [at for at, (reader, _) in placed if reader.numeric]
        self._numeric_starts = [start for _, (reader, start) in placed if reader.numeric]
        self._other = [(at, *pair) for at, pair in placed if not pair[0].numeric]
        self._all_numeric = not self._other
        layout = struct.Struct(f"{self.width}d")
        self._pack, self._pack_into = layout.pack, layout.pack_into
        self._is_plain = self._all_numeric and not self._missing.numbers

    def read(self, cells: Cells) -> np.ndarray:
        """The model's input for these cells.

        Returns
        -------
        ndarray of float64, shape (n, width), C order
            NaN where a value is missing, infinite, unreadable or an unknown level.
        """
        if self._all_numeric:
            rows = cells.rows()
            matrix = self._packed(rows)
            if matrix is None:
                matrix = _all_plain(rows)
            if matrix is not None:
                return _cut(matrix, self._missing)
        if cells.count <= _FEW_ROWS:
            return self._by_cell(cells.rows())
        return self._by_column(cells.columns(), cells.count)

    def read_one(self, cells: Cells, into: np.ndarray) -> bool:
        """Write the model's input for the first row, if its cells are plain numbers.

        Parameters
        ----------
        cells : Cells
        into : ndarray of float64, shape (1, width), C order

        Returns
        -------
        bool
            False if `read` has to read them: nothing was written.
        """
        if not self._is_plain:
            return False
        row = cells.rows()[0]
        try:
            if not math.hypot(*row) <= LARGEST:  # none is larger, infinite or NaN
                return False
        except (TypeError, OverflowError):  # no number, or an integer beyond the largest float
            return False
        self._pack_into(into, 0, *row)  # type: ignore[arg-type]  # an ndarray is a buffer
        return True

    def _packed(self, rows: Sequence[Line]) -> np.ndarray | None:
        """Rows as numbers, None if a cell is none or missing: in half the time of NumPy's."""
        pack = self._pack
        try:
            packed = bytearray().join([pack(*row) for row in rows])
        except (struct.error, OverflowError):  # of an integer beyond the largest float
            return None
        return np.frombuffer(packed).reshape(len(rows), self.width)

    def _by_cell(self, rows: Sequence[Line]) -> np.ndarray:
        found: list[float] = []
        for row in rows:
            for (several, read), cell in zip(self._one, row, strict=True):
                if several:
                    found.extend(read(cell))
                else:
                    found.append(read(cell))
        return np.array(found, np.float64).reshape(len(rows), self.width)

    def _by_column(self, columns: Sequence[Line], count: int) -> np.ndarray:
        matrix = np.empty((count, self.width))
        numeric = [columns[at] for at in self._numeric]
        block = _all_plain(numeric) if numeric else None
        if block is not None:
            matrix[:, self._numeric_starts] = _cut(block, self._missing).T
        else:
            for at, start in zip(self._numeric, self._numeric_starts, strict=True):
                matrix[:, start] = self._readers[at].many(columns[at])
        for at, reader, start in self._other:
            if reader.several:
                matrix[:, start : start + reader.width] = reader.many(columns[at])
            else:
                matrix[:, start] = reader.many(columns[at])
        return matrix


def _all_plain(lines: Sequence[Line]) -> np.ndarray | None:
    """Rows or columns as numbers, None if a cell is none of JSON's plain ones."""
    types = set(map(type, chain.from_iterable(lines)))
    if not types <= _PLAIN:
        return None
    try:
        if type(None) in types:
            return np.array(lines, np.float64)
        shape = len(lines), len(lines[0])  # an iterator is read twice as fast as nested lists
        return np.fromiter(chain.from_iterable(lines), np.float64, prod(shape)).reshape(shape)
    except OverflowError:  # an integer beyond the largest float
        return None


def _cut(numbers: np.ndarray, missing: Missing) -> np.ndarray:
    """The numbers with NaN for what is infinite, beyond `LARGEST` or marked as missing."""
    # Their squares' sum is NaN or infinite if one of them is: sooner known than of each by itself.
    if not np.vdot(numbers, numbers) < LARGEST**2:
        numbers[np.abs(numbers) > LARGEST] = np.nan
    if missing.numbers:
        numbers[np.isin(numbers, missing.numbers)] = np.nan
    return numbers


def _reader(column: Column, missing: Missing) -> _Reader:
    if column.kind == "datetime":
        return _moments(column)
    if column.kind == "categorical":
        return _codes(column, missing)
    if column.kind == "boolean":
        return _truths()
    return _numbers(missing)


def _numbers(missing: Missing) -> _Reader:
    gaps = frozenset(missing.numbers)

    def plain(cell: Cell) -> float:
        if type(cell) is float and -LARGEST <= cell <= LARGEST:
            return cell
        return number(cell)

    def with_gaps(cell: Cell) -> float:
        found = number(cell)
        return math.nan if found in gaps else found

    one = with_gaps if gaps else plain

    def many(cells: Line) -> np.ndarray:
        plain = _all_plain([cells])
        return np.array([one(cell) for cell in cells]) if plain is None else _cut(plain[0], missing)

    return _Reader(one, many, numeric=True)


def _truths() -> _Reader:
    known = {True: 1.0, False: 0.0}  # which are also 1 and 0

    def many(cells: Line) -> np.ndarray:
        if set(map(type, cells)) <= _PLAIN:
            return np.array([known.get(cell, math.nan) for cell in cells])
        return np.array([truth(cell) for cell in cells])

    return _Reader(truth, many)


def _codes(column: Column, missing: Missing) -> _Reader:
    codes = {level: float(code) for level, code in column.codes.items() if not missing.marks(level)}

    def one(cell: Cell) -> float:
        text = cell if type(cell) is str else label(cell)
        return codes.get(text, math.nan) if text is not None else math.nan

    def many(cells: Line) -> np.ndarray:
        if set(map(type, cells)) <= _TEXT:
            return np.array([codes.get(cell, math.nan) for cell in cells])
        return np.array([one(cell) for cell in cells])

    return _Reader(one, many)


def _moments(column: Column) -> _Reader:
    width = len(column.parts)
    nothing = (math.nan,) * width
    read = parts_reader(column.format, column.parts)

    def one(cell: Cell) -> tuple[float, ...]:
        return read(label(cell)) or nothing

    def many(cells: Line) -> np.ndarray:
        if set(map(type, cells)) <= _TEXT:
            known = {cell: one(cell) for cell in set(cells)}
            found = [known[cell] for cell in cells]
        else:
            found = [one(cell) for cell in cells]
        return np.array(found).reshape(len(cells), width)

    return _Reader(one, many, width, several=True)
