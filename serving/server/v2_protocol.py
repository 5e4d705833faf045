"""The Open Inference Protocol (V2) over REST: metadata and inference.

A column of the table is an input tensor of shape [n] or [n, 1]; one tensor of shape [n, columns]
holds all of them in the schema's order. Data is flat, or nested row by row; null is a missing
value. Outputs are `predict` and, for classes, `predict_proba`; all, if none is chosen.

https://github.com/open-inference/open-inference-protocol
"""

from collections.abc import Sequence
from functools import partial
from math import prod
from typing import Any

import numpy as np
import orjson

from serving.server.answers import PREDICT, Answers
from serving.server.bodies import JSON, media_type, parse_object
from serving.server.bundle import Bundle
from serving.server.cells import Cells
from serving.server.errors import Refused, bad_request
from serving.server.scoring_protocol import Write
from serving.server.tables import Tables
from serving.server.v2_binary import DATATYPES, HEADER, parse_binary
from training.schema import Column

Tensor = tuple[str, list[int], list[Any]]

_OF_TARGET = {"float": "FP64", "integer": "INT64", "boolean": "BOOL", "string": "BYTES"}


class V2Protocol:
    """Reads requests of V2's clients and writes answers they read."""

    def __init__(self, bundle: Bundle, tables: Tables) -> None:
        self._bundle = bundle
        self._tables = tables
        self._answers = Answers(bundle.schema)
        self._datatype = _OF_TARGET[bundle.schema.target.kind]

    def model(self) -> dict[str, Any]:
        """What `/v2/models/NAME` answers."""
        outputs: list[dict[str, Any]] = [
            {"name": PREDICT, "datatype": self._datatype, "shape": [-1]}
        ]
        if self._answers.names:
            outputs.append(
                {
                    "name": self._answers.methods[1],
                    "datatype": "FP64",
                    "shape": [-1, len(self._answers.names)],
                    "parameters": {"classes": self._answers.labels},
                }
            )
        inputs = [
            {"name": column.name, "datatype": _datatype(column), "shape": [-1]}
            for column in self._bundle.schema.used
        ]
        return model_of(self._bundle, inputs, outputs)

    def parse(self, body: bytes, headers: dict[bytes, bytes]) -> tuple[Cells, Write]:
        """The cells of a request, and how its answer is written.

        Raises
        ------
        Refused
            400 or 415.
        """
        request = read_request(body, headers)
        outputs = chosen(request.get("outputs"), self._answers.methods)
        name = identifier(request)
        cells = read_cells(read_tensors(request.get("inputs")), self._tables)
        return cells, partial(self._write, outputs, name)

    def _write(self, outputs: tuple[str, ...], name: str | None, raw: np.ndarray) -> bytes:
        made = [
            self._predictions(raw) if output == PREDICT else _probabilities(output, raw)
            for output in outputs
        ]
        return answer_of(self._bundle, name, made)

    def _predictions(self, raw: np.ndarray) -> dict[str, Any]:
        return {
            "name": PREDICT,
            "datatype": self._datatype,
            "shape": [len(raw)],
            "data": self._answers.predicted(raw),
        }


def server_of(bundle: Bundle) -> dict[str, Any]:
    """What `/v2` answers."""
    return {
        "name": "sixfold",
        "version": bundle.version,
        "extensions": ["binary_tensor_data"],
    }


def model_of(
    bundle: Bundle, inputs: list[dict[str, Any]], outputs: list[dict[str, Any]]
) -> dict[str, Any]:
    """What `/v2/models/NAME` answers of a model with these tensors."""
    return {
        "name": bundle.model,
        "versions": [bundle.version],
        "platform": f"sixfold_{bundle.path}",
        "inputs": inputs,
        "outputs": outputs,
    }


def answer_of(bundle: Bundle, name: str | None, outputs: list[dict[str, Any]]) -> bytes:
    """What a request is answered whose client calls it `name`, if anything."""
    named = {} if name is None else {"id": name}
    answer = {"model_name": bundle.model, "model_version": bundle.version, **named}
    return orjson.dumps({**answer, "outputs": outputs})


