"""What a model of others has predicted, as outputs of V2: as MLflow's server has it."""

import datetime
import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pytest
from mlflow.models import infer_signature
from mlflow.pyfunc import PythonModel
from mlflow.pyfunc import save_model as save_pyfunc
from mlflow.pyfunc.scoring_server import predictions_to_json

from serving.server.pyfunc_spoken import tensors
from serving.tried.example import same
from tests.serving.foreign import bundle_of
from tests.serving.server.test_pyfunc import as_before, both_of  # noqa: F401

DAY = datetime.date(2020, 1, 1)
DAYS = pd.to_datetime([DAY, None])


@pytest.mark.parametrize(
    "value",
    [
        np.array([0.1, 0.2], np.float32),
        np.array([np.nan, np.inf]),
        np.array([b"ab"]),
        [b"ab", None],
        b"ab",
        [DAY, DAY],
        pd.DataFrame({"a": DAYS[:1]}),
        pd.DataFrame({"a": DAYS[:1].tz_localize("UTC")}),
        pd.Series(DAYS[:1]),
        pd.Series([1, None], dtype="Int64"),
        pd.Series(["a", None], dtype="string"),
        pd.DataFrame({"a": pd.array([True, None], "boolean")}),
        [{"label": "a", "score": 0.5}],
        pd.DataFrame({"a": [{"b": 1, "c": [True]}]}),
        pd.DataFrame({"a": [[1, 2], [3]]}),
        [["a"], ["b", "c"]],
        [np.array([1, 2]), np.array([3])],
        {"a": {"b": [1]}},
        {"tokens": [[1], [2, 3]]},
    ],
    ids=repr,
)
def test_v2_says_what_mlflows_server_says(value: Any) -> None:
    text = io.StringIO()
    predictions_to_json(value, text)
    (output,) = orjson.loads(orjson.dumps(tensors(value)))
    assert same(output["data"], json.loads(text.getvalue())["predictions"])


def test_columns_of_one_name_are_outputs_each() -> None:
    found = tensors(pd.DataFrame([[1, 2]], columns=["a", "a"]))
    assert [(item["name"], item["data"]) for item in found] == [("a", [1]), ("a", [2])]


@pytest.mark.parametrize(
    ("value", "data"),
    [
        (["\ud83d", "ü"], ["?", "ü"]),
        (pd.DataFrame({"predict": ["a\udc00", None]}, dtype=object), ["a?", None]),
        ([["\ud83d"], ["ü", 1]], ['["\\ud83d"]', '["ü",1]']),
    ],
)
def test_half_a_character_can_be_written(value: Any, data: list[Any]) -> None:
    (output,) = tensors(value)
    assert output["data"] == data
    assert orjson.dumps(output)


def test_a_column_of_half_a_character_can_be_written() -> None:
    assert [item["name"] for item in tensors({"\ud83d": [1]})] == ["?"]


class Unwritable(PythonModel):
    """What it makes of some rows cannot be written as JSON, and of others not as an array."""

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> Any:
        cells = model_input["x"].tolist()
        if min(cells) >= 0:
            return {"tokens": [[1], [2, 3]], "score": cells}
        return [{(Decimal(cell), 1): 1} for cell in cells]


def test_predictions_that_cannot_be_written_are_the_models_fault(tmp_path: Path) -> None:
    rows = pd.DataFrame({"x": [1.0]})
    save_pyfunc(
        tmp_path / "model",
        python_model=Unwritable(),
        signature=infer_signature(rows, np.zeros(1)),
        input_example=rows,
        pip_requirements=["mlflow==3.17.2"],
    )
    both = both_of(bundle_of(tmp_path / "model", tmp_path / "bundle"))
    made = both.infer(inputs_of(1.5))["outputs"]
    assert [item["data"] for item in made] == [["[1]", "[2,3]"], [1.5]]
    request = json.dumps({"dataframe_records": [{"x": -12345.5}]}).encode()
    status, answer = both.ours(request, "application/json")
    assert status == 400
    for said in (answer, both.infer(inputs_of(-12345.5), 400)):
        assert "12345" not in json.dumps(said)


def inputs_of(cell: float) -> dict[str, Any]:
    return {"inputs": [{"name": "x", "shape": [1], "datatype": "FP64", "data": [cell]}]}


class Hinted(PythonModel):
    """Its signature is its type hints."""

    def predict(self, model_input: list[str]) -> list[str]:  # type: ignore[override]
        return [text.upper() for text in model_input]


def test_a_model_with_type_hints_takes_inputs_and_a_tensor(tmp_path: Path) -> None:
    save_pyfunc(
        tmp_path / "model",
        python_model=Hinted(),
        input_example=["a"],
        pip_requirements=["mlflow==3.17.2"],
    )
    both = both_of(bundle_of(tmp_path / "model", tmp_path / "bundle"))
    assert both.same({"inputs": ["a", "b"]}) == ["A", "B"]
    status, answer = both.ours(b'{"instances": ["a"]}', "application/json")
    assert (status, answer["message"]) == (400, "expected inputs, as the model has type hints")
    inputs = [{"name": "input", "shape": [2], "datatype": "BYTES", "data": ["a", "b"]}]
    assert both.infer({"inputs": inputs})["outputs"][0]["data"] == ["A", "B"]
