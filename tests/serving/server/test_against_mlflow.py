"""On every valid request the same answer as MLflow's own scoring server, over generated requests.

MLflow's application runs here as it is, with its parsing and its enforcement of the signature that
training logs, over the rows that training would make; ours is asked through its ASGI application.
"""

import asyncio
import json
import logging
import math
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from mlflow.models import Model as MlflowModel
from mlflow.pyfunc import PyFuncModel, scoring_server

from serving.server.app import App
from serving.server.bundle import load_predictor, read_bundle
from serving.server.metrics import Metrics
from serving.server.routes import NAMES
from serving.server.settings import Settings
from tests.serving.server.bundles import LEVELS, MIXED, NUMBERS, Linear, write_bundle
from training.features import conform
from training.model import _signature
from training.schema import Schema, Target
from training.scoring import Model

WORDS = replace(
    MIXED,
    task="multiclass",
    target=Target("kind", "string", ["low", "mid <", "high"]),
    columns=tuple(replace(column, dtype="string") for column in MIXED.columns),
)
SCHEMAS = {"regression": NUMBERS, "binary": MIXED, "multiclass": LEVELS, "strings": WORDS}

Ask = Callable[[bytes, str], tuple[int, Any]]


class Trained(Model):
    """A trained model, but for what its pipelines compute."""

    def __init__(self, schema: Schema, linear: Linear) -> None:
        self.schema = schema
        self._linear = linear

    def predict_raw(self, frame: pd.DataFrame) -> np.ndarray:
        """As a trained one: from the matrix of `conform`."""
        return self._linear.raw(np.asarray(conform(frame, self.schema)))


def asking(app: Any, path: str = "/invocations") -> Ask:
    """Ask an ASGI application's `/invocations`, or at another path."""

    async def ask(body: bytes, kind: str) -> tuple[int, Any]:
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        headers = [(b"content-type", kind.encode()), (b"content-length", b"%d" % len(body))]
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": headers,
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 2),
        }
        answer: Awaitable[None] = app(scope, receive, send)
        await answer
        content = b"".join(message.get("body", b"") for message in sent)
        return sent[0]["status"], json.loads(content) if content else None

    loop = asyncio.new_event_loop()
    return lambda body, kind: loop.run_until_complete(ask(body, kind))


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Ask, Ask]]:
    """MLflow's server and ours for each schema."""
    logging.getLogger("mlflow.models.utils").setLevel(logging.ERROR)  # it warns at each request
    found = {}
    for name, schema in SCHEMAS.items():
        folder = tmp_path_factory.mktemp(name)
        linear = write_bundle(folder, schema, Linear(schema))
        meta = MlflowModel(
            signature=_signature(schema),
            flavors={"python_function": {"loader_module": "training.scoring"}},
        )
        theirs = scoring_server.init(PyFuncModel(meta, Trained(schema, linear)))
        bundle = read_bundle(folder)
        metrics = Metrics(bundle, NAMES, 1)
        ours = App(bundle, load_predictor(bundle), Settings(), metrics)
        found[name] = asking(theirs), asking(ours)
    return found


def same(both: tuple[Ask, Ask], request: Any, kind: str = "application/json") -> Any:
    """Both answers, which must be one."""
    body = request if isinstance(request, bytes) else json.dumps(request).encode()
    theirs, ours = (ask(body, kind) for ask in both)
    assert theirs[0] == 200, theirs
    assert ours[0] == 200, ours
    compare(theirs[1], ours[1])
    return ours[1]


def compare(theirs: Any, ours: Any) -> None:
    """The same types and values; numbers as near as two orders of summing are."""
    assert type(theirs) is type(ours)
    if isinstance(theirs, dict):
        assert list(theirs) == list(ours)
        for key, value in theirs.items():
            compare(value, ours[key])
    elif isinstance(theirs, list):
        assert len(theirs) == len(ours)
        for one, other in zip(theirs, ours, strict=True):
            compare(one, other)
    elif isinstance(theirs, float):
        assert math.isclose(theirs, ours, rel_tol=1e-9, abs_tol=1e-12)
    else:
        assert theirs == ours


def values(schema: Schema) -> dict[str, st.SearchStrategy[Any]]:
    """For each column what its users send, and what counts as missing."""
    of_kind: dict[str, st.SearchStrategy[Any]] = {
        "numeric": st.floats(-1e9, 1e9) | st.integers(-(2**40), 2**40) | st.just(math.nan),
        "boolean": st.booleans() | st.sampled_from(["yes", "No", 1, 0, "?"]),
        "datetime": st.datetimes().map(str) | st.sampled_from(["31.12.1999", "soon", "2020-01-01"]),
    }
    found = {}
    for column in schema.used:
        usual = of_kind.get(column.kind, st.sampled_from([*column.levels, "other", 2, 2.0, True]))
        if column.kind == "numeric":
            usual |= st.sampled_from(["$1,234.50", "12", "n/a", math.inf, True])
        found[column.name] = st.none() | usual
    return found


def texts(schema: Schema) -> dict[str, st.SearchStrategy[Any]]:
    """The same as texts, which MLflow makes of them in `instances` and `inputs`."""
    return {
        column.name: given.map(lambda value: None if value is None else str(value))
        if column.dtype == "string"
        else given
        for (_, given), column in zip(values(schema).items(), schema.used, strict=True)
    }


