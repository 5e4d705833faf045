"""The columns of a request to a model that Sixfold has not trained, and its predictions."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlflow.models import ModelSignature
from mlflow.pyfunc import PythonModel
from mlflow.pyfunc import save_model as save_pyfunc
from mlflow.types import ColSpec, Schema
from mlflow.types.schema import Array, DataType

from serving.server.bundle import PyfuncBundle, read_bundle
from serving.server.metrics import Metrics
from serving.server.pyfunc_recorded import predicted
from serving.server.record_folder import RecordFolder
from serving.server.record_process import Batch, readers
from serving.server.settings import Settings
from serving.server.signature import Field, Signature
from tests.serving.foreign import bundle_of, save_table_model
from tests.serving.server import recorded
from tests.serving.server.test_metrics import counts


class Recording:
    """What a model's requests become, without a server."""

    def __init__(self, model: Path) -> None:
        bundle = read_bundle(bundle_of(model, model.parent / "bundle"))
        assert isinstance(bundle, PyfuncBundle)
        self.metrics = Metrics(bundle, ["other"], 1)
        self.folder = model.parent / "kept"
        self._parses = readers(bundle, Settings())
        self.batch = Batch(bundle, 1.0, RecordFolder(self.folder, bundle, 0, 1 << 30), self.metrics)

    def keep(self, body: Any, predictions: Any, rows: int) -> None:
        packed, answer = json.dumps(body).encode(), json.dumps({"predictions": predictions})
        kept = "invocations", "a", 0.0, b"", b"", packed, answer.encode(), (rows,)
        self.batch.add(kept, self._parses)

    def rows(self) -> list[dict[str, Any]]:
        self.batch.write()
        found = recorded.rows(self.folder)
        return [{k: row[k] for k in row if not k.startswith("__")} for row in found]

    def unrecorded(self) -> float:
        return counts(self.metrics)["sixfold_unrecorded_rows_total", "form"]


class Texts(PythonModel):
    def predict(self, model_input: list[str]) -> list[str]:  # type: ignore[override]
        return model_input


class Lists(PythonModel):
    def predict(self, model_input: list[list[float]]) -> list[str]:  # type: ignore[override]
        return ["x"] * len(model_input)


class Records(PythonModel):
    def predict(self, model_input: list[dict[str, str]]) -> list[str]:  # type: ignore[override]
        return ["x"] * len(model_input)


@pytest.mark.parametrize(
    ("model", "given", "expected"),
    [
        (Texts(), ["a", "b"], ["a", "b"]),
        (Lists(), [[1.0, 2.0], [3.0]], ["[1.0,2.0]", "[3.0]"]),
        (Records(), [{"a": "x", "b": "y"}, {"c": "z"}], ['{"a":"x","b":"y"}', '{"c":"z"}']),
    ],
)
def test_of_type_hints_a_row_is_recorded_whole(
    tmp_path: Path, model: PythonModel, given: list[Any], expected: list[str]
) -> None:
    save_pyfunc(
        tmp_path / "model",
        python_model=model,
        input_example=given,
        pip_requirements=["mlflow==3.17.2"],
    )
    recording = Recording(tmp_path / "model")
    recording.keep({"inputs": given}, ["x"] * 2, 2)
    assert recording.rows() == [{"input": text} for text in expected]


def test_single_values_are_a_row(tmp_path: Path) -> None:
    recording = Recording(save_table_model(tmp_path / "model"))
    row = {"age": 3.0, "city": "Bern", "children": 1}
    recording.keep({"inputs": row}, ["no"], 1)
    recording.keep({"inputs": {name: [cell] for name, cell in row.items()}}, ["no"], 1)
    assert recording.rows() == [row, row]


