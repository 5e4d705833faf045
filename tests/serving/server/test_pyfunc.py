"""A model that Sixfold has not trained: the answers of MLflow's own server, and no values of rows.

MLflow's application runs here as it is, beside ours, over the same model's folder.
"""

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mlflow.models import infer_signature
from mlflow.pyfunc import load_model, scoring_server

from serving.server.app import App
from serving.server.bundle import PyfuncBundle, load_predictor, read_bundle
from serving.server.metrics import Metrics
from serving.server.routes import NAMES
from serving.server.settings import Settings
from tests.serving.foreign import (
    bundle_of,
    example_of,
    people,
    save_code_model,
    save_python_model,
    save_table_model,
    save_tensor_model,
)
from tests.serving.server.running import Server, running
from tests.serving.server.test_against_mlflow import UNHURRIED, Ask, asking, compare

INFER = "/v2/models/theirs/infer"
SECRET = "s3cret"


@dataclass(frozen=True)
class Both:
    """MLflow's server and ours of one model."""

    theirs: Ask
    ours: Ask
    app: App
    folder: Path

    def same(self, request: Any, kind: str = "application/json") -> Any:
        """Both answers, which must be one."""
        body = request if isinstance(request, bytes) else json.dumps(request).encode()
        theirs, ours = self.theirs(body, kind), self.ours(body, kind)
        assert theirs[0] == 200, theirs
        assert ours[0] == 200, ours
        compare(theirs[1], ours[1])
        return ours[1]["predictions"]

    def infer(self, request: Any, status: int = 200) -> Any:
        found, answer = asking(self.app, INFER)(json.dumps(request).encode(), "application/json")
        assert found == status, answer
        return answer


def both_of(bundle: Path) -> Both:
    found = read_bundle(bundle)
    app = App(found, load_predictor(found), Settings(max_rows=100), Metrics(found, NAMES, 1))
    theirs = scoring_server.init(load_model(str(bundle / "model")))
    return Both(asking(theirs), asking(app), app, bundle)


@pytest.fixture(scope="module", autouse=True)
def as_before() -> Iterator[None]:
    """A server changes its process: MLflow is silent, and told that it serves."""
    level = logging.getLogger("mlflow").level
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("_MLFLOW_IS_IN_SERVING_ENVIRONMENT", "true")
        yield
    logging.getLogger("mlflow").setLevel(level)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Both:
    folder = tmp_path_factory.mktemp("table")
    return both_of(bundle_of(save_table_model(folder / "model"), folder / "bundle"))


@pytest.fixture(scope="module")
def tensor(tmp_path_factory: pytest.TempPathFactory) -> Both:
    folder = tmp_path_factory.mktemp("tensor")
    return both_of(bundle_of(save_tensor_model(folder / "model"), folder / "bundle"))


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Both:
    folder = tmp_path_factory.mktemp("python")
    return both_of(bundle_of(save_python_model(folder / "model"), folder / "bundle"))


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "age": st.floats(-1e6, 1e6),
            "city": st.sampled_from(["Aachen", "Bern"]),
            "children": st.integers(-(2**31), 2**31),
        },
        optional={"more": st.just("x")},
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=15, deadline=None, suppress_health_check=UNHURRIED)
@given(rows=ROWS)
def test_a_table_has_the_answers_of_mlflows_server(table: Both, rows: list[dict[str, Any]]) -> None:
    names = ["city", "age", "children"]
    expected = table.same({"dataframe_records": rows})
    split = {"columns": names, "data": [[row[name] for name in names] for row in rows]}
    assert table.same({"dataframe_split": split}) == expected
    text = "\n".join(",".join(str(row[name]) for name in names) for row in rows)
    assert table.same(f"city,age,children\n{text}".encode(), "text/csv") == expected
    columns = {name: [row[name] for row in rows] for name in names}
    kinds = {"age": "FP64", "city": "BYTES", "children": "INT64"}
    inputs = [
        {"name": name, "shape": [len(rows)], "datatype": kinds[name], "data": columns[name]}
        for name in names
    ]
    (output,) = table.infer({"inputs": inputs})["outputs"]
    assert output == {
        "name": "predict",
        "datatype": "BYTES",
        "shape": [len(rows)],
        "data": expected,
    }


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-9, 9)), min_size=1, max_size=4))
def test_tensors_have_the_answers_of_mlflows_server(tensor: Both, rows: list[Any]) -> None:
    expected = tensor.same({"inputs": rows})
    assert tensor.same({"instances": rows}) == expected
    flat = [cell for row in rows for cell in row]
    inputs = [{"name": "any", "shape": [len(rows), 2], "datatype": "FP64", "data": flat}]
    (output,) = tensor.infer({"inputs": inputs, "id": "7"})["outputs"]
    assert output["shape"] == [len(rows), 2]
    np.testing.assert_array_equal(output["data"], np.ravel(expected))


