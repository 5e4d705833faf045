"""The protocols of a model that Sixfold has not trained: MLflow reads, V2 is put into its form."""

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import orjson

from serving.server.bodies import CSV, media_type, parse_object
from serving.server.bundle import PyfuncBundle
from serving.server.errors import bad_request
from serving.server.pyfunc import Found, PyfuncPredictor, writing
from serving.server.pyfunc_docs import pyfunc_document, pyfunc_page
from serving.server.pyfunc_reader import Asked, PyfuncReader, shown
from serving.server.settings import Settings
from serving.server.signature import Field
from serving.server.spoken import Spoken, protocols
from serving.server.tables import Tables, check_count
from serving.server.v2_binary import datatype_of
from serving.server.v2_protocol import (
    Tensor,
    answer_of,
    chosen,
    identifier,
    model_of,
    read_cells,
    read_request,
    read_tensors,
)

_MOST_SIZES = 8
#: What a client best sends for a column of MLflow's type.
_DATATYPES = {
    "integer": "INT32",
    "long": "INT64",
    "float": "FP32",
    "double": "FP64",
    "boolean": "BOOL",
}


def pyfunc_spoken(bundle: PyfuncBundle, predictor: PyfuncPredictor, settings: Settings) -> Spoken:
    """How such a version is asked."""
    scoring, v2 = _Scoring(predictor, settings), _V2(bundle, predictor, settings)
    document = pyfunc_document(bundle, settings, v2.model())
    page = pyfunc_page(bundle, document)
    return protocols(bundle, scoring, v2, document, page)


class Scoring:
    """Requests of MLflow's scoring protocol."""

    def __init__(self, reader: PyfuncReader, settings: Settings) -> None:
        self._reader = reader
        self._settings = settings

    def read(self, body: bytes, headers: dict[bytes, bytes]) -> Asked:
        """What is to be predicted."""
        if media_type(headers.get(b"content-type")) == CSV:
            try:
                asked = self._reader.from_csv(body.decode())
            except UnicodeDecodeError:
                raise bad_request("csv", "expected CSV in UTF-8") from None
        else:
            asked = self._reader.from_json(parse_object(body))
        check_count(asked.count, self._settings.max_rows)
        return asked


class Infer:
    """Requests of the Open Inference Protocol: a column a tensor, or the signature's tensors."""

    def __init__(self, bundle: PyfuncBundle, reader: PyfuncReader, settings: Settings) -> None:
        self._signature = bundle.signature
        self._inputs = bundle.signature.inputs
        self._reader = reader
        self._settings = settings

    def read(self, request: dict[str, Any]) -> Asked:
        """What is to be predicted."""
        given = read_tensors(request.get("inputs"), _MOST_SIZES)
        asked = self._arrays(given) if self._signature.is_tensor else self._table(given)
        check_count(asked.count, self._settings.max_rows)
        more = request.get("parameters")
        wanted = self._signature.params
        params = {k: more[k] for k in wanted if k in more} if isinstance(more, dict) else {}
        return Asked(asked.data, params or None, asked.count)

    def _table(self, given: list[Tensor]) -> Asked:
        """Columns, as `dataframe_split` has them; one that is optional may be left out."""
        there = {name for name, _, _ in given}
        whole = len(given) == 1 and len(given[0][1]) == 2
        names = [
            field.name or "input"
            for field in self._inputs
            if field.required or field.name in there or whole
        ]
        rows = read_cells(given, Tables(names, self._settings.max_rows)).rows()
        if self._reader.has_hints:
            return self._reader.from_json({"inputs": [row[0] for row in rows]})
        split = {"columns": names, "data": [list(row) for row in rows]}
        if not self._inputs[0].name:
            del split["columns"]
        return self._reader.from_json({"dataframe_split": split})

    def _arrays(self, given: list[Tensor]) -> Asked:
        found = {name: (shape, data) for name, shape, data in given}
        if not self._inputs[0].name and len(given) == 1:
            (data,) = found.values()
            array = _array(self._inputs[0], *data)
            return Asked(array, None, len(array))
        absent = [f.name for f in self._inputs if f.required and f.name not in found]
        if absent:
            raise bad_request(
                "columns",
                f"expected the tensors {shown(self._signature)}, got some of them",
            )
        arrays = {f.name: _array(f, *found[f.name]) for f in self._inputs if f.name in found}
        return Asked(arrays, None, len(next(iter(arrays.values()))))


class _Scoring:
    """MLflow's scoring protocol."""

    def __init__(self, predictor: PyfuncPredictor, settings: Settings) -> None:
        self._scoring = Scoring(predictor.reader, settings)
        self._write = predictor.to_json

    def parse(
        self, body: bytes, headers: dict[bytes, bytes]
    ) -> tuple[Asked, Callable[[Found], bytes]]:
        return self._scoring.read(body, headers), self._write


