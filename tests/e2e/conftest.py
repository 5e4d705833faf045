"""What several files of tests look at: a finished training, and a model that is deployed."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.e2e.deployed import containers
from tests.e2e.released import Released, released
from tests.services.cluster import building_meanwhile

_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class FinishedTraining:
    """A training that ended well in an embedded store."""

    folder: Path  # holds mlflow.db and the artifacts
    leaderboard: dict[str, Any]  # what `sixfold leaderboard --json` prints

    @property
    def tracking_uri(self) -> str:
        """Address of the embedded store."""
        return f"sqlite:///{self.folder / 'mlflow.db'}"

    @property
    def finished(self) -> list[dict[str, Any]]:
        """The leaderboard's rows that have a run and a score, best first."""
        return [row for row in self.leaderboard["candidates"] if row["status"] == "finished"]


@pytest.fixture(scope="session")
def finished_training(tmp_path_factory: pytest.TempPathFactory) -> FinishedTraining:
    """Train on scikit-learn's breast cancer table in a folder of its own, as a user would."""
    folder = tmp_path_factory.mktemp("finished-training")
    _sixfold(folder, ["train", "sklearn:breast_cancer", "--budget", "20", "--seed", "0"])
    leaderboard = json.loads(_sixfold(folder, ["leaderboard", "--json"]))
    return FinishedTraining(folder, leaderboard)


@pytest.fixture(scope="session", autouse=True)
def _cluster_is_built(request: pytest.FixtureRequest) -> Iterator[None]:
    with building_meanwhile(request.session.items):
        yield


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Released]:
    """Two versions with their images; a test deploys them, and takes away what it has deployed."""
    with released(tmp_path_factory.mktemp("released")) as found:
        yield found


@pytest.fixture(scope="session")
def engine() -> docker.DockerClient:
    """The machine's Docker."""
    return docker.from_env()


@pytest.fixture
def deploying_here(
    model: Released,
    engine: docker.DockerClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[None]:
    """On this machine alone, and nothing of it is left."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    # Where kubectl has a cluster, this model is not on it.
    monkeypatch.setenv("KUBECONFIG", os.devnull)
    yield
    left = containers(engine, model)
    for name in left:
        engine.containers.get(name).remove(force=True)
    networks = engine.networks.list(names=[model.name])
    for network in networks:
        network.remove()
    assert not left
    assert not networks


def _sixfold(folder: Path, arguments: Sequence[str]) -> str:
    path = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-m", "sixfold", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.returncode == 0, f"sixfold {arguments[0]} failed:\n{done.stdout}\n{done.stderr}"
    return done.stdout
