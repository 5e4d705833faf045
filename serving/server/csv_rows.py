"""CSV becomes cells, as training reads it: markers are missing, numbers are numbers.

What a cell is depends on its column, not on the other rows of the request, so that a row means the
same alone and among others.
"""

import csv
from collections.abc import Callable
from io import StringIO

from serving.server.cells import Cell, Cells
from serving.server.errors import bad_request
from serving.server.tables import Tables
from training.missing import parse_missing
from training.schema import Column, Schema

_TRUTH = {"True": True, "TRUE": True, "true": True, "False": False, "FALSE": False, "false": False}

csv.field_size_limit(2**31 - 1)  # a body's limit is another one


class CsvReader:
    """Reads CSV with a header for one schema."""

    def __init__(self, schema: Schema, tables: Tables) -> None:
        self._tables = tables
        self._markers = parse_missing(schema.na_values).markers
        self._reads = {column.name: _reader(column) for column in schema.used}

    def read(self, body: bytes) -> Cells:
        """The cells of a body.

        Raises
        ------
        Refused
            400: not UTF-8, quotes that do not close, rows of another length than the header's,
            a column missing or there twice, no rows.
        """
        try:
            text = body.decode("utf-8-sig")
            lines = csv.reader(StringIO(text, newline=""), strict=True)
            records = [
                line for line in lines if line and not (len(line) == 1 and line[0].isspace())
            ]
        except UnicodeDecodeError:
            raise bad_request("csv", "expected CSV in UTF-8") from None
        except csv.Error:
            raise bad_request("csv", "expected CSV, got quotes that are not closed") from None
        if not records:
            raise bad_request("csv", "expected CSV with a header, got nothing")
        header, *rows = records
        reads = [self._reads.get(name, _text) for name in header]
        cells: list[list[Cell]] = [
            [
                None if text in self._markers else read(text)
                for read, text in zip(reads, row, strict=False)
            ]
            if len(row) == len(header)
            else []
            for row in rows
        ]
        return self._tables.from_rows(header, cells)


def _reader(column: Column) -> Callable[[str], Cell]:
    if column.kind != "categorical" or column.dtype == "string":
        return _text
    levels = column.codes

    def read(text: str) -> Cell:
        """A text that is no level may be a number or a truth that is one in another form."""
        if text in levels:
            return text
        if text in _TRUTH:
            return _TRUTH[text]
        if "_" in text:  # which Python has in numbers, and CSV has not
            return text
        try:
            return int(text) if text.strip().lstrip("+-").isdecimal() else float(text)
        except ValueError:
            return text

    return read


def _text(text: str) -> Cell:
    return text