class _V2:
    """The Open Inference Protocol."""

    def __init__(
        self, bundle: PyfuncBundle, predictor: PyfuncPredictor, settings: Settings
    ) -> None:
        self._bundle = bundle
        self._inputs = bundle.signature.inputs
        self._infer = Infer(bundle, predictor.reader, settings)
        first = tensors(predictor.first.value) if predictor.first else None
        self._outputs = first or [_declared(field) for field in bundle.signature.outputs]

    def model(self) -> dict[str, Any]:
        inputs = [
            {"name": field.name or "input", "datatype": datatype(field), "shape": _open(field)}
            for field in self._inputs
        ]
        outputs = [
            {"name": item["name"], "datatype": item["datatype"], "shape": [-1, *item["shape"][1:]]}
            for item in self._outputs
        ]
        return model_of(self._bundle, inputs, outputs)

    def parse(
        self, body: bytes, headers: dict[bytes, bytes]
    ) -> tuple[Asked, Callable[[Found], bytes]]:
        request = read_request(body, headers)
        known = [item["name"] for item in self._outputs]
        outputs = chosen(request.get("outputs"), known) if request.get("outputs") else ()
        name = identifier(request)
        return self._infer.read(request), partial(self._write, outputs, name)

    def _write(self, outputs: Sequence[str], name: str | None, found: Found) -> bytes:
        with writing():
            made = tensors(found.value)
            asked = [item for item in made if not outputs or item["name"] in outputs]
            return answer_of(self._bundle, name, asked)


def datatype(field: Field) -> str:
    """V2's name of an input's type."""
    if field.shape is None:
        return _DATATYPES.get(field.type, "BYTES")
    return datatype_of(np.dtype(field.type))


def tensors(value: Any) -> list[dict[str, Any]]:
    """What a model has predicted, as outputs: a column of a table each, else `predict`."""
    if hasattr(value, "columns"):
        return [
            _tensor(_text(name), _column(value.iloc[:, at]))
            for at, name in enumerate(value.columns)
        ]
    if hasattr(value, "to_numpy"):
        return [_tensor("predict", _column(value))]
    if isinstance(value, dict):
        return [_tensor(_text(name), _listed(item)) for name, item in value.items()]
    return [_tensor("predict", _listed(value))]


def _listed(value: Any) -> np.ndarray:
    try:
        return np.asarray(value)
    except ValueError:  # lists of several lengths
        return np.array([as_json(item) for item in value])


def _column(column: Any) -> np.ndarray:
    """A column of pandas', dates as they are: NumPy makes numbers of them."""
    array: np.ndarray = column.to_numpy()
    if array.dtype.kind not in "mMO":
        return array
    cells: np.ndarray = column.astype(object).where(column.notna(), None).to_numpy()
    return cells


def _tensor(name: str, array: np.ndarray) -> dict[str, Any]:
    array = np.atleast_1d(array)
    kind = datatype_of(array.dtype)
    data = array.ravel().tolist()
    if kind == "BYTES":
        data = [_cell(item) for item in data]
    return {"name": name, "datatype": kind, "shape": list(array.shape), "data": data}


def _text(item: Any) -> str:
    """As UTF-8 can have it: halves of a character, which a model may echo, it cannot."""
    return str(item).encode(errors="replace").decode()


def _cell(item: Any) -> str | None:
    """What is no number, as a text: what `/invocations` has, as JSON if that is no text."""
    if item is None or isinstance(item, str | bool | int | float):
        return None if item is None else _text(item)
    written = as_json(item)
    return _text(json.loads(written)) if written.startswith('"') else written


def as_json(item: Any) -> str:
    """What is neither number nor text, as `/invocations` has it."""
    from mlflow.utils.proto_json_utils import NumpyEncoder

    try:
        return orjson.dumps(item, default=NumpyEncoder().default).decode()
    except orjson.JSONEncodeError:  # for such halves, too
        return json.dumps(item, default=_text, separators=(",", ":"))


def _declared(field: Field) -> dict[str, Any]:
    """An output as the signature has it."""
    return {"name": field.name or "predict", "datatype": datatype(field), "shape": _open(field)}


def _open(field: Field) -> list[int]:
    return [-1] if field.shape is None else list(field.shape)


def _array(field: Field, shape: list[int], data: list[Any]) -> np.ndarray:
    try:
        return np.array(data, np.dtype(field.type)).reshape(shape)
    except (ValueError, TypeError, OverflowError):
        raise bad_request(
            "signature", f"expected {field.name or 'input'!r} as {field.described()}"
        ) from None
