"""The process that reads the table: how it ends when it is left or killed, or lacks something."""

import errno
import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from tests.training.problems import frame_of
from training import problem, reader, worker
from training.errors import UserError
from training.reader import prepared_aside
from training.request import Request


@pytest.fixture(scope="module", autouse=True)
def _server() -> None:
    worker.prepare(1)


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A server that takes connections and never answers."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        yield server


def table_at(server: socket.socket) -> Request:
    return Request(data=f"http://127.0.0.1:{server.getsockname()[1]}/table.csv", target="y")


def reading(server: socket.socket) -> psutil.Process:
    """The process that is connected to a server."""
    port = server.getsockname()[1]
    (found,) = [
        process
        for process in psutil.Process().children(recursive=True)
        if any(c.raddr and c.raddr.port == port for c in process.net_connections())
    ]
    return found


def test_a_table_is_prepared_aside(tmp_path: Path) -> None:
    frame_of("numeric", "binary", 60).to_csv(tmp_path / "table.csv", index=False)
    request = Request(data=str(tmp_path / "table.csv"), target="y", folds=3)
    with prepared_aside(request, tmp_path / "problem") as coming:
        prepared = coming()
    assert isinstance(prepared.problem.y, np.memmap)
    assert len(prepared.train) == prepared.problem.rows


@pytest.mark.timeout(90)
@pytest.mark.parametrize("error", [KeyboardInterrupt, UserError])
def test_what_ends_the_caller_ends_the_reading(
    silent: socket.socket, tmp_path: Path, error: type[BaseException]
) -> None:
    found: list[psutil.Process] = []

    def leave() -> None:
        with prepared_aside(table_at(silent), tmp_path / "problem"), silent.accept()[0]:
            found.append(reading(silent))
            raise error

    with pytest.raises(error):
        leave()
    assert not found[0].is_running()


@pytest.mark.timeout(90)
def test_a_reading_process_that_is_killed_is_told_in_a_line(
    silent: socket.socket, tmp_path: Path
) -> None:
    told = "killed, most likely because memory ran out; give it more"
    with (
        prepared_aside(table_at(silent), tmp_path / "problem") as coming,
        silent.accept()[0],
    ):
        reading(silent).kill()
        with pytest.raises(UserError, match=told):
            coming()


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (MemoryError(), "expected memory for the table"),
        (OSError(errno.ENOSPC, "No space left on device"), "got: No space left on device; free"),
        (OSError("800 requested and 512 written"), "got: 800 requested and 512 written; free"),
    ],
)
def test_a_table_that_cannot_be_kept_is_told_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, told: str
) -> None:
    def save(*_: object) -> None:
        raise error

    frame_of("numeric", "binary", 60).to_csv(tmp_path / "table.csv", index=False)
    monkeypatch.setattr(problem, "save", save)
    answer = reader._answer(
        Request(data=str(tmp_path / "table.csv"), target="y"), tmp_path / "problem"
    )
    assert isinstance(answer, UserError)
    assert told in str(answer)
