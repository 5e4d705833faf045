"""The whole way: from `make train` to a container that answers, to the next version, and back."""

import json
import os
import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import numpy as np
import pandas as pd
import pytest
import requests
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.deployments import PredictionsResponse
from mlflow.pyfunc.scoring_server.client import ScoringServerClient
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput

from tests.e2e.command import ROOT, call, make_train, mlflow_run
from tests.services.mlflow_server import MlflowServer
from tests.services.process import free_ports, listens
from tests.serving.deploy.load import load
from tests.waiting import wait_until
from training.sample import read_sample

pytestmark = [
    pytest.mark.services,
    pytest.mark.slow,
    pytest.mark.docker,
    pytest.mark.timeout(1_200),  # thirty commands and containers, on whatever machine
]
_PROBABILITIES = {"predict_method": "predict_proba"}


@dataclass
class Story:
    """A model of a name that nothing else has, on a server, and the port where it is to answer."""

    folder: Path
    server: MlflowServer
    model: str
    port: int

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(self.server.uri)

    def sixfold(self, *words: str, code: int = 0) -> tuple[str, dict[str, Any]]:
        """What `sixfold …` prints, and the JSON in it."""
        printed = call(self.folder, "sixfold", words, self.server.environment, code)
        begin = printed.find("{\n") if "--json" in words else -1
        return printed, json.loads(printed[begin:]) if begin >= 0 else {}

    def deploy(self) -> str:
        """Bring what is in Production to Docker; what was printed."""
        words = ["deploy", self.model, "--to", "docker"]
        first = [] if listens(self.port) else ["--port", str(self.port)]
        return self.sixfold(*words, *first)[0]

    def roll(self, to: str) -> None:
        """Bring what is in Production to Docker under load, none of which fails."""
        rows, _ = self.recorded(to)
        with load("127.0.0.1", self.port, {"dataframe_records": rows[:1]}, clients=2) as found:
            wait_until(lambda: found.total() > 50)
            assert "in place of version" in self.deploy()
            seen = found.answers[f"{self.model}/{to}"]
            wait_until(lambda: found.answers[f"{self.model}/{to}"] > seen + 50)
        assert found.failures == []

    def status(self, agrees: bool) -> tuple[str, list[str]]:
        """The version in Production, and those that answer."""
        code = 0 if agrees else 1
        _, found = self.sixfold("status", self.model, "--json", code=code)
        assert bool(found["differences"]) != agrees
        return found["production"], [item["version"] for item in found["deployed"]]

    def recorded(self, version: str) -> tuple[list[dict[str, Any]], np.ndarray]:
        """Rows, and the probabilities that training has recorded of them."""
        place = self.folder / f"version-{version}"
        if not place.is_dir():
            place.mkdir()
            download_artifacts(f"models:/{self.model}/{version}", dst_path=str(place))
        (file,) = place.rglob("sample.json")
        return read_sample(file)

    def answers_as_recorded(self, version: str) -> None:
        """Both protocols, by their clients, give what training has recorded."""
        rows, recorded = self.recorded(version)
        frame = pd.DataFrame(rows)
        answer = requests.post(
            f"http://127.0.0.1:{self.port}/invocations",
            json={"dataframe_split": frame.to_dict(orient="split"), "params": _PROBABILITIES},
            timeout=30,
        )
        assert answer.headers["sixfold-version"] == f"{self.model}/{version}"
        for response in (
            PredictionsResponse.from_json(answer.text),
            ScoringServerClient("127.0.0.1", self.port).invoke(frame, _PROBABILITIES),
        ):
            same(response.get_predictions().to_numpy(), recorded)

        client = InferenceServerClient(f"127.0.0.1:{self.port}")
        assert client.is_model_ready(self.model)
        about = client.get_model_metadata(self.model)
        assert about["versions"] == [version]
        inputs = [InferInput(t["name"], [len(rows)], t["datatype"]) for t in about["inputs"]]
        for tensor in inputs:
            values = frame[tensor.name()].to_numpy(np.float64)
            tensor.set_data_from_numpy(values, binary_data=False)
        outputs = [InferRequestedOutput("predict_proba", binary_data=False)]
        same(client.infer(self.model, inputs, outputs=outputs).as_numpy("predict_proba"), recorded)


def same(found: Any, recorded: np.ndarray) -> None:
    np.testing.assert_allclose(found, recorded, rtol=1e-5, atol=1e-6)


def production(client: MlflowClient, model: str) -> tuple[list[str], str | None]:
    """The versions in Production, and the one that the alias names."""
    versions = client.search_model_versions(f"name = '{model}'")
    aliases = client.get_registered_model(model).aliases
    there = [str(item.version) for item in versions if item.current_stage == "Production"]
    return there, str(aliases["production"]) if "production" in aliases else None


