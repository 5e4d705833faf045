"""What is recorded of a model that Sixfold has not trained: the columns of its signature.

Runs in the process that writes, where the model itself is not loaded. What it has predicted is
taken from the answer: a number, where the signature says that it is one, else a text, which is JSON
for what is neither.
"""

import base64
import json
import math
from typing import Any

import numpy as np

from serving.server.bundle import PyfuncBundle
from serving.server.cells import Cells, Line
from serving.server.pyfunc_reader import Asked, PyfuncReader, is_row
from serving.server.pyfunc_spoken import Infer, Scoring, as_json
from serving.server.routes import Parse
from serving.server.settings import Settings
from serving.server.signature import Field, Signature
from serving.server.v2_protocol import read_request

_NUMBERS = ("integer", "long", "float", "double")


def pyfunc_parses(bundle: PyfuncBundle, settings: Settings) -> dict[str, Parse]:
    """How the body of a request becomes cells, by the name of its route."""
    from mlflow.models import Model

    reader = PyfuncReader(bundle.signature, Model.load(str(bundle.folder / "model")))
    scoring, infer = Scoring(reader, settings), Infer(bundle, reader, settings)

    def cells(asked: Asked) -> Cells:
        if reader.has_hints and isinstance(asked.data, list):  # whatever is in it, a row each
            return Cells(columns=[[_plain(cell) for cell in asked.data]])
        return _cells(asked, bundle.signature)

    def invocations(body: bytes, headers: dict[bytes, bytes]) -> tuple[Cells, Any]:
        return cells(scoring.read(body, headers)), None

    def v2_infer(body: bytes, headers: dict[bytes, bytes]) -> tuple[Cells, Any]:
        return cells(infer.read(read_request(body, headers))), None

    return {"invocations": invocations, "v2_infer": v2_infer}


def is_number(signature: Signature) -> bool:
    """Whether a prediction is a number, by the signature."""
    if len(signature.outputs) != 1:
        return False
    (field,) = signature.outputs
    if field.shape is None:
        return field.type in _NUMBERS
    return math.prod(field.shape[1:]) == 1 and np.dtype(field.type).kind in "iuf"


def predicted(answer: bytes, rows: int, signature: Signature) -> np.ndarray:
    """The predictions of an answer, one a row; ValueError if they are not as many."""
    record = json.loads(answer)
    found = record["predictions"] if "predictions" in record else _of_outputs(record["outputs"])
    if isinstance(found, dict):
        found = _records(found)
    if not isinstance(found, list) or len(found) != rows:
        raise ValueError("expected a prediction a row")
    cells = [_only(item) for item in found]
    if is_number(signature):
        return np.array([math.nan if cell is None else float(cell) for cell in cells])
    return np.array([_text(cell) for cell in cells], object)


def _of_outputs(outputs: list[dict[str, Any]]) -> Any:
    """V2's outputs as a column each; one alone as it is."""
    tables = [np.array(item["data"], object).reshape(item["shape"]).tolist() for item in outputs]
    if len(tables) == 1:
        return tables[0]
    return dict(zip([item["name"] for item in outputs], tables, strict=True))


def _records(columns: dict[str, Any]) -> list[dict[str, Any]] | None:
    """Columns as rows; None if they are none."""
    if not all(isinstance(column, list) for column in columns.values()):
        return None
    rows = zip(*columns.values(), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _text(cell: Any) -> str | None:
    """A prediction that is no number; missing is None, also where JSON has NaN."""
    text = cell if isinstance(cell, str) else as_json(cell)
    if text == "null" and not isinstance(cell, str):
        return None
    return text.encode(errors="replace").decode()


def _only(item: Any) -> Any:
    """The cell of a row that has one."""
    while isinstance(item, dict | list) and len(item) == 1:
        (item,) = item.values() if isinstance(item, dict) else item
    return item


def _cells(asked: Asked, signature: Signature) -> Cells:
    """The signature's columns; one that is optional may be missing."""
    import pandas as pd

    data = [asked.data] if is_row(asked.data, signature) else asked.data
    frame = data if isinstance(data, pd.DataFrame) else pd.DataFrame(data)
    lines: list[Line] = [_line(frame, at, field) for at, field in enumerate(signature.inputs)]
    return Cells(columns=lines)


def _line(frame: Any, at: int, field: Field) -> Line:
    if field.name and field.name not in frame.columns:
        return [None] * len(frame)
    column = frame[field.name] if field.name else frame.iloc[:, at]
    return [_plain(cell) for cell in column.astype(object).where(column.notna(), None)]


def _plain(cell: Any) -> Any:
    if cell is None or isinstance(cell, str | bool | int | float):
        return cell
    if isinstance(cell, bytes):
        return base64.b64encode(cell).decode()
    if hasattr(cell, "isoformat"):
        return cell.isoformat()
    return as_json(cell)
