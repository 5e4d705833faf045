"""Options that a target does not have, and what is missing on this machine: one line, exit 2."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from sixfold import main


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--to", "compose", "--canary", "9", "--token-file", "a", "--write", "b"], "no --token-f"),
        (["--to", "docker", "--canary", "9", "--token-file", "a"], "no --token-file with --canary"),
        (["--to", "kubernetes", "--canary", "9", "--token-file", "a"], "expected no --token-file"),
        (["--to", "docker", "--gateway", "a"], "expected no --gateway with --to docker"),
        (["--to", "compose", "--host", "a"], "expected no --host with --to compose"),
        (["--to", "kubernetes", "--gateway", "a"], "expected --canary with --gateway"),
        (["--to", "kubernetes", "--host", "a.b"], "expected --canary with --host"),
        (["--to", "kubernetes", "--canary", "9", "--gateway", "a/b/c"], "or NAMESPACE/NAME"),
        (["--to", "kubernetes", "--canary", "9", "--host", "a:80"], "expected --host with a name"),
        (["--to", "docker", "--replicas", "2"], "expected no --replicas with --to docker"),
        (["--to", "compose", "--namespace", "a"], "expected no --namespace with --to compose"),
        (["--to", "kubernetes", "--port", "80"], "expected no --port with --to kubernetes"),
        (["--to", "docker", "--memory", "lots"], "expected --memory from 96m"),
        (["--to", "docker", "--memory", ""], "expected --memory from 96m"),
        (["--to", "docker", "--cpu", "many"], "expected --cpu such as 1"),
        (["--to", "docker", "--cpu", ""], "expected --cpu such as 1"),
        (["--to", "docker", "--record-class", "a"], "expected no --record-class with --to docker"),
        (["--to", "docker", "--traces", "collector:4318"], "expected --traces with the URL"),
        (["--to", "docker", "--traces", "http://u:p@a:4318"], "without a user and password"),
        (["--to", "docker", "--record-size", "1g"], "expected --record with --record-size"),
        (["--to", "kubernetes", "--record-access", "ReadWriteOnce"], "expected --record with"),
        (["--to", "kubernetes", "--record", "here"], "goes to a PersistentVolumeClaim"),
        (
            ["--to", "docker", "--record", "--record-size", "many"],
            "expected --record-size from 16m",
        ),
    ],
)
def test_options_that_do_not_fit(words: list[str], said: str) -> None:
    done = CliRunner().invoke(main, ["deploy", "churn", *words])
    assert done.exit_code == 2
    assert said in done.output
    assert len(done.output.splitlines()) == 1


def test_no_kubectl(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    done = CliRunner().invoke(main, ["undeploy", "churn", "--to", "kubernetes"])
    assert done.exit_code == 2
    assert "expected the command `kubectl`, got none in PATH" in done.output


def test_no_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    done = CliRunner().invoke(main, ["undeploy", "churn", "--to", "docker"])
    assert done.exit_code == 2
    assert "expected a Docker engine, got none that answers" in done.output
