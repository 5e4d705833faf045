"""An image by its name: in a registry that it is pushed to, and of a model called anything."""

import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import pytest
import requests

from serving import engine as engines
from serving.labels import MODEL as NAME
from tests.e2e.command import call, json_of
from tests.registry.versions import MODEL, registered
from tests.services.image_registry import docker_registry
from tests.training.problems import frame_of
from tests.training.trained import store_in, train_quietly

pytestmark = pytest.mark.docker

_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


@dataclass(frozen=True)
class Oddly:
    """A version in Production of a model whose name no image may have."""

    folder: Path
    engine: Any
    name: str

    def sixfold(self, *words: str, code: int = 0) -> str:
        environment = {"MLFLOW_TRACKING_URI": f"sqlite:///{self.folder}/mlflow.db"}
        return call(self.folder, "sixfold", words, environment, code)

    def told(self, *words: str, code: int = 0) -> dict[str, Any]:
        """What is printed with `--json`, steps aside."""
        printed = self.sixfold(*words, "--json", code=code)
        found: dict[str, Any] = json_of(printed)
        return found


@pytest.fixture(scope="module")
def oddly(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Oddly]:
    folder = tmp_path_factory.mktemp("oddly")
    engine = engines.connect()
    name = f"Iris  $Prüfung {secrets.token_hex(4)}"
    with store_in(folder):
        frame_of("categorical", "binary").to_parquet("table.parquet")
        registered(train_quietly(data="table.parquet", algorithms="decision_tree"))
        client = mlflow.MlflowClient()
        client.rename_registered_model(MODEL, name)
        client.transition_model_version_stage(name, "1", "Production")
        try:
            yield Oddly(folder, engine, name)
        finally:
            for image in engine.images.list(filters={"label": f"{NAME}={name}"}):
                engines.remove(engine, image.id)


def test_an_image_is_pushed_and_pulled_again(oddly: Oddly, tmp_path: Path) -> None:
    with docker_registry(tmp_path) as host:
        repository = f"{host}/team/{secrets.token_hex(4)}"
        words = ("--slim", "--tag", f"{repository}:1", "--push")
        built = oddly.told("build", oddly.name, *words)
        assert built["pushed"]
        assert built["tag"] == f"{repository}:1"
        labels = oddly.engine.images.get(built["image"]).labels
        assert labels[NAME] == oddly.name
        engines.remove(oddly.engine, f"{repository}:1")
        assert not oddly.engine.images.list(name=repository)

        digest = _digest(host, repository.partition("/")[2])
        pulled = oddly.engine.images.pull(repository, tag="1")
        try:
            assert pulled.id == built["image"]
            assert pulled.attrs["RepoDigests"] == [f"{repository}@{digest}"]
            assert pulled.labels == labels
        finally:
            engines.remove(oddly.engine, f"{repository}:1")


def test_a_model_of_any_name_is_built_found_and_served(oddly: Oddly) -> None:
    built = oddly.told("build", oddly.name)
    assert re.fullmatch(r"iris-pr-fung-[0-9a-f]{8}-[0-9a-f]{6}:1", built["tag"])
    assert oddly.engine.images.get(built["tag"]).labels[NAME] == oddly.name
    status = oddly.told("status", oddly.name, code=1)  # it is deployed nowhere
    assert status["built"] == {"1": [built["tag"]]}
    printed = oddly.sixfold("serve", oddly.name, "--port", "0", "--detach").splitlines()
    answers = next(line for line in printed if " answers at " in line)
    oddly.engine.containers.get(answers.rpartition(" ")[2].rstrip(")")).remove(force=True)
    assert any(f"re-using the image {built['tag']}" in line for line in printed)


def _digest(host: str, repository: str) -> str:
    """What the registry knows the image `1` of a repository by."""
    with requests.Session() as session:
        session.trust_env = False  # a proxy reaches no loopback
        address = f"http://{host}/v2/{repository}/manifests/1"
        answer = session.head(address, headers={"Accept": _MANIFEST}, timeout=30)
        answer.raise_for_status()
        return answer.headers["Docker-Content-Digest"]