def test_a_table_of_answers_is_an_output_a_column_and_takes_parameters(python: Both) -> None:
    request = {"dataframe_records": [{"x": 1.5}, {"x": 2.0}], "params": {"scale": 3.0}}
    assert python.same(request)[0] == {"low": 4.5, "high": 4.5}
    x = {"name": "x", "shape": [2], "datatype": "FP64", "data": [1.5, 2.0]}
    answer = python.infer({"inputs": [x], "parameters": {"scale": 3.0}})
    assert {item["name"]: item["data"] for item in answer["outputs"]} == {
        "low": [4.5, 6.0],
        "high": [4.5, 5.0],
    }
    chosen = python.infer({"inputs": [x], "outputs": [{"name": "high"}]})
    assert [item["name"] for item in chosen["outputs"]] == ["high"]
    python.infer({"inputs": [x], "outputs": [{"name": "other"}]}, 400)


ROW = {"age": 40.0, "city": "Bern", "children": 1}


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"dataframe_records": [{"age": 1.0, SECRET: 1}]}, "without 'city', 'children'"),
        ({"dataframe_records": [ROW | {"age": SECRET}]}, "expected 'age' as double"),
        ({"dataframe_records": [ROW | {"children": None}]}, "expected 'children' as long"),
        ({"dataframe_records": [ROW | {"city": SECRET}]}, "rows that the model can predict"),
        ({"dataframe_records": []}, "at least one row"),
        ({"dataframe_records": [ROW] * 101}, "at most 100 rows"),
        ({"dataframe_records": SECRET}, ""),
        ({"dataframe_split": {"columns": [SECRET], "data": [[1, 2]]}}, ""),
        ({"dataframe_split": [SECRET]}, ""),
        ({"inputs": [[1, 2, 3]]}, ""),
        ({"inputs": {SECRET: [1]}}, ""),
        ({"inputs": SECRET, "instances": 1}, "exactly one of"),
        ({"messages": SECRET}, "exactly one of"),
        ({"dataframe_records": [ROW], "params": SECRET}, "params as an object"),
        ([SECRET], "JSON object"),
    ],
)
def test_a_refusal_says_what_was_expected_and_no_value(
    table: Both, request_: Any, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    status, answer = table.ours(json.dumps(request_).encode(), "application/json")
    assert status == (413 if "at most" in said else 400)
    assert said in answer["message"]
    assert SECRET not in json.dumps(answer)
    assert SECRET not in caplog.text


def test_parquet_is_refused_whatever_is_in_it(table: Both) -> None:
    status, answer = table.ours(people().to_parquet(), "application/vnd.apache.parquet")
    assert status == 415
    assert "expected content-type application/json or text/csv" in answer["message"]


def test_what_the_model_says_of_an_error_is_not_passed_on(python: Both) -> None:
    body = json.dumps({"dataframe_records": [{"x": -12345.5}]}).encode()
    status, answer = python.ours(body, "application/json")
    assert status == 400
    assert "12345" not in json.dumps(answer)


def test_a_column_is_named_whose_name_begins_as_anothers_does(tmp_path: Path) -> None:
    rows = pd.DataFrame({"a": [1.0], "a. b": [1.0], "ab": [1.0], "a b": [1.0]})
    signature = infer_signature(rows, np.zeros(1))
    model = save_tensor_model(tmp_path / "model", signature=signature)
    both = both_of(bundle_of(model, tmp_path / "bundle"))
    for name in rows:
        request = {"dataframe_records": [dict.fromkeys(rows, 1.0) | {name: SECRET}]}
        status, answer = both.ours(json.dumps(request).encode(), "application/json")
        assert status == 400
        assert answer["message"] == f"expected {name!r} as double; see /docs"


def test_an_example_that_was_made_may_be_refused(tmp_path: Path) -> None:
    """No city is called '', which is what a row made of the signature has."""
    model = save_table_model(tmp_path / "model", input_example=None)
    bundle = read_bundle(bundle_of(model, tmp_path / "bundle"))
    assert isinstance(bundle, PyfuncBundle)
    assert bundle.is_made
    assert load_predictor(bundle)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    bundle = bundle_of(save_table_model(tmp_path / "model"), tmp_path / "bundle")
    with running(bundle, workers=2) as server:
        yield server


@pytest.mark.parametrize("shape", [[], [0], [-1]])
def test_a_tensor_of_an_odd_shape_is_refused(tensor: Both, shape: list[int]) -> None:
    inputs = [{"name": "any", "shape": shape, "datatype": "FP64", "data": [1.0]}]
    tensor.infer({"inputs": inputs}, 400)


@pytest.mark.slow
def test_a_real_server_of_such_a_model(server: Server) -> None:
    document = server.ask("GET", "/openapi.json").json()
    content = document["paths"]["/invocations"]["post"]["requestBody"]["content"]
    answer = server.ask("POST", "/invocations", content["application/json"]["example"])
    assert set(answer.json()["predictions"]) <= {"yes", "no"}
    assert answer.headers["sixfold-version"] == "theirs/3"
    described = server.ask("GET", "/v2/models/theirs").json()
    assert described["outputs"] == [{"name": "predict", "datatype": "BYTES", "shape": [-1]}]
    rows = people().head(3)
    inputs = [
        item | {"shape": [3], "data": rows[item["name"]].tolist()} for item in described["inputs"]
    ]
    found = server.ask("POST", INFER, {"inputs": inputs}).json()["outputs"][0]["data"]
    assert found == answer.json()["predictions"]
    page = server.ask("GET", "/docs").body.decode()
    assert "children" in page
    assert "sixfold_rows_total 6.0" in server.ask("GET", "/metrics").body.decode()
    row = {"dataframe_records": [ROW | {"city": SECRET}]}
    assert server.ask("POST", "/invocations", row).status == 400
    assert SECRET not in server.log()
    assert server.stop() == 0


@pytest.mark.slow
def test_a_models_own_code_may_be_called_like_ours(tmp_path: Path) -> None:
    bundle = bundle_of(save_code_model(tmp_path / "saved"), tmp_path / "bundle")
    with running(bundle) as server:
        answer = server.ask("POST", "/invocations", {"dataframe_records": [{"x": 1.0}]})
        assert answer.json() == {"predictions": ["its own"]}
        assert server.ask("GET", "/docs").status == 200
        assert server.ask("GET", "/metrics").status == 200


def test_the_examples_of_a_bundle_are_few(tmp_path: Path) -> None:
    model = save_table_model(tmp_path / "model", input_example=people())
    assert len(example_of(bundle_of(model, tmp_path / "bundle"))["dataframe_split"]["data"]) == 5


@pytest.mark.parametrize("kind", ["list", "dict"])
def test_the_examples_of_tensors_are_few(tmp_path: Path, kind: str) -> None:
    matrix = people()[["age", "children"]].to_numpy(np.float64)
    example = matrix if kind == "list" else {"a": matrix, "b": matrix}
    signature = infer_signature(example, matrix)
    model = save_tensor_model(tmp_path / "model", input_example=example, signature=signature)
    found = example_of(bundle_of(model, tmp_path / "bundle"))["inputs"]
    assert {len(part) for part in ([found] if kind == "list" else found.values())} == {5}
