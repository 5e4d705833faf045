"""Connections are spread over the workers."""

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.serving.server.bundles import MIXED, write_bundle
from tests.serving.server.running import Server, running
from tests.waiting import wait_until


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    write_bundle(tmp_path / "bundle", MIXED)
    with running(tmp_path / "bundle", workers=2) as server:
        yield server


def sockets(worker: int) -> int:
    """How many sockets a process has open."""
    files = Path(f"/proc/{worker}/fd").iterdir()
    return sum(str(file.readlink()).startswith("socket:") for file in files)


def test_clients_that_come_together_are_not_all_one_workers(server: Server) -> None:
    workers = server.workers()
    before = [sockets(worker) for worker in workers]
    with ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port), 10))
        wait_until(lambda: sum(map(sockets, workers)) == sum(before) + 20, 10)
        shares = [sockets(worker) - old for worker, old in zip(workers, before, strict=True)]
        assert min(shares) >= 1


def test_a_worker_that_hangs_leaves_connections_to_the_other(server: Server) -> None:
    hanging = server.workers()[0]
    with ExitStack() as stack:
        # It has the fewest by far when it stops: the other one would give way to it.
        os.kill(hanging, signal.SIGSTOP)
        stack.callback(os.kill, hanging, signal.SIGCONT)
        for _ in range(20):
            assert server.ask("GET", "/ping").status == 200
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port), 10))
