"""MLflow's own command alone, and the image that it builds from a model of ours."""

import json
import platform
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def base() -> Iterator[None]:
    """The image that MLflow starts from: of the very Python that logged the model.

    Where no registry has it, the project's stand-in for python:3.11-slim is it for the while.
    """
    exact = f"python:{platform.python_version()}-slim"
    there = subprocess.run(["docker", "image", "inspect", exact], capture_output=True)
    pulled = there.returncode and subprocess.run(["docker", "pull", exact], capture_output=True)
    if not pulled or pulled.returncode == 0:
        yield
        return
    docker("tag", "python:3.11-slim", exact)
    try:
        yield
    finally:
        docker("image", "rm", "--no-prune", exact)


def docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.docker
@pytest.mark.slow
def test_mlflow_builds_an_image_of_the_version_in_production(tmp_path: Path) -> None:
    call(tmp_path, "sixfold", [*TRAIN, "--register", "plain", "--quiet"])
    store = f"sqlite:///{tmp_path / 'mlflow.db'}"
    client = MlflowClient(store)
    client.transition_model_version_stage("plain", "1", "Production")
    build = ["models", "build-docker", "-m", "models:/plain/Production", "-n", IMAGE]
    environment = {"MLFLOW_TRACKING_URI": store}
    try:
        with base():
            call(tmp_path, "mlflow", [*build, "--env-manager", "local"], environment)
        container = docker("run", "--detach", "--publish", "127.0.0.1::8080", IMAGE)
        try:
            address = f"http://{docker('port', container, '8080').splitlines()[0]}"
            wait_until(lambda: answers(f"{address}/ping"), seconds=120)
            rows, recorded = sample_of(store, tmp_path / "model")
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


def sample_of(store: str, folder: Path) -> tuple[list[dict[str, object]], np.ndarray]:
    folder.mkdir()
    path = download_artifacts("models:/plain/1", dst_path=str(folder), tracking_uri=store)
    return read_sample(Path(path) / "data" / "model" / "sample.json")
