"""`--isolate` without an engine: how its runs end, and what containers are told."""

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from docker.errors import NotFound
from mlflow.projects.submitted_run import LocalSubmittedRun

from tests.training.trained import store_in
from training import isolate, leaderboard
from training.candidates import Outcome
from training.isolate import Limits, train_isolated
from training.prepare import Prepared
from training.progress import Progress
from training.readback import read_outcome
from training.request import Request
from training.run import conclude, train


class Container:
    """One of a process; `docker stop` ends it."""

    def __init__(self, process: subprocess.Popen[bytes], gone: bool) -> None:
        self.labels = {"sixfold.candidate": "parent/svm"}
        self._process, self._gone = process, gone

    def stop(self, timeout: int) -> None:
        assert timeout
        self._process.terminate()
        if self._gone:
            raise NotFound("No such container")


class Engine:
    """An engine whose container comes after it was asked for containers some times.

    Parameters
    ----------
    late : int
    gone : bool
        The container is gone when it is to be stopped.
    """

    def __init__(self, late: int, gone: bool) -> None:
        self.containers, self._late, self._gone = self, late, gone
        self.process: subprocess.Popen[bytes] | None = None

    def list(self, **_: Any) -> list[Container]:
        self._late -= 1
        if self.process is None or self._late >= 0:
            return []
        return [Container(self.process, self._gone)]

    def events(self, **_: Any) -> "Engine":
        return self

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def close(self) -> None:
        pass


class Parent:
    run_id, experiment_id = "parent", "0"


@pytest.fixture
def _heard() -> Iterator[None]:
    """Ctrl-C is heard, whatever a command has made of it in this process before."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.timeout(60)
@pytest.mark.usefixtures("_heard")
@pytest.mark.parametrize("when", ["launching", "running"])
@pytest.mark.parametrize("gone", [False, True])
def test_an_interrupt_ends_a_container_that_is_yet_to_come(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, when: str, gone: bool
) -> None:
    engine, ended, asked = Engine(3, gone), [], []

    def interrupt() -> None:
        os.kill(os.getpid(), signal.SIGINT)

    def run(*_: Any, **given: Any) -> LocalSubmittedRun:
        engine.process = subprocess.Popen(["sleep", "600"], start_new_session=True)
        asked.append(given)
        if when == "launching":
            interrupt()
        else:
            threading.Timer(1, interrupt).start()
        return LocalSubmittedRun("run", engine.process)

    monkeypatch.setattr(isolate, "check_engine", lambda: engine)
    monkeypatch.setattr(mlflow.projects, "run", run)
    monkeypatch.setattr(isolate, "end_run", lambda *given: ended.append(given))
    # No part of a container's life is looked at, so that nothing of the table is.
    prepared: Any = None
    recorder: Any = Parent()
    with pytest.raises(KeyboardInterrupt):
        list(
            train_isolated(
                Request(), prepared, ["svm"], Limits(), recorder, tmp_path, Progress(quiet=True)
            )
        )
    assert engine.process is not None
    assert engine.process.poll() == -signal.SIGTERM
    assert ended == [("run", "KILLED", "interrupted")]


def test_a_tables_credentials_are_in_no_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told: list[str] = []

    def run(*_: Any, parameters: dict[str, str], docker_args: dict[str, str], **__: Any) -> Any:
        told.extend([parameters["data"], Path(docker_args["env-file"]).read_text()])
        raise RuntimeError("enough")

    monkeypatch.setattr(isolate, "check_engine", lambda: Engine(0, False))
    monkeypatch.setattr(mlflow.projects, "run", run)
    request = Request(data="https://me:hunter2@host/t.csv?X-Amz-Signature=hunter3")
    prepared: Any = None
    recorder: Any = Parent()
    with pytest.raises(RuntimeError, match="enough"):
        list(
            train_isolated(
                request, prepared, ["svm"], Limits(), recorder, tmp_path, Progress(quiet=True)
            )
        )
    assert told[0] == "https://host/t.csv"
    assert f"SIXFOLD_DATA={request.data}\n" in told[1]


def test_test_rows_of_one_class_are_read_back(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """They have no ROC AUC, nor an interval of it."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 300)
    y[-90:] = 0
    days = pd.date_range("2024-01-01", periods=300).astype(str)
    frame = pd.DataFrame({"t": days, "x": rng.normal(size=300) + y, "y": y})
    found: list[Outcome] = []

    def read(request: Request, prepared: Prepared, outcomes: list[Outcome], *given: Any) -> Any:
        row = outcomes[0].row
        found.append(read_outcome(row["name"], row["run_id"], "", prepared, tmp_path / "read"))
        return conclude(request, prepared, outcomes, *given)

    monkeypatch.setattr("training.run.conclude", read)
    with store_in(tmp_path):
        frame.to_csv("late.csv", index=False)
        asked = Request("late.csv", "y", time="t", search="none", algorithms="decision_tree")
        board = train(asked, Progress(quiet=True))
    assert found[0].row["status"] == "finished"
    plain = leaderboard.plain(found[0].row)
    for figure in ("cv_mean", "test", "test_low", "test_high"):
        assert plain[figure] == board["candidates"][0][figure]
