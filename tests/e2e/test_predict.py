"""Predictions of a whole table, by the image of the version in Production."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import docker
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from registry.store import find_version
from registry.version import local_model
from tests.e2e.command import call, json_of
from tests.services.s3 import S3
from tests.training.problems import frame_of
from training.scoring import Model

pytestmark = pytest.mark.docker
_ROWS = 5_000  # more than are sent at a time


class Served:
    """A model in Production in a folder's store, and the table that it is asked about."""

    def __init__(self, folder: Path, algorithm: str, kind: str) -> None:
        self.folder = folder
        self.name = f"predicted-{secrets.token_hex(3)}"
        self.is_regression = kind == "values"
        frame = frame_of("all", "regression" if self.is_regression else "binary", 400)
        frame = frame if kind == "text" else frame.drop(columns="t")
        frame.to_parquet(folder / "table.parquet")
        self.rows = frame.drop(columns="y").iloc[np.arange(_ROWS) % len(frame)]
        self.rows.insert(0, "customer", [f"no. {i}" for i in range(_ROWS)])
        asked = ["--algorithms", algorithm, "--search", "none", "--register", self.name, "--quiet"]
        call(folder, "sixfold", ["train", "table.parquet", "--target", "y", *asked])
        client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
        client.transition_model_version_stage(self.name, "1", "Production")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'mlflow.db'}")
            (folder / "model").mkdir()
            path = local_model(find_version(client, self.name, "1"), folder / "model")
        self.model = Model(path / "data" / "model")

    def check(self, found: pd.DataFrame) -> None:
        assert found["customer"].tolist() == self.rows["customer"].tolist()
        values = ["prediction"]
        if not self.is_regression:
            assert found["prediction"].tolist() == self.model.predict(self.rows).tolist()
            values = ["probability_no", "probability_yes"]
        expected = self.model.predict_raw(self.rows).reshape(len(found), -1)
        np.testing.assert_allclose(found[values], expected, rtol=1e-5, atol=1e-6)


@pytest.fixture(scope="module", params=["compiled", "text", "values"])
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("predict")
    served = Served(folder, "gradient_boosting:lightgbm", request.param)
    engine = docker.from_env()
    try:
        yield served
    finally:
        for image in engine.images.list(name=served.name):
            engine.images.remove(image.id, force=True)


def test_from_csv_to_parquet_and_back(served: Served) -> None:
    served.rows.to_csv(served.folder / "new.csv", index=False)
    out = served.folder / "predictions.parquet"
    asked = ["predict", served.name, "new.csv", "--out", str(out), "--keep", "customer", "--json"]
    printed = call(served.folder, "sixfold", asked)
    said = json_of(printed)
    assert said["rows"] == _ROWS
    assert said["version"] == "1"
    served.check(pd.read_parquet(out))
    left = docker.from_env().containers.list(all=True, filters={"ancestor": f"{served.name}:1"})
    assert left == []


@pytest.mark.services
def test_from_s3_to_s3(served: Served, s3: S3) -> None:
    key = f"{served.name}/new.parquet"
    served.rows.to_parquet(served.folder / "new.parquet")
    s3.client().upload_file(str(served.folder / "new.parquet"), s3.bucket, key)
    out = s3.uri(f"{served.name}/predictions.csv")
    asked = ["predict", served.name, s3.uri(key), "--out", out, "--keep", "customer"]
    printed = call(served.folder, "sixfold", asked, dict(s3.environment))
    assert f"{_ROWS:,} rows by {served.name} version 1: {out}" in printed
    assert s3.secret_key not in printed
    body = s3.client().get_object(Bucket=s3.bucket, Key=f"{served.name}/predictions.csv")["Body"]
    served.check(pd.read_csv(body))


def test_a_table_that_lacks_a_column_leaves_nothing(served: Served) -> None:
    served.rows.drop(columns="a").head(10).to_csv(served.folder / "few.csv", index=False)
    out = served.folder / "few.parquet"
    asked = ["predict", served.name, "few.csv", "--out", str(out)]
    printed = call(served.folder, "sixfold", asked, code=2)
    assert "'a'" in printed.strip().splitlines()[-1]
    assert not list(served.folder.glob("*few.parquet*"))
