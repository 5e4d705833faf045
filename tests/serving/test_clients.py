"""Compiled models answer the clients that people have: MLflow's, and one of the V2 protocol."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow.pyfunc.scoring_server.client import ScoringServerClient
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput

from serving.compile import compile_model
from tests.serving.models import write_model
from tests.serving.server.running import Server, running
from tests.training.problems import frame_of
from training.scoring import Model


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return frame_of("all", "multiclass", 300).drop(columns="t")


@pytest.fixture(scope="module")
def folder(frame: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clients")
    model = write_model(folder / "model", frame, ["gradient_boosting:lightgbm", "svm"])
    compile_model(model, folder / "bundle", {"model": "churn", "version": "3"})
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    with running(folder / "bundle") as server:
        yield server


@pytest.fixture(scope="module")
def model(folder: Path) -> Model:
    return Model(folder / "model" / "data" / "model")


def test_mlflows_client(server: Server, model: Model, frame: pd.DataFrame) -> None:
    client = ScoringServerClient("127.0.0.1", server.port)
    client.ping()
    rows = frame.drop(columns="y").head(60)
    found = client.invoke(rows).get_predictions()
    assert found[0].tolist() == model.predict(rows).tolist()
    shares = client.invoke(rows, {"predict_method": "predict_proba"}).get_predictions()
    expected = model.predict(rows, {"predict_method": "predict_proba"})
    np.testing.assert_allclose(shares[expected.columns], expected, atol=1e-6)


@pytest.mark.parametrize("binary", [False, True])
def test_a_v2_client(server: Server, model: Model, frame: pd.DataFrame, binary: bool) -> None:
    client = InferenceServerClient(f"127.0.0.1:{server.port}")
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("churn")
    about = client.get_model_metadata("churn")
    assert about["versions"] == ["3"]
    rows = frame.drop(columns="y").head(60)
    inputs = []
    for tensor in about["inputs"]:
        values = rows[tensor["name"]]
        if tensor["datatype"] == "BYTES":
            column = values.map(lambda cell: "" if pd.isna(cell) else str(cell)).to_numpy(object)
        else:
            column = values.to_numpy(bool if tensor["datatype"] == "BOOL" else np.float64)
        inputs.append(InferInput(tensor["name"], [60], tensor["datatype"]))
        inputs[-1].set_data_from_numpy(column, binary_data=binary)
    outputs = [
        InferRequestedOutput(name, binary_data=binary) for name in ("predict", "predict_proba")
    ]
    answer = client.infer("churn", inputs, outputs=outputs)
    labels = [
        item.decode() if isinstance(item, bytes) else item for item in answer.as_numpy("predict")
    ]
    assert labels == model.predict(rows).tolist()
    np.testing.assert_allclose(answer.as_numpy("predict_proba"), model.predict_raw(rows), atol=1e-6)
