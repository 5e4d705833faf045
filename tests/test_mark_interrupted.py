"""An interrupted `mlflow run` ends as KILLED, whatever MLflow writes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.waiting import wait_until

ROOT = Path(__file__).parent.parent
SCRIPT = ROOT / "containers" / "mark_interrupted.py"


@pytest.fixture
def runner() -> Iterator[subprocess.Popen[bytes]]:
    """A process in the place of MLflow's."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    yield process
    process.kill()
    process.wait()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stopped", "reason", "status"),
    [
        (signal.SIGINT, "interrupted", "KILLED"),
        (signal.SIGTERM, "interrupted", "KILLED"),
        (signal.SIGINT, "the table is empty", "FAILED"),
        (None, "interrupted", "FAILED"),
    ],
)
def test_only_what_was_interrupted_is_marked(
    tmp_path: Path,
    runner: subprocess.Popen[bytes],
    stopped: signal.Signals | None,
    reason: str,
    status: str,
) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    client = MlflowClient(uri)
    run_id = client.create_run("0").info.run_id
    client.set_tag(run_id, "reason", reason)
    client.set_terminated(run_id, "FAILED", end_time=1_000)
    watcher = subprocess.Popen(
        [sys.executable, str(SCRIPT), str(runner.pid), run_id],
        env=os.environ | {"MLFLOW_TRACKING_URI": uri},
    )
    wait_until(lambda: _waits(watcher.pid))
    if stopped:
        watcher.send_signal(stopped)
        time.sleep(0.2)
    assert watcher.poll() is None, "it waits for MLflow's end"
    runner.kill()
    runner.wait()
    assert watcher.wait(60) == 0
    info = client.get_run(run_id).info
    assert (info.status, info.end_time) == (status, 1_000)


def _waits(pid: int) -> bool:
    """Whether a process has asked the system to tell it of another one's end."""
    with suppress(FileNotFoundError):  # it has just closed one
        return any("pidfd" in str(fd.readlink()) for fd in Path(f"/proc/{pid}/fd").iterdir())
    return False
