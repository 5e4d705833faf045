"""Models that others have logged, by plain MLflow: built, served and asked as ours are."""

import json
import secrets
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import mlflow
import mlflow.lightgbm
import numpy as np
import pandas as pd
import pytest
from mlflow.models import infer_signature
from mlflow.pyfunc import load_model, scoring_server

from serving import engine as engines
from tests.e2e.command import call
from tests.e2e.test_serving import post
from tests.serving.foreign import people, save_table_model, save_tensor_model
from tests.serving.server.test_against_mlflow import asking

pytestmark = [pytest.mark.docker, pytest.mark.slow]

#: The same for all: their images have one base.
PACKAGES = ["mlflow==3.17.2", "scikit-learn", "lightgbm", "skops"]


@dataclass(frozen=True)
class Others:
    """A registry with a pipeline over columns and a LightGBM model over a matrix in Production."""

    folder: Path
    table: str
    matrix: str

    @property
    def environment(self) -> dict[str, str]:
        return {"MLFLOW_TRACKING_URI": f"sqlite:///{self.folder}/mlflow.db"}

    def sixfold(self, *words: str, code: int = 0) -> str:
        return call(self.folder, "sixfold", words, self.environment, code)


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Others]:
    folder = tmp_path_factory.mktemp("others")
    name = f"sixfold-test-{secrets.token_hex(4)}"
    found = Others(folder, f"{name}-table", f"{name}-matrix")
    client = mlflow.MlflowClient(found.environment["MLFLOW_TRACKING_URI"])
    save_table_model(folder / "table", pip_requirements=PACKAGES)
    save_matrix_model(folder / "matrix")
    save_tensor_model(folder / "unsigned", signature=None)
    for model, saved in ((found.table, "table"), (found.matrix, "matrix")):
        register(client, model, folder / saved)
    register(client, f"{name}-unsigned", folder / "unsigned")
    engine = engines.connect()
    try:
        yield found
    finally:
        for model in (found.table, found.matrix):
            for image in engine.images.list(name=model):
                engines.remove(engine, image.id)


def register(client: mlflow.MlflowClient, name: str, model: Path) -> None:
    client.create_registered_model(name)
    client.create_model_version(name, str(model))
    client.transition_model_version_stage(name, "1", "Production")


def save_matrix_model(folder: Path) -> None:
    import lightgbm

    rows = people()[["age", "children"]].to_numpy(np.float64)
    model = lightgbm.LGBMRegressor(n_estimators=5, verbose=-1).fit(rows, rows[:, 0])
    signature = infer_signature(rows, model.predict(rows))
    mlflow.lightgbm.save_model(model, folder, signature=signature, pip_requirements=PACKAGES)


def theirs(model: Path, request: Any) -> Any:
    """What MLflow's own server answers."""
    ask = asking(scoring_server.init(load_model(str(model))))
    status, answer = ask(json.dumps(request).encode(), "application/json")
    assert status == 200, answer
    return answer


@pytest.fixture
def serving(others: Others) -> Iterator[Any]:
    engine = engines.connect()
    names: list[str] = []

    def serve(model: str) -> str:
        printed = others.sixfold("serve", model, "--port", "0", "--detach").splitlines()
        answers = next(line for line in printed if " answers at " in line)
        names.append(answers.rpartition(" ")[2].rstrip(")"))
        curl = next(line for line in printed if line.startswith("curl "))
        done = subprocess.run(["bash", "-c", f"{curl} -sf"], capture_output=True, check=True)
        assert json.loads(done.stdout)["predictions"]
        return answers.split(" answers at ")[1].split()[0]

    yield serve
    for name in names:
        engine.containers.get(name).remove(force=True)


def test_a_table_model_is_built_served_and_asked_for_a_file(others: Others, serving: Any) -> None:
    printed = others.sixfold("build", others.table)
    assert "its own input example" in printed
    assert "the version has no run in which" in printed
    url = serving(others.table)
    rows = people()
    split = rows.to_dict("split", index=False)
    expected = theirs(others.folder / "table", {"dataframe_split": split})
    assert post(f"{url}/invocations", {"dataframe_split": split}) == expected
    kinds = {"age": "FP64", "city": "BYTES", "children": "INT64"}
    inputs = [
        {"name": name, "shape": [len(rows)], "datatype": kind, "data": rows[name].tolist()}
        for name, kind in kinds.items()
    ]
    answer = post(f"{url}/v2/models/{quote(others.table)}/infer", {"inputs": inputs})
    assert answer["outputs"][0]["data"] == expected["predictions"]
    rows.to_csv(others.folder / "rows.csv", index=False)
    others.sixfold("predict", others.table, "rows.csv", "--out", "found.csv")
    found = pd.read_csv(others.folder / "found.csv")
    assert found["prediction"].tolist() == expected["predictions"]


def test_a_lightgbm_model_over_a_matrix_is_served(others: Others, serving: Any) -> None:
    url = serving(others.matrix)
    rows = people()[["age", "children"]].to_numpy(np.float64)
    expected = theirs(others.folder / "matrix", {"inputs": rows.tolist()})
    found = post(f"{url}/invocations", {"inputs": rows.tolist()})
    np.testing.assert_allclose(found["predictions"], expected["predictions"], rtol=1e-9)
    tensor = {"name": "rows", "shape": [*rows.shape], "datatype": "FP64"}
    inputs = [tensor | {"data": rows.ravel().tolist()}]
    answer = post(f"{url}/v2/models/{quote(others.matrix)}/infer", {"inputs": inputs})
    np.testing.assert_allclose(answer["outputs"][0]["data"], expected["predictions"], rtol=1e-9)


def test_a_model_without_a_signature_is_one_line(others: Others) -> None:
    printed = others.sixfold("build", others.table.replace("-table", "-unsigned"), code=2)
    last = printed.strip().splitlines()[-1]
    assert "signature=mlflow.models.infer_signature(" in last
    assert "Traceback" not in printed
