"""MLflow's scoring protocol: `/invocations` as `mlflow models serve` answers it.

Four forms of JSON, one of them at a time: `dataframe_split`, `dataframe_records`, `instances`,
`inputs`, and beside them `params`; or CSV with a header. Other keys are ignored, as there.

Every valid request has the same answer as there. Where its server refuses or misreads, this one
does not follow:

- what MLflow refuses and is read here: CSV, if a column is of another type than string; no content
  type; bare columns of texts in `inputs`, which it takes for one row;
- what MLflow lets pass and is refused here: a row of another length than the others, a column twice
  in a CSV header, no rows;
- `instances` and `inputs`: MLflow makes the text 'None' of null and '2.0' of 2.0 in a column of
  strings, and in `instances` texts of a column with several types; here a cell is what it is in
  `dataframe_records`;
- Parquet, and the requests of language models (`prompt`, `messages`, `input`), are refused.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import orjson

from serving.server.answers import PREDICT, PREDICT_PROBA, Answers
from serving.server.beginnings import Beginnings
from serving.server.bodies import CSV, media_type, parse_object
from serving.server.cells import Cells
from serving.server.csv_rows import CsvReader
from serving.server.errors import bad_request
from serving.server.tables import Tables
from training.schema import Schema

FORMATS = ("dataframe_split", "dataframe_records", "instances", "inputs")
_FORMATS, _SPLIT = frozenset(FORMATS), frozenset(("columns", "data", "index"))

Write = Callable[[np.ndarray], bytes]


class ScoringProtocol:
    """Reads requests of MLflow's clients and writes answers they read."""

    def __init__(self, schema: Schema, tables: Tables) -> None:
        self._tables = tables
        self._csv = CsvReader(schema, tables)
        self._beginnings = Beginnings(tables.names)
        self._answers = Answers(schema)
        self._writes: dict[str, Write] = {PREDICT: self._write}
        if PREDICT_PROBA in self._answers.methods:
            self._writes[PREDICT_PROBA] = self._write_probabilities
        self._forms: dict[str, Callable[[Any], Cells]] = {
            "dataframe_split": self._split,
            "dataframe_records": tables.from_records,
            "instances": self._tensors,
            "inputs": self._tensors,
        }

    def parse(self, body: bytes, headers: dict[bytes, bytes]) -> tuple[Cells, Write]:
        """The cells of a request, and how its answer is written.

        Raises
        ------
        Refused
            400 or 415, see `tables.py` and `bodies.py`.
        """
        if media_type(headers.get(b"content-type")) == CSV:
            return self._csv.read(body), self._write
        rows = self._beginnings.rows(body)
        if rows is not None:
            return self._tables.from_rows(self._tables.names, rows), self._write
        record = parse_object(body)
        given = _FORMATS.intersection(record)
        if len(given) != 1:
            raise bad_request(
                "format", f"expected exactly one of {', '.join(FORMATS)}, got {len(given)} of them"
            )
        params = record.get("params")
        write = self._write if params is None else self._writes[self._method(params)]
        (form,) = given
        cells = self._forms[form](record[form])
        if form == "dataframe_split":
            self._beginnings.learn(body)
        return cells, write

    def _method(self, params: Any) -> str:
        if not isinstance(params, dict):
            raise bad_request("params", "expected params as an object")
        method = params.get("predict_method", PREDICT)
        if not isinstance(method, str) or method not in self._writes:
            raise bad_request("params", f"expected predict_method in {sorted(self._writes)}")
        return method

    def _split(self, table: Any) -> Cells:
        if not isinstance(table, dict) or "data" not in table or not _SPLIT.issuperset(table):
            raise bad_request(
                "format", "expected dataframe_split as an object of columns, data and maybe index"
            )
        cells = self._tables.from_rows(table.get("columns"), table["data"])
        index = table.get("index")
        if index is not None and (not isinstance(index, list) or len(index) != cells.count):
            raise bad_request("rows", "expected as many entries in index as rows in data")
        return cells

    def _tensors(self, table: Any) -> Cells:
        """Columns by name, rows as objects, or the values of the only column."""
        if isinstance(table, dict):
            return self._tables.from_columns(table)
        if isinstance(table, list) and any(isinstance(item, dict) for item in table):
            return self._tables.from_records(table)
        if isinstance(table, list) and len(self._tables.names) == 1:
            return self._tables.from_columns({self._tables.names[0]: table})
        raise bad_request("format", "expected rows as objects, or an object of columns as lists")

    def _write(self, raw: np.ndarray) -> bytes:
        return orjson.dumps({"predictions": self._answers.predicted(raw)})

    def _write_probabilities(self, raw: np.ndarray) -> bytes:
        return orjson.dumps({"predictions": self._answers.records(raw)})
