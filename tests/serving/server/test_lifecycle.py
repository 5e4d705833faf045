"""Starting, draining, and workers that die."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from http.client import HTTPException
from pathlib import Path

import pytest

from tests.serving.server.bundles import MIXED, ROW, Linear, write_bundle
from tests.serving.server.running import JSON, ROOT, Server, ask, running, start
from tests.serving.server.test_server import received
from tests.waiting import wait_until

BODY = json.dumps({"dataframe_records": [ROW]}).encode()


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    write_bundle(tmp_path / "bundle", MIXED)
    return tmp_path / "bundle"


def test_a_model_that_is_another_is_not_served(bundle: Path, tmp_path: Path) -> None:
    Linear(MIXED, seed=1).write(bundle / "model.onnx")
    server = start(bundle, tmp_path / "log", workers=1)
    assert server.process.wait(30) == 1
    (line,) = server.log().splitlines()
    assert line.startswith("cannot serve: expected the recorded predictions")


@pytest.mark.parametrize(
    ("settings", "shown"),
    [({"port": "x"}, "SIXFOLD_PORT"), ({"host": "no such host"}, "SIXFOLD_HOST")],
)
def test_wrong_settings(bundle: Path, tmp_path: Path, settings: dict[str, str], shown: str) -> None:
    server = start(bundle, tmp_path / "log", **settings)
    assert server.process.wait(30) == 1
    (line,) = server.log().splitlines()
    assert line.startswith("cannot serve: ")
    assert shown in line


def test_a_port_that_is_taken(bundle: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = start(bundle, tmp_path / "log", port=port)
        assert server.process.wait(30) == 1
    (line,) = server.log().splitlines()
    assert f"127.0.0.1:{port}" in line


def half_sent(server: Server) -> socket.socket:
    """A connection whose request is under way."""
    connection = socket.create_connection(("127.0.0.1", server.port), 10)
    head = b"POST /invocations HTTP/1.1\r\ncontent-type: application/json\r\n"
    connection.sendall(head + b"content-length: %d\r\n\r\n" % len(BODY) + BODY[:10])
    return connection


def test_a_drain_finishes_what_was_begun(bundle: Path) -> None:
    with running(bundle, workers=2) as server:
        under_way = [half_sent(server) for _ in range(4)]
        idle = server.connect()
        assert ask(idle, "GET", "/ping").status == 200
        time.sleep(0.2)
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: refuses(server.port))
        for connection in under_way:
            connection.sendall(BODY[10:])
            answer = received(connection)
            assert answer.startswith(b"HTTP/1.1 200 OK")
            assert b"\r\nconnection: close\r\n" in answer
            connection.close()
        assert server.process.wait(10) == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_who_has_come_is_answered_before_the_end(bundle: Path, workers: int) -> None:
    """Whether accepted or not: all of this reaches the workers while they are busy, SIGTERM too."""
    with running(bundle, workers=workers) as server:
        kept = [server.connect() for _ in range(10)]
        for connection in kept:
            assert ask(connection, "POST", "/invocations", BODY, JSON).status == 200
        busy = server.workers()
        for worker in busy:
            os.kill(worker, signal.SIGSTOP)
        asking = kept + [server.connect() for _ in range(10)]
        for connection in asking:
            connection.request("POST", "/invocations", BODY, JSON)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        for worker in busy:
            os.kill(worker, signal.SIGCONT)
        for connection in asking:
            answer = connection.getresponse()
            assert (answer.status, answer.getheader("connection")) == (200, "close")
        assert server.process.wait(10) == 0


def refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return False


def test_while_draining_it_is_alive_but_not_ready(bundle: Path) -> None:
    with running(bundle, drain_seconds=1) as server:
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: server.ask("GET", "/readyz").status == 503)
        answer = server.ask("GET", "/v2/health/ready")
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert server.ask("GET", "/ping").status == 503
        assert server.ask("GET", "/livez").status == 200
        assert server.ask("POST", "/invocations", BODY, JSON).status == 200
        assert server.process.wait(10) == 0


@pytest.mark.slow
def test_a_second_signal_ends_at_once(bundle: Path) -> None:
    with running(bundle, drain_seconds=60) as server:
        server.process.send_signal(signal.SIGINT)
        wait_until(lambda: server.ask("GET", "/readyz").status == 503)
        time.sleep(1.1)  # what comes together is one signal
        for worker in server.workers():
            os.kill(worker, signal.SIGTERM)
        assert server.process.wait(10) == 0


def test_a_signal_to_the_whole_group_is_one(bundle: Path) -> None:
    """The workers have it twice: from who sent it, and from their parent."""
    with running(bundle, drain_seconds=2) as server:
        for process in (server.process.pid, *server.workers()):
            os.kill(process, signal.SIGINT)
        wait_until(lambda: server.ask("GET", "/readyz").status == 503)
        time.sleep(0.5)
        assert server.ask("POST", "/invocations", BODY, JSON).status == 200
        assert server.process.wait(10) == 0


def test_a_signal_while_it_starts_ends_it(bundle: Path) -> None:
    """Process 1 of a container, which this is not, would not have got it at all."""
    text = (
        "import os, signal, sys\n"
        "from serving.server import __main__, main\n"
        "preload = main._preload\n"
        "def told(*given):\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    preload(*given)\n"
        "main._preload = told\n"
        "sys.exit(__main__.main())"
    )
    command = [sys.executable, "-c", text, str(bundle)]
    environ = {**os.environ, "SIXFOLD_PORT": "0"}
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_worker_that_dies_is_replaced(bundle: Path) -> None:
    with running(bundle, workers=2) as server:
        before = server.workers()
        os.kill(before[0], signal.SIGKILL)
        wait_until(lambda: len(set(server.workers()) - set(before)) == 1)
        for _ in range(20):
            assert server.ask("POST", "/invocations", BODY, JSON).status == 200
        assert "ended (signal 9); it is replaced" in server.log()


@pytest.mark.slow
def test_killed_workers_lose_no_request_but_those_they_had(bundle: Path) -> None:
    """A connection that breaks is a killed worker's; all others are answered, new ones as well.

    The port stays open all along, so that no connection is refused.
    """
    with running(bundle, workers=2) as server:
        stop = threading.Event()
        broken: list[int] = [0] * 4
        answered: list[int] = [0] * 4

        def load(client: int) -> None:
            connection = server.connect()
            while not stop.is_set():
                try:
                    assert ask(connection, "POST", "/invocations", BODY, JSON).status == 200
                    answered[client] += 1
                except ConnectionRefusedError:
                    raise
                except (OSError, HTTPException):
                    broken[client] += 1
                    connection.close()
            connection.close()

        threads = [threading.Thread(target=load, args=(client,)) for client in range(4)]
        for thread in threads:
            thread.start()
        kills = 3
        for _ in range(kills):
            wait_until(lambda: len(server.workers()) == 2)
            time.sleep(0.3)
            os.kill(server.workers()[0], signal.SIGKILL)
        time.sleep(0.5)
        stop.set()
        for thread in threads:
            thread.join()
        assert all(count > 20 for count in answered)
        assert sum(broken) <= kills * 4
        assert server.process.poll() is None


def test_workers_end_with_their_parent(bundle: Path) -> None:
    with running(bundle, workers=2) as server:
        workers = server.workers()
        server.process.kill()
        server.process.wait(10)
        wait_until(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))