@contextmanager
def nothing_left(story: Story) -> Iterator[None]:
    """Nothing of the model is in Docker afterwards but its images, which are removed."""
    engine = docker.from_env()
    name = f"sixfold-{story.model}"
    try:
        yield
        assert engine.containers.list(all=True, filters={"name": name}) == []
        assert engine.networks.list(names=[name]) == []
    finally:
        for container in engine.containers.list(all=True, filters={"name": name}):
            container.remove(force=True)
        for network in engine.networks.list(names=[name]):
            network.remove()
        for image in engine.images.list(name=story.model):
            engine.images.remove(image.id, force=True)


def names_by_score(board: dict[str, Any]) -> Sequence[str]:
    scores = {row["name"]: row["test"] for row in board["candidates"] if row["test"]}
    best, middle, *_ = names = sorted(scores, key=lambda name: -scores[name])
    assert scores["decision_tree"] < scores[middle] - 0.02 < scores[best]
    return names


def test_the_story(
    tmp_path: Path, mlflow_server: MlflowServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Train; promote; answer; a worse one is refused, a better one comes in, and goes again."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_server.uri)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("KUBECONFIG", os.devnull)  # where kubectl has a cluster, it is not on it
    model, environment = f"story-{secrets.token_hex(3)}", mlflow_server.environment
    story = Story(tmp_path, mlflow_server, model, *free_ports(1))
    with nothing_left(story):
        wanted = {"algorithms": "decision_tree,logistic_regression,svm", "search": "none"}
        make_train({**wanted, "register": model}, environment)
        _, board = story.sixfold("leaderboard", "--json")
        _, middle, *_ = names_by_score(board)
        for number, name in ((2, middle), (3, "decision_tree")):
            words = ["register", model, "--run", board["run_id"], "--algorithm", name]
            assert f"{name} is {model} version {number}" in story.sixfold(*words)[0]

        promote = ("promote", model, "--json", "--allow-dirty", "--version")
        _, first = story.sixfold(*promote, "2")
        assert (first["outcome"], first["replaced"]) == ("promoted", None)
        assert story.status(agrees=False) == ("2", [])
        assert f"http://127.0.0.1:{story.port}" in story.deploy()
        story.answers_as_recorded("2")
        assert story.status(agrees=True) == ("2", ["2"])

        _, refused = story.sixfold(*promote, "3", code=1)
        assert refused["outcome"] == "refused"
        assert [g["gate"] for g in refused["gates"] if g["outcome"] == "failed"] == ["quality"]
        # As the project's entry point: in a container, with the policy beside the user's table.
        (tmp_path / "policy.toml").write_text("[lineage]\nallow_dirty = true\n")
        wanted = {"model": model, "version": "1", "note": "better"}
        printed = mlflow_run(tmp_path, ROOT, wanted, ["-e", "promote"], environment)
        assert f"{model} version 1 is in Production, in place of version 2" in printed
        assert production(story.client, model) == (["1"], "1")
        description = story.client.get_model_version(model, "1").description
        assert "Promoted to Production" in str(description)
        assert story.status(agrees=False) == ("1", ["2"])
        story.roll(to="1")
        story.answers_as_recorded("1")
        assert story.status(agrees=True) == ("1", ["1"])

        words = ["rollback", model, "--note", "to see that it works"]
        assert f"{model} version 2 is in Production again" in story.sixfold(*words)[0]
        assert production(story.client, model) == (["2"], "2")
        assert story.status(agrees=False) == ("2", ["1"])
        story.roll(to="2")
        story.answers_as_recorded("2")
        assert story.status(agrees=True) == ("2", ["2"])
        story.sixfold("undeploy", model, "--to", "docker")
        assert not listens(story.port)
        assert story.status(agrees=False) == ("2", [])

    _, history = story.sixfold("history", model, "--json")
    assert [period["version"] for period in history["periods"]] == ["2", "1", "2"]
    assert history["periods"][0]["note"] == "to see that it works"
    assert [(a["version"], a["outcome"]) for a in history["attempts"]][-1] == ("3", "refused")
    wanted = {"model": model, "first": "2", "second": "1"}
    printed = mlflow_run(tmp_path, ROOT, wanted, ["-e", "compare"], environment)
    page = re.escape(f"{model}-2-1.html")
    (run_id,) = re.findall(rf"the page is {page} in the artifacts of run (\w+)", printed)
    assert [item.path for item in story.client.list_artifacts(run_id)] == [f"{model}-2-1.html"]
    story.sixfold("audit", model)
    story.client.set_registered_model_alias(model, "production", "3")
    assert "alias production names version 3" in story.sixfold("audit", model, code=1)[0]
