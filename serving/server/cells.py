"""What every protocol makes of a request: cells in the order of the schema's columns."""

from collections.abc import Sequence
from typing import Any

Cell = Any  # None, bool, int, float, str, or a list or dict, which is no value
Line = Sequence[Cell]


class Cells:
    """The cells of a request, in rows or in columns, whichever it came in.

    Parameters
    ----------
    rows, columns : sequence of sequences, one of the two
        Each row, or column, has the same length; columns are `schema.used`, in that order.

    Attributes
    ----------
    count : int
        Number of rows.
    """

    __slots__ = ("_columns", "_rows", "count")

    def __init__(
        self, rows: Sequence[Line] | None = None, columns: Sequence[Line] | None = None
    ) -> None:
        self._rows = rows
        self._columns = columns
        lines = rows if rows is not None else (columns or [[]])[0]
        self.count = len(lines)

    def rows(self) -> Sequence[Line]:
        """Row by row."""
        if self._rows is None:
            self._rows = list(zip(*(self._columns or ()), strict=True))
        return self._rows

    def columns(self) -> Sequence[Line]:
        """Column by column."""
        if self._columns is None:
            self._columns = list(zip(*(self._rows or ()), strict=True))
        return self._columns