def test_what_is_no_row_for_each_prediction_takes_nothing_else_along(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And is said once."""
    recording = Recording(save_table_model(tmp_path / "model"))
    capsys.readouterr()
    row = {"age": 3.0, "city": "Bern", "children": 1}
    for _ in range(3):
        recording.keep({"inputs": row}, ["no"], 1)
        recording.keep({"inputs": row | {"age": [3.0, 4.0]}}, ["no"], 1)
        recording.keep({"inputs": row}, "no", 1)
    assert recording.rows() == [row] * 3
    assert recording.unrecorded() == 6
    assert len(capsys.readouterr().err.splitlines()) == 2


class Sums(PythonModel):
    """It takes lists."""

    def predict(self, context: Any, model_input: Any, params: Any = None) -> list[float]:
        return [sum(cells) for cells in model_input["x"]]


def test_a_list_in_a_column_is_a_cell(tmp_path: Path) -> None:
    save_pyfunc(
        tmp_path / "model",
        python_model=Sums(),
        signature=ModelSignature(Schema([ColSpec(Array(DataType.double), "x")])),
        pip_requirements=["mlflow==3.17.2"],
    )
    recording = Recording(tmp_path / "model")
    recording.keep({"inputs": {"x": [1.0, 2.0]}}, [3.0], 1)
    recording.keep({"dataframe_records": [{"x": [1.0]}, {"x": [2.0, 3.0]}]}, [1.0, 5.0], 2)
    assert [row["x"] for row in recording.rows()] == ["[1.0,2.0]", "[1.0]", "[2.0,3.0]"]


def test_long_predictions_fill_a_file_as_long_requests_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.server.record_process._BYTES", 10_000)
    recording = Recording(save_table_model(tmp_path / "model"))
    row = {"age": 3.0, "city": "Bern", "children": 1}
    recording.keep({"inputs": row}, ["no"], 1)
    assert not recording.batch.is_full
    recording.keep({"inputs": row}, [[0.123456] * 1_000], 1)
    assert recording.batch.is_full


NUMBER = Signature((), (Field("", "float64", (-1, 1)),), {})
TEXT = Signature((), (), {})


@pytest.mark.parametrize(
    ("answer", "signature", "expected"),
    [
        (b'{"predictions": [[0.5], [null]]}', NUMBER, [0.5, np.nan]),
        (b'{"predictions": [{"0": 1}, {"0": NaN}]}', NUMBER, [1.0, np.nan]),
        (b'{"predictions": ["a", true]}', TEXT, ["a", "true"]),
        (b'{"predictions": ["\\ud83d", [1, 2]]}', TEXT, ["?", "[1,2]"]),
        (b'{"predictions": [null, "null"]}', TEXT, [None, "null"]),
        (b'{"predictions": [{"a": NaN}, 1.5]}', TEXT, [None, "1.5"]),
        (b'{"predictions": {"a": [1, 2]}}', NUMBER, [1.0, 2.0]),
        (
            b'{"predictions": {"a": [1, 2], "b": ["x", null]}}',
            TEXT,
            ['{"a":1,"b":"x"}', '{"a":2,"b":null}'],
        ),
        (
            b'{"outputs": [{"name": "a", "shape": [2, 2], "data": [1, 2, 3, 4]}]}',
            TEXT,
            ["[1,2]", "[3,4]"],
        ),
        (
            b'{"outputs": [{"name": "a", "shape": [2], "data": [1, 2]}, '
            b'{"name": "b", "shape": [2], "data": ["x", null]}]}',
            TEXT,
            ['{"a":1,"b":"x"}', '{"a":2,"b":null}'],
        ),
    ],
)
def test_predictions_are_taken_from_the_answer(
    answer: bytes, signature: Signature, expected: list[Any]
) -> None:
    np.testing.assert_array_equal(predicted(answer, 2, signature), np.array(expected))


@pytest.mark.parametrize("found", [b"3", b'{"a": 3}', b'{"a": [1, 2], "b": 3}', b'{"a": "xy"}'])
def test_a_prediction_of_all_rows_together_is_not_recorded(found: bytes) -> None:
    with pytest.raises(ValueError, match="a prediction a row"):
        predicted(b'{"predictions": %s}' % found, 2, NUMBER)
