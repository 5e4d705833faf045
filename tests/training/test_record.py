"""What a training that is interrupted, or whose store fails, leaves in MLflow."""

import os
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient

from tests.training.problems import frame_of
from tests.training.trained import store_in, train_quietly
from training.progress import Progress
from training.request import Request
from training.run import train

_ROOT = Path(__file__).parents[2]
#: The store fails from when a candidate's model is recorded until the process ends.
_OUTAGE = """
import atexit, sys
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sixfold import main

down = False

def failing(name):
    ask = getattr(MlflowClient, name)
    def asked(self, *given, **more):
        global down
        down = down or (name == "log_outputs" and not ended)
        if down:
            raise MlflowException("API request to http://me:hunter2@host failed: 503")
        return ask(self, *given, **more)
    setattr(MlflowClient, name, asked)

def back():
    global down, ended
    down, ended = False, True

ended = False
for name in ("log_outputs", "log_batch", "set_tag", "set_terminated", "finalize_logged_model",
             "log_artifacts", "search_runs"):
    failing(name)

def command():
    try:
        main()
    finally:
        atexit.register(back)  # runs before all that was registered till now

if __name__ == "__main__":
    sys.argv = ["sixfold", "train", "table.csv", "--target", "y", "--search", "none",
                "--algorithms", "decision_tree,logistic_regression"]
    command()
"""


@pytest.fixture
def store(tmp_path: Path) -> Any:
    frame_of("numeric", "binary", 60).to_csv(tmp_path / "table.csv", index=False)
    with store_in(tmp_path) as folder:
        yield folder


def found() -> dict[str, tuple[str, str]]:
    """Each run's status and reason, by the candidate or `training`."""
    runs: list[Any] = mlflow.search_runs(output_format="list", search_all_experiments=True)
    return {
        run.data.tags.get("candidate", "training"): (run.info.status, run.data.tags["reason"])
        for run in runs
    }


def interrupted_at(monkeypatch: pytest.MonkeyPatch, name: str, time: int) -> None:
    """Ctrl-C comes when the client is asked for something the n-th time."""
    ask, asked = getattr(MlflowClient, name), []

    def interrupted(self: MlflowClient, *given: Any, **more: Any) -> Any:
        asked.append(name)
        if len(asked) == time:
            raise KeyboardInterrupt
        return ask(self, *given, **more)

    monkeypatch.setattr(MlflowClient, name, interrupted)


def test_no_credentials_of_the_table_are_shown_or_recorded(
    store: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    files = partial(SimpleHTTPRequestHandler, directory=str(store))
    with ThreadingHTTPServer(("127.0.0.1", 0), files) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        place = f"127.0.0.1:{server.server_port}/table.csv"
        address = f"http://someone:hunter2@{place}?X-Amz-Signature=hunter3"
        asked = Request(address, "y", search="none", folds=3, algorithms="decision_tree")
        board = train(asked, Progress())
        server.shutdown()
    assert f"reading http://{place}" in capfd.readouterr().err
    assert mlflow.get_run(board["run_id"]).data.params["data"] == f"http://{place}"
    assert b"hunter" not in (store / "mlflow.db").read_bytes()


@pytest.mark.usefixtures("store")
def test_an_interrupt_while_a_candidates_run_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted_at(monkeypatch, "log_inputs", 2)
    with pytest.raises(KeyboardInterrupt):
        train_quietly(data="table.csv", algorithms="decision_tree")
    killed = ("KILLED", "interrupted")
    assert found() == {"training": killed, "decision_tree": killed}


@pytest.mark.usefixtures("store")
def test_an_interrupt_while_a_failure_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted_at(monkeypatch, "log_batch", 2)
    with pytest.raises(KeyboardInterrupt):
        train_quietly(data="table.csv", algorithms="random_forest", budget=0.001)
    killed = ("KILLED", "interrupted")
    assert found() == {"training": killed, "random_forest": killed}


def test_a_store_that_fails_is_told_in_a_line_and_no_run_is_left(store: Path) -> None:
    (store / "outage.py").write_text(_OUTAGE)
    environment = os.environ | {"PYTHONPATH": str(_ROOT)}
    done = subprocess.run(
        [sys.executable, "outage.py"], cwd=store, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("sixfold: expected an answer of the tracking server")
    assert "hunter2" not in done.stderr
    runs = found()
    assert len(runs) == 2, "the parent and one candidate"
    assert {status for status, _ in runs.values()} == {"FAILED"}
    assert all("tracking server" in reason for _, reason in runs.values())