def alike(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with one type a column: of several, MLflow makes texts in `instances`."""
    kinds: dict[str, type] = {}
    for row in rows:
        for name, cell in row.items():
            kind = float if type(cell) is int else type(cell)
            if cell is not None and kinds.setdefault(name, kind) is not kind:
                row[name] = None
    return rows


#: Another's load on the machine is no reason to fail.
UNHURRIED = [HealthCheck.too_slow]

PARAMS = st.sampled_from([None, {}, {"predict_method": "predict"}, {"other": 1}, "predict_proba"])


def with_params(request: dict[str, Any], params: Any, schema: Schema) -> dict[str, Any]:
    if params == "predict_proba":
        assume(schema.task != "regression")
        return request | {"params": {"predict_method": params}}
    return request if params is None else request | {"params": params}


EACH = pytest.mark.parametrize("name", SCHEMAS)


@EACH
@settings(max_examples=25, deadline=None, suppress_health_check=UNHURRIED)
@given(data=st.data(), params=PARAMS)
def test_rows(both: Any, name: str, data: st.DataObject, params: Any) -> None:
    schema = SCHEMAS[name]
    row = st.fixed_dictionaries(values(schema), optional={"more": st.just("x")})
    rows = data.draw(st.lists(row, min_size=1, max_size=4))
    same(both[name], with_params({"dataframe_records": rows, "more": 1}, params, schema))
    names = data.draw(st.permutations([*values(schema), "more"]))
    split = {"columns": names, "data": [[row.get(name) for name in names] for row in rows]}
    if data.draw(st.booleans()):
        split["index"] = list(range(7, 7 + len(rows)))
    same(both[name], with_params({"dataframe_split": split}, params, schema))


@EACH
@settings(max_examples=25, deadline=None, suppress_health_check=UNHURRIED)
@given(data=st.data(), params=PARAMS, form=st.sampled_from(["instances", "inputs"]))
def test_tensors(both: Any, name: str, data: st.DataObject, params: Any, form: str) -> None:
    schema = SCHEMAS[name]
    row = st.fixed_dictionaries(texts(schema))
    rows = alike(data.draw(st.lists(row, min_size=1, max_size=4)))
    same(both[name], with_params({form: rows}, params, schema))
    columns = {column: [row[column] for row in rows] for column in rows[0]}
    # MLflow takes a column of texts for one cell, if there are no others.
    strings = [all(isinstance(cell, str) for cell in column) for column in columns.values()]
    if not all(strings):
        same(both[name], with_params({form: columns}, params, schema))


@EACH
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_single_values(both: Any, name: str, data: st.DataObject) -> None:
    row = data.draw(st.fixed_dictionaries(texts(SCHEMAS[name])))
    same(both[name], {"inputs": row})


@settings(max_examples=20, deadline=None)
@given(data=st.data(), kind=st.sampled_from(["text/csv", "text/csv; charset=utf-8"]))
def test_csv_of_strings(both: Any, data: st.DataObject, kind: str) -> None:
    rows = data.draw(st.lists(st.fixed_dictionaries(texts(WORDS)), min_size=1, max_size=4))
    body = pd.DataFrame(rows, dtype=object).to_csv(index=False).encode()
    same(both["strings"], body, kind)


def test_a_row_alone_is_a_row_among_others(both: Any) -> None:
    rows = [{f"x{at}": at + 10.0 * row for at in range(6)} for row in range(100)]
    together = same(both["regression"], {"dataframe_records": rows})["predictions"]
    for row, expected in zip(rows, together, strict=True):
        compare(same(both["regression"], {"dataframe_records": [row]}), {"predictions": [expected]})


@pytest.mark.parametrize(
    "body",
    [
        b'{"dataframe_records": [{"x0": NaN, "x1": Infinity, "x2": -Infinity, "x3": 1e999, '
        b'"x4": 1, "x4": 2, "x5": [1]}]}',
        b'\xef\xbb\xbf{"inputs": {"x0": 1, "x1": [2], "x2": 3, "x3": [4], "x4": null, "x5": true}}',
        '{"inputs": [{"x0": 1, "x1": 2, "x2": 3, "x3": 4, "x4": 5, "x5": 6}]}'.encode("utf-16"),
        b'{"dataframe_split": {"columns": ["x5", "x4", "x3", "x2", "x1", "x0", "x"], "data": '
        b'[[1, 2, 3, 4, 5, 6, 7], [1, 2, 3, 4, 5, 1e500, {"a": []}]], "index": ["a", "b"]}}',
    ],
    ids=["no numbers", "byte order mark", "utf-16", "split"],
)
def test_beyond_json(both: Any, body: bytes) -> None:
    same(both["regression"], body)


@pytest.mark.parametrize(
    "request_",
    [
        {},
        [],
        {"dataframe_records": [], "inputs": []},
        {"dataframe_records": {"x0": [1]}},
        {"dataframe_records": [{"x0": 1}]},
        {"dataframe_split": {"columns": ["x0"]}},
        {"dataframe_split": {"columns": ["x0"], "data": [[1]], "rows": 1}},
        {"dataframe_split": [[1]]},
        {"inputs": [[1, 2, 3, 4, 5, 6]]},
        {"inputs": 1},
        {"instances": {f"x{at}": [1] * (1 + at % 2) for at in range(6)}},
        {"inputs": {f"x{at}": [1] for at in range(6)}, "params": {"predict_method": "x"}},
        {"inputs": {f"x{at}": [1] for at in range(6)}, "params": {"predict_method": None}},
        {"inputs": {f"x{at}": [1] for at in range(6)}, "params": {"predict_method": 1}},
        {"inputs": {f"x{at}": [1] for at in range(6)}, "params": ["predict"]},
        {
            "inputs": {f"x{at}": [1] for at in range(6)},
            "params": {"predict_method": "predict_proba"},
        },
    ],
)
def test_both_refuse(both: Any, request_: Any) -> None:
    theirs, ours = (
        ask(json.dumps(request_).encode(), "application/json") for ask in both["regression"]
    )
    assert theirs[0] >= 400
    assert ours[0] == 400
