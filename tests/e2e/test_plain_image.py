"""MLflow's own command alone, and the image that it builds from models of ours."""

import json
import shutil
import subprocess
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts

from tests.e2e.command import call
from tests.waiting import wait_until
from training.sample import read_sample

IMAGE = "sixfold-test-plain:1"
TRAIN = ["train", "sklearn:wine", "--algorithms", "decision_tree,gradient_boosting"]
TRAIN += ["--search", "none", "--folds", "2", "--quiet"]
ENGINES = {f"gradient_boosting:{name}" for name in ("xgboost", "lightgbm", "catboost")}
PACKAGES = "requirements.txt"


def docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.docker
@pytest.mark.slow
def test_mlflow_builds_an_image_that_serves_every_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One image, of the version in Production, that has all engines: the others are put into it."""
    call(tmp_path, "sixfold", TRAIN)
    store = f"sqlite:///{tmp_path / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    board = json.loads(call(tmp_path, "sixfold", ["leaderboard", "--json"]))["candidates"]
    models = {row["name"]: downloaded(row, tmp_path) for row in board}
    in_production(with_all_packages(models, tmp_path / "all"))
    build = ["models", "build-docker", "-m", "models:/plain/Production", "-n", IMAGE]
    try:
        environment = {"MLFLOW_TRACKING_URI": store}
        call(tmp_path, "mlflow", [*build, "--env-manager", "local"], environment)
        answers_as_recorded(models["ensemble"])
        for name in ENGINES:
            answers_as_recorded(models[name], "--volume", f"{models[name]}:/opt/ml/model")
    finally:
        subprocess.run(["docker", "image", "rm", "--force", IMAGE], capture_output=True)


def downloaded(row: dict[str, Any], folder: Path) -> Path:
    place = folder / "models" / row["name"].replace(":", "-")
    place.mkdir(parents=True)
    return Path(download_artifacts(row["model_uri"], dst_path=str(place)))


def with_all_packages(models: dict[str, Path], folder: Path) -> Path:
    """The ensemble, which has the packages of its members, with those of the others too."""
    shutil.copytree(models["ensemble"], folder)
    texts = [(model / PACKAGES).read_text() for model in models.values()]
    wanted = {line for text in texts for line in text.splitlines()}
    assert {line.partition("==")[0] for line in wanted} >= {"xgboost-cpu", "lightgbm", "catboost"}
    (folder / PACKAGES).write_text("\n".join(sorted(wanted)))
    return folder


def in_production(model: Path) -> None:
    client = MlflowClient()
    client.create_registered_model("plain")
    client.create_model_version("plain", str(model))
    client.transition_model_version_stage("plain", "1", "Production")


def answers_as_recorded(model: Path, *options: str) -> None:
    """The image serves a model, whose sample has the predictions that were recorded."""
    options = (*options, "--publish", "127.0.0.1::8080", "--env", "MLFLOW_MODELS_WORKERS=1")
    container = docker("run", "--detach", *options, IMAGE)
    try:
        wait_until(lambda: answers(container), seconds=120)
        address = address_of(container)
        rows, recorded = read_sample(model / "data" / "model" / "sample.json")
        found = predicted(f"{address}/invocations", rows)
    finally:
        docker("rm", "--force", "--volumes", container)
    np.testing.assert_allclose(found, recorded, rtol=1e-5, atol=1e-6)


def address_of(container: str) -> str:
    return f"http://{docker('port', container, '8080').splitlines()[0]}"


def answers(container: str) -> bool:
    """Whether it does; one that has ended is started anew: MLflow's nginx may not open its log."""
    if docker("inspect", "--format", "{{.State.Running}}", container) != "true":
        docker("start", container)
    try:
        with urllib.request.urlopen(f"{address_of(container)}/ping", timeout=5) as answer:
            return bool(answer.status == 200)
    except (OSError, HTTPException, subprocess.CalledProcessError):  # it may end meanwhile
        return False


def predicted(address: str, rows: list[dict[str, object]]) -> np.ndarray:
    """Probabilities of each class."""
    body = {"dataframe_records": rows, "params": {"predict_method": "predict_proba"}}
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(address, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        records = json.load(answer)["predictions"]
    return np.array([list(record.values()) for record in records])
