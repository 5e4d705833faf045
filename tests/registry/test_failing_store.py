"""A store that fails has not said that there is no such thing: it is said to have failed."""

import sqlite3
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import mlflow
import pytest
from boto3.exceptions import S3UploadFailedError
from botocore.exceptions import ClientError, EndpointConnectionError
from click.testing import CliRunner

from registry import journal
from registry.store import reported
from sixfold import main
from training.errors import UserError
from training.history import read_text

_PASSWORD = "7d1c0f2a"


class _Failing(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_error(503)

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a server that answers nothing but that it cannot."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Failing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://ada:{_PASSWORD}@127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def only_error(*words: str) -> str:
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    assert _PASSWORD not in result.output
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("sixfold: ")]
    return line


def parent_of(client: mlflow.MlflowClient) -> str:
    version = client.get_model_version("churn", "1")
    return str(client.get_run(str(version.run_id)).data.tags["mlflow.parentRunId"])


@pytest.mark.parametrize(
    ("words", "doing"),
    [
        (["leaderboard"], "reading the leaderboard"),
        (["register", "churn"], "reading the leaderboard"),
        (["promote", "churn", "--dry-run"], "promoting"),
        (["compare", "churn", "1", "2"], "comparing"),
    ],
)
def test_artifacts_that_cannot_be_read_are_one_line(
    registry: mlflow.MlflowClient, tmp_path: Path, failing: str, words: list[str], doing: str
) -> None:
    where = f"{failing}/api/2.0/mlflow-artifacts/artifacts/"
    with sqlite3.connect(tmp_path / "mlflow.db") as database:
        database.execute("UPDATE runs SET artifact_uri = ? || run_uuid", (where,))
    said = only_error(*words)
    assert f"the tracking server, which failed while {doing}" in said
    assert not journal.read(registry, "churn", running=True)


@pytest.mark.parametrize(
    "error",
    [
        S3UploadFailedError("Failed to upload x to bucket/x: no such bucket"),
        EndpointConnectionError(endpoint_url="http://127.0.0.1:1"),
        ClientError({"Error": {"Code": "403", "Message": "Forbidden"}}, "HeadObject"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_bucket_that_fails_is_one_line(error: Exception) -> None:
    said = "failed while promoting, after several tries: "
    with pytest.raises(UserError, match=said), reported("promoting"):
        raise error


def test_a_run_that_cannot_be_read_is_one_line(
    registry: mlflow.MlflowClient, tmp_path: Path
) -> None:
    run = parent_of(registry)
    with sqlite3.connect(tmp_path / "mlflow.db") as database:
        database.execute("DROP TABLE latest_metrics")
    assert "which failed while reading the leaderboard" in only_error("leaderboard", run)


def test_a_server_that_fails_is_one_line_without_its_password(
    failing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", failing)
    assert "expected an MLflow tracking store at http://127.0.0.1" in only_error("leaderboard")


def test_an_artifact_that_is_not_there_is_no_failure(registry: mlflow.MlflowClient) -> None:
    run = registry.get_run(parent_of(registry))
    assert read_text(run, "leaderboard.json").startswith("{")
    assert read_text(run, "leaderboard.txt") == ""
    assert read_text(run, "nowhere/leaderboard.json") == ""
