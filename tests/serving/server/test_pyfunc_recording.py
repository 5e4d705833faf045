"""What is recorded of models that Sixfold has not trained."""

from pathlib import Path
from typing import Any

import mlflow.pyfunc
import pandas as pd
import pytest
from mlflow.models import ModelSignature
from mlflow.pyfunc import PythonModel
from mlflow.types import ColSpec, Schema, TensorSpec

from serving.server.bundle import read_bundle
from tests.serving.foreign import bundle_of, people, save_table_model, save_tensor_model
from tests.serving.server import recorded
from tests.serving.server.running import running, start
from tests.serving.server.test_pyfunc import INFER

pytestmark = pytest.mark.slow


def test_every_way_to_ask_is_recorded_with_the_columns_of_the_signature(tmp_path: Path) -> None:
    bundle = bundle_of(save_table_model(tmp_path / "model"), tmp_path / "bundle")
    rows = people().head(3)
    named = rows.to_dict("list")
    kinds = {"age": "FP64", "city": "BYTES", "children": "INT64"}
    tensors = [
        {"name": name, "shape": [3], "datatype": kinds[name], "data": cells}
        for name, cells in named.items()
    ]
    bodies: dict[str, tuple[str, Any, dict[str, str]]] = {
        "split": ("/invocations", {"dataframe_split": rows.to_dict("split", index=False)}, {}),
        "records": (
            "/invocations",
            {"dataframe_records": rows.assign(more="x").to_dict("records")},
            {},
        ),
        "inputs": ("/invocations", {"inputs": named}, {}),
        "csv": ("/invocations", rows.to_csv(index=False), {"content-type": "text/csv"}),
        "v2": (INFER, {"id": "v2", "inputs": tensors}, {}),
    }
    kept = tmp_path / "kept"
    with running(bundle, workers=2, record=kept, record_seconds=3600) as server:
        for name, (path, body, headers) in bodies.items():
            answer = server.ask("POST", path, body, {"x-request-id": name, **headers})
            assert answer.status == 200, answer.body
            assert answer.headers["x-request-id"] == name
            if name == "split":
                labels = answer.json()["predictions"]
        assert server.stop() == 0
        assert len(server.log().splitlines()) == 1, server.log()
    found: dict[str, list[dict[str, Any]]] = {}
    for item in recorded.rows(kept):
        found.setdefault(item["__request"], []).append(item)
    assert set(found) == set(bodies)
    for items in found.values():
        assert [{name: item[name] for name in named} for item in items] == rows.to_dict("records")
        assert [item["__prediction"] for item in items] == labels
    (file, *_) = recorded.files(kept)
    assert recorded.facts(file)["sixfold.schema"] == read_bundle(bundle).schema.fingerprint


class Wide(PythonModel):
    """Takes what is seldom, and answers with a record a row."""

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        return [{"a": 1, "b": "x"} for _ in range(len(model_input))]


def test_odd_columns_and_predictions_are_texts(tmp_path: Path) -> None:
    columns: list[ColSpec | TensorSpec] = [
        ColSpec("datetime", "when"),
        ColSpec("binary", "bytes", required=False),
        ColSpec("boolean", "yes"),
    ]
    signature = ModelSignature(Schema(columns))
    mlflow.pyfunc.save_model(
        tmp_path / "model",
        python_model=Wide(),
        signature=signature,
        pip_requirements=["mlflow==3.17.2"],
    )
    bundle = bundle_of(tmp_path / "model", tmp_path / "bundle")
    rows = [
        {"when": "2020-01-31T12:00:00", "yes": True},
        {"when": "2021-01-31T00:00:00", "yes": False},
    ]
    with running(bundle, record=tmp_path / "kept") as server:
        answer = server.ask("POST", "/invocations", {"dataframe_records": rows})
        assert answer.status == 200, answer.body
    found = recorded.rows(tmp_path / "kept")
    assert [item["when"] for item in found] == ["2020-01-31T12:00:00", "2021-01-31T00:00:00"]
    assert [item["yes"] for item in found] == ["true", "false"]
    assert [item["bytes"] for item in found] == [None, None]
    assert [item["__prediction"] for item in found] == ['{"a":1,"b":"x"}'] * 2


def test_tensors_are_not_recorded(tmp_path: Path) -> None:
    bundle = bundle_of(save_tensor_model(tmp_path / "model"), tmp_path / "bundle")
    server = start(bundle, tmp_path / "log", record=tmp_path / "kept")
    assert server.process.wait(60) == 1
    (line,) = server.log().splitlines()
    assert "signature is tensors; leave out --record" in line
