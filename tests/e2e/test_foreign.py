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
import mlflow.sklearn
import mlflow.xgboost
import numpy as np
import pandas as pd
import pytest
from mlflow.models import infer_signature
from mlflow.pyfunc import load_model, scoring_server
from sklearn.dummy import DummyClassifier

from serving import engine as engines
from serving.labels import LICENCES
from tests.e2e.command import call
from tests.e2e.test_serving import post
from tests.serving.foreign import people, save_table_model, save_tensor_model
from tests.serving.server import recorded
from tests.serving.server.test_against_mlflow import asking

pytestmark = [pytest.mark.docker, pytest.mark.slow]

#: The same for all: their images have one base.
PACKAGES = ["mlflow==3.17.2", "scikit-learn", "lightgbm", "skops", "xgboost-cpu"]


@dataclass(frozen=True)
class Others:
    """A registry with models in Production: `NAME-KIND`, of the folder `KIND`."""

    folder: Path
    name: str

    @property
    def table(self) -> str:
        """A pipeline over columns."""
        return f"{self.name}-table"

    @property
    def matrix(self) -> str:
        """A LightGBM model over a matrix."""
        return f"{self.name}-matrix"

    @property
    def boosted(self) -> str:
        """A Booster of XGBoost over columns."""
        return f"{self.name}-boosted"

    @property
    def pickled(self) -> str:
        """A pickle of a classifier of XGBoost, logged with an input example alone."""
        return f"{self.name}-pickled"

    @property
    def drawing(self) -> str:
        """A classifier that draws labels at random."""
        return f"{self.name}-drawing"

    @property
    def environment(self) -> dict[str, str]:
        return {"MLFLOW_TRACKING_URI": f"sqlite:///{self.folder}/mlflow.db"}

    def sixfold(self, *words: str, code: int = 0) -> str:
        return call(self.folder, "sixfold", words, self.environment, code)


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Others]:
    folder = tmp_path_factory.mktemp("others")
    found = Others(folder, f"sixfold-test-{secrets.token_hex(4)}")
    client = mlflow.MlflowClient(found.environment["MLFLOW_TRACKING_URI"])
    save_table_model(folder / "table", pip_requirements=PACKAGES)
    save_matrix_model(folder / "matrix")
    save_boosted_models(folder)
    save_drawing_model(folder / "drawing")
    save_tensor_model(folder / "unsigned", signature=None)
    for saved in folder.glob("*/MLmodel"):
        register(client, f"{found.name}-{saved.parent.name}", saved.parent)
    engine = engines.connect()
    try:
        yield found
    finally:
        for model in (found.table, found.matrix, found.boosted, found.pickled, found.drawing):
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


def save_boosted_models(folder: Path) -> None:
    """As they are logged by those who know XGBoost: `boosted`, `pickled`, and `raw` without all."""
    import xgboost

    rows = people()[["age", "children"]]
    matrix = xgboost.DMatrix(rows, rows["age"] / 10)
    booster = xgboost.train({"max_depth": 2}, matrix, num_boost_round=3)
    options: dict[str, Any] = {"pip_requirements": PACKAGES}
    signature = infer_signature(rows, booster.predict(matrix))
    mlflow.xgboost.save_model(booster, folder / "boosted", signature=signature, **options)
    mlflow.xgboost.save_model(booster, folder / "raw", **options)
    model = xgboost.XGBClassifier(n_estimators=3, max_depth=2).fit(rows, rows["age"] > 40)
    mlflow.sklearn.save_model(
        model,
        folder / "pickled",
        input_example=rows.head(3),
        serialization_format="pickle",
        **options,
    )


def save_drawing_model(folder: Path) -> None:
    rows = people()[["age", "children"]]
    model = DummyClassifier(strategy="stratified").fit(rows, rows["age"] > 40)
    mlflow.sklearn.save_model(
        model, folder, input_example=rows, serialization_format="pickle", pip_requirements=PACKAGES
    )


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

    def serve(model: str, *words: str) -> str:
        printed = others.sixfold("serve", model, "--port", "0", "--detach", *words).splitlines()
        answers = next(line for line in printed if " answers at " in line)
        names.append(answers.rpartition(" ")[2].rstrip(")"))
        curl = next(line for line in printed if line.startswith("curl "))
        done = subprocess.run(["bash", "-c", f"{curl} -sf"], capture_output=True, check=True)
        assert json.loads(done.stdout)["predictions"]
        return answers.split(" answers at ")[1].split()[0]

    yield serve
    for name in names:
        engine.containers.get(name).remove(force=True)


def check_listed(listed: dict[str, Any], model: str) -> None:
    """The model's own packages are among what is in its image, with their licences."""
    licences = {item["name"]: item.get("licenses") for item in listed["components"]}
    assert licences["pandas"] == licences["scikit-learn"] == [{"expression": "BSD-3-Clause"}]
    label = engines.connect().images.get(f"{model}:1").labels[LICENCES]
    assert [{"expression": label}] == listed["metadata"]["component"]["licenses"]
    assert {"BSD-3-Clause", "MIT", "PSF-2.0"} <= set(label.split(" AND "))


def test_a_table_model_is_built_served_and_asked_for_a_file(others: Others, serving: Any) -> None:
    printed = others.sixfold("build", others.table, "--sbom", "listed.json")
    assert "its own input example" in printed
    assert "the version has no run in which" in printed
    check_listed(json.loads((others.folder / "listed.json").read_text()), others.table)
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


def test_a_booster_of_xgboost_is_served_and_recorded(others: Others, serving: Any) -> None:
    kept = others.folder / "kept"
    url = serving(others.boosted, "--record", str(kept))
    rows = people()[["age", "children"]]
    request = {"dataframe_split": rows.to_dict("split", index=False)}
    expected = theirs(others.folder / "boosted", request)
    answer = post(f"{url}/invocations", request)
    np.testing.assert_allclose(answer["predictions"], expected["predictions"], rtol=1e-6)
    label = f"sixfold.serve={others.boosted}:1"
    (container,) = engines.connect().containers.list(filters={"label": label})
    container.stop()
    table = recorded.table(kept).to_pandas()  # a file a worker, in no order; one row is serve's own
    found = table.sort_values(["__time", "__row"]).tail(len(rows))
    np.testing.assert_array_equal(found[list(rows)], rows)
    np.testing.assert_allclose(found["__prediction"], expected["predictions"], rtol=1e-6)
    last = others.sixfold("drift", others.boosted, "--recordings", str(kept), code=2).splitlines()[
        -1
    ]
    assert "expected a version that Sixfold has trained" in last


def test_a_pickle_with_an_input_example_alone_is_served(others: Others, serving: Any) -> None:
    url = serving(others.pickled)
    request = {"dataframe_records": people()[["age", "children"]].to_dict("records")}
    expected = theirs(others.folder / "pickled", request)
    assert post(f"{url}/invocations", request) == expected


def test_a_model_that_draws_at_random_is_built_and_told(others: Others) -> None:
    printed = others.sixfold("build", others.drawing)
    assert "the model's predictions differ from one request to the next" in printed


@pytest.mark.parametrize("kind", ["unsigned", "raw"])
def test_a_model_without_a_signature_is_one_line(others: Others, kind: str) -> None:
    printed = others.sixfold("build", f"{others.name}-{kind}", code=2)
    last = printed.strip().splitlines()[-1]
    assert "signature=mlflow.models.infer_signature(" in last
    assert "Traceback" not in printed