def read_request(body: bytes, headers: dict[bytes, bytes]) -> dict[str, Any]:
    """A request as JSON, whatever form its tensors came in.

    Raises
    ------
    Refused
        400 or 415.
    """
    if HEADER in headers:
        return parse_binary(body, headers[HEADER])
    if media_type(headers.get(b"content-type")) == JSON:
        return parse_object(body)
    raise Refused(415, "content_type", f"expected content-type {JSON}")


def identifier(request: dict[str, Any]) -> str | None:
    """What the client calls the request; Refused if that is no text."""
    name = request.get("id")
    if name is not None and not (isinstance(name, str) and _is_whole(name)):
        raise bad_request("format", "expected id as a text")
    return name


def _is_whole(text: str) -> bool:
    """Whether it can be written: JSON may hold half of a character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def chosen(asked: Any, known: Sequence[str]) -> tuple[str, ...]:
    """The outputs that are asked for, all if none is; Refused if there is no such one."""
    if asked is None or asked == []:
        return tuple(known)
    if not isinstance(asked, list):
        raise bad_request("format", "expected outputs as a list")
    names = [str(item.get("name")) if isinstance(item, dict) else "" for item in asked]
    if any(name not in known for name in names):
        raise bad_request("params", f"expected names of outputs in {sorted(known)}")
    return tuple(dict.fromkeys(names))


def read_tensors(inputs: Any, sizes: int = 2) -> list[Tensor]:
    """Names, shapes and flat data of the inputs, of at most so many sizes each.

    Raises
    ------
    Refused
        400.
    """
    if not isinstance(inputs, list) or not inputs:
        raise bad_request("format", "expected inputs as a list of tensors")
    return [_tensor(item, sizes) for item in inputs]


def read_cells(tensors: list[Tensor], tables: Tables) -> Cells:
    """Inputs as the cells of a table.

    Raises
    ------
    Refused
        400 or 413.
    """
    width = len(tables.names)
    if len(tensors) == 1:
        name, shape, data = tensors[0]
        if len(shape) == 2 and shape[1] == width and (width > 1 or name not in tables.names):
            return tables.from_flat(data, shape[0])
    columns: dict[str, list[Any]] = {}
    known = set(tables.names)
    for name, shape, data in tensors:
        if name not in known:
            continue
        if name in columns:
            raise bad_request("columns", f"expected each column once, got {name!r} twice")
        if len(shape) > 2 or (len(shape) == 2 and shape[1] != 1):
            raise bad_request("format", f"expected {name!r} with shape [n] or [n, 1]")
        columns[name] = data
    return tables.from_columns(columns)


def _probabilities(name: str, raw: np.ndarray) -> dict[str, Any]:
    flat = raw.astype(np.float64, copy=False).ravel().tolist()
    return {"name": name, "datatype": "FP64", "shape": list(raw.shape), "data": flat}


def _tensor(item: Any, sizes: int) -> Tensor:
    """Name, shape and flat data of a request's tensor."""
    if not isinstance(item, dict):
        raise bad_request("format", "expected every input as an object")
    name, shape, data = item.get("name"), item.get("shape"), item.get("data")
    if not isinstance(name, str) or not isinstance(data, list):
        raise bad_request("format", "expected every input with a name and data as a list")
    datatype = item.get("datatype")
    if not isinstance(datatype, str) or datatype not in DATATYPES:
        raise bad_request("format", f"expected datatypes in {', '.join(sorted(DATATYPES))}")
    if not isinstance(shape, list) or not 1 <= len(shape) <= sizes or not all(map(_is_size, shape)):
        raise bad_request("format", f"expected shapes of one to {sizes} sizes")
    if len(shape) == 2 and len(data) == shape[0] and all(isinstance(row, list) for row in data):
        if any(len(row) != shape[1] for row in data):
            raise bad_request("rows", "expected as many values in every row as the shape says")
        data = [cell for row in data for cell in row]
    if len(data) != prod(shape):
        raise bad_request("rows", "expected as many values in data as the shape says")
    return name, shape, data


def _is_size(value: Any) -> bool:
    return type(value) is int and value >= 0


def _datatype(column: Column) -> str:
    """What a client best sends for a column; others are read too."""
    if column.kind == "numeric":
        return "FP64"
    if column.kind == "boolean" or column.dtype == "bool":
        return "BOOL"
    return "INT64" if column.kind == "categorical" and column.dtype.startswith("int") else "BYTES"
