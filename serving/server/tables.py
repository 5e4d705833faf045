"""Rows or columns by name become cells in the schema's order, or a refusal that says what is wrong.

What is decided here holds for every protocol: other columns are ignored, one that no row has is
named in a refusal, one that only some rows have is missing in the others.
"""

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

from serving.server.cells import Cell, Cells, Line
from serving.server.errors import Refused, bad_request

_SHOWN = 20


class Tables:
    """Puts cells in order for one schema.

    Parameters
    ----------
    names : sequence of str
        The columns, in order.
    max_rows : int
        Of one request.
    """

    def __init__(self, names: Sequence[str], max_rows: int) -> None:
        self.names = list(names)
        self._max_rows = max_rows
        # Of one name, itemgetter would return the cell itself.
        self._get = itemgetter(*names) if len(self.names) > 1 else None

    def from_records(self, records: Any) -> Cells:
        """Rows as a list of objects."""
        if not isinstance(records, list):
            raise bad_request("format", "expected rows as a list of objects")
        check_count(len(records), self._max_rows)
        try:
            if self._get is not None and set(map(type, records)) == {dict}:
                return Cells(rows=[self._get(record) for record in records])
        except KeyError:
            pass
        for record in records:
            if not isinstance(record, dict):
                raise bad_request("format", "expected every row as an object of columns")
        self._check_names(name for record in records for name in record)
        return Cells(rows=[[record.get(name) for name in self.names] for record in records])

    def from_rows(self, header: Any, rows: Any) -> Cells:
        """Rows as lists under a list of column names."""
        if not isinstance(header, list) or not isinstance(rows, list):
            raise bad_request("format", "expected columns and data as lists")
        check_count(len(rows), self._max_rows)
        width = len(header)
        for row in rows:
            if type(row) is not list:
                raise bad_request("format", "expected every row of data as a list")
            if len(row) != width:
                raise bad_request(
                    "rows", "expected as many values in every row as there are columns"
                )
        if header is self.names or header == self.names:
            return Cells(rows=rows)
        places = self._places(header)
        return Cells(rows=[[row[at] for at in places] for row in rows])

    def from_columns(self, columns: Mapping[str, Any]) -> Cells:
        """Columns as lists; where some are, a single value is that of every row."""
        self._check_names(columns)
        given = [columns[name] for name in self.names]
        count = next((len(column) for column in given if isinstance(column, list)), 1)
        check_count(count, self._max_rows)
        lines: list[Line] = []
        for column in given:
            if not isinstance(column, list):
                lines.append([column] * count)
            elif len(column) == count:
                lines.append(column)
            else:
                raise bad_request("rows", "expected as many values in every column")
        return Cells(columns=lines)

    def from_flat(self, flat: Sequence[Cell], count: int) -> Cells:
        """All cells row after row, in the schema's order."""
        check_count(count, self._max_rows)
        width = len(self.names)
        return Cells(rows=[flat[at : at + width] for at in range(0, count * width, width)])

    def _places(self, header: list[Any]) -> list[int]:
        places: dict[str, int] = {}
        twice = set()
        for place, name in enumerate(header):
            if isinstance(name, str):
                if name in places:
                    twice.add(name)
                places[name] = place
        self._check_names(places)
        if known := [name for name in self.names if name in twice]:
            raise bad_request("columns", f"expected each column once, got {_shown(known)} twice")
        return [places[name] for name in self.names]

    def _check_names(self, given: Any) -> None:
        there = set(given)
        if absent := [name for name in self.names if name not in there]:
            raise bad_request(
                "columns",
                f"expected {len(self.names)} columns, got rows without {_shown(absent)}",
            )


def check_count(rows: int, most: int) -> None:
    """Refuse no rows, and too many."""
    if not rows:
        raise bad_request("rows", "expected at least one row, got none")
    if rows > most:
        raise Refused(413, "row_limit", f"expected at most {most} rows, got {rows}; send fewer")


def _shown(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:_SHOWN])) + (", …" if names[_SHOWN:] else "")
