"""What `sixfold build` and `serve` say where something is missing."""

import shutil
import socket
from pathlib import Path

import mlflow
import pytest
from click.testing import CliRunner, Result

from serving.build import Built, find
from sixfold import main
from training.errors import UserError


def sixfold(*words: str) -> Result:
    return CliRunner().invoke(main, words)


def only_error(result: Result) -> str:
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("sixfold: ")]
    return line


def to_production(client: mlflow.MlflowClient, version: str) -> None:
    client.transition_model_version_stage("churn", version, "Production")


@pytest.mark.parametrize("command", ["build", "serve"])
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["chrun"], "did you mean 'churn'"),
        (["churn"], "expected a version of churn in Production, got none there"),
        (["churn", "--version", "9"], "the newest is 3"),
        (["churn", "--version", "x"], "a version's number"),
    ],
)
def test_a_version_that_is_not_there_is_one_line(
    registry: mlflow.MlflowClient, command: str, words: list[str], said: str
) -> None:
    assert said in only_error(sixfold(command, *words))


def test_the_version_in_production_is_built_unless_another_is_named(
    registry: mlflow.MlflowClient,
) -> None:
    to_production(registry, "2")
    assert find(registry, "churn", "").version == "2"
    assert find(registry, "churn", "3").version == "3"
    registry.transition_model_version_stage("churn", "2", "Archived")
    with pytest.raises(UserError, match="sixfold promote churn"):
        find(registry, "churn", "")


@pytest.mark.parametrize("command", ["build", "serve"])
def test_no_docker_is_one_line(
    registry: mlflow.MlflowClient, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    to_production(registry, "1")
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    assert "expected a Docker engine" in only_error(sixfold(command, "churn"))


def test_an_image_that_cannot_be_called_so_is_one_line(registry: mlflow.MlflowClient) -> None:
    to_production(registry, "1")
    assert "--tag churn:1" in only_error(sixfold("build", "churn", "--tag", "Churn"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "next: sixfold serve churn"),
        (["--version", "7"], "next: sixfold serve churn --version 7"),
    ],
)
def test_what_comes_next_is_of_the_version_that_was_built(
    monkeypatch: pytest.MonkeyPatch, words: list[str], said: str
) -> None:
    def build(*_: object) -> Built:
        return Built("churn", "7", "run7", "churn:7", "sha256:0", "onnx", "", 9, 9, 0.5, [])

    monkeypatch.setattr("registry.store.connect", lambda: None)
    monkeypatch.setattr("serving.cli.import_ahead", lambda _: None)
    monkeypatch.setattr("serving.build.build", build)
    assert sixfold("build", "churn", *words).stdout.strip().endswith(f"; {said}")


@pytest.mark.parametrize("platform", ["linux/amd64,linux/arm64", "arm64", "linux/", ""])
def test_what_is_not_one_platform_is_one_line(registry: mlflow.MlflowClient, platform: str) -> None:
    to_production(registry, "1")
    said = only_error(sixfold("build", "churn", "--platform", platform))
    assert "expected one platform, OS/ARCHITECTURE" in said
    assert f"got {platform!r}" in said


def test_a_list_that_cannot_be_written_is_one_line_before_the_work(tmp_path: Path) -> None:
    said = only_error(sixfold("build", "churn", "--sbom", str(tmp_path)))
    assert said.startswith(f"sixfold: expected a file to write to with --sbom, got '{tmp_path}'")


@pytest.mark.docker
@pytest.mark.parametrize("words", [[], ["--slim"]])
def test_a_platform_that_cannot_be_had_is_one_line(
    registry: mlflow.MlflowClient, words: list[str]
) -> None:
    to_production(registry, "1")
    said = only_error(sixfold("build", "churn", "--platform", "linux/none", *words))
    assert "expected the image python:3.11-slim for linux/none" in said


@pytest.mark.parametrize("memory", ["lots", "10m"])
def test_an_amount_of_memory_that_is_none_is_one_line(
    registry: mlflow.MlflowClient, memory: str
) -> None:
    to_production(registry, "1")
    assert f"--memory from 256m to 1024t, got '{memory}'" in only_error(
        sixfold("serve", "churn", "--memory", memory)
    )


@pytest.mark.docker
def test_a_port_that_is_taken_is_one_line(registry: mlflow.MlflowClient) -> None:
    to_production(registry, "1")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        said = only_error(sixfold("serve", "churn", "--port", port))
    assert f"got {port}" in said
    assert "--port" in said


@pytest.mark.docker
def test_no_docker_command_is_one_line(
    registry: mlflow.MlflowClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The engine answers, but MLflow builds by the command."""
    to_production(registry, "1")
    folder = tmp_path / "bin"
    folder.mkdir()
    found = shutil.which("git")
    assert found
    (folder / "git").symlink_to(found)
    monkeypatch.setenv("PATH", str(folder))
    assert "the command `docker`" in only_error(sixfold("build", "churn"))
