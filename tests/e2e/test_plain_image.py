"""MLflow's own command alone, and the image that it builds from a model of ours."""

import json
import subprocess
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts

from tests.e2e.command import call
from tests.waiting import wait_until
from training.sample import read_sample

IMAGE = "sixfold-test-plain:1"
TRAIN = ["train", "sklearn:breast_cancer", "--algorithms", "decision_tree", "--search", "none"]


def docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.docker
@pytest.mark.slow
def test_mlflow_builds_an_image_of_the_version_in_production(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call(tmp_path, "sixfold", [*TRAIN, "--register", "plain", "--quiet"])
    store = f"sqlite:///{tmp_path / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    client = MlflowClient(store)
    client.transition_model_version_stage("plain", "1", "Production")
    build = ["models", "build-docker", "-m", "models:/plain/Production", "-n", IMAGE]
    environment = {"MLFLOW_TRACKING_URI": store}
    try:
        call(tmp_path, "mlflow", [*build, "--env-manager", "local"], environment)
        container = docker("run", "--detach", "--publish", "127.0.0.1::8080", IMAGE)
        try:
            address = f"http://{docker('port', container, '8080').splitlines()[0]}"
            wait_until(lambda: answers(f"{address}/ping"), seconds=120)
            rows, recorded = sample_of(tmp_path / "model")
            found = predicted(f"{address}/invocations", rows)
        finally:
            docker("rm", "--force", "--volumes", container)
    finally:
        subprocess.run(["docker", "image", "rm", "--force", IMAGE], capture_output=True)
    np.testing.assert_allclose(found, recorded, rtol=1e-5, atol=1e-6)


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def predicted(address: str, rows: list[dict[str, object]]) -> np.ndarray:
    """Probabilities of each class."""
    body = {"dataframe_records": rows, "params": {"predict_method": "predict_proba"}}
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(address, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        records = json.load(answer)["predictions"]
    return np.array([list(record.values()) for record in records])


def sample_of(folder: Path) -> tuple[list[dict[str, object]], np.ndarray]:
    folder.mkdir()
    path = download_artifacts("models:/plain/1", dst_path=str(folder))
    return read_sample(Path(path) / "data" / "model" / "sample.json")
