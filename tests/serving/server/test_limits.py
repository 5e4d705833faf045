"""Tokens, time, concurrency, and large requests beside small ones."""

import itertools
import json
import socket
import threading
import time
from pathlib import Path

import pytest

from tests.serving.server.bundles import MIXED, ROW, write_bundle
from tests.serving.server.running import Server, running
from tests.serving.server.test_server import check_error, counted, received, request

HEAD = (
    b"POST /invocations HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n"
)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    write_bundle(tmp_path / "bundle", MIXED)
    return tmp_path / "bundle"


def predict(server: Server, headers: dict[str, str] | None = None) -> int:
    return server.ask("POST", "/invocations", {"dataframe_records": [ROW]}, headers).status


@pytest.mark.parametrize("by_file", [False, True])
def test_token(bundle: Path, by_file: bool) -> None:
    token = "s3cret-token"
    (bundle.parent / "token").write_text(token + "\n")
    given = {"token_file": bundle.parent / "token"} if by_file else {"token": token}
    with running(bundle, **given) as server:
        for wrong in ({}, {"authorization": "Bearer x"}, {"authorization": token}):
            for path in ("/invocations", "/v2/models/churn", "/metrics", "/docs", "/nowhere"):
                answer = server.ask("GET", path, headers=wrong)
                assert "token" in check_error(answer, 401)
                assert answer.headers["www-authenticate"] == "Bearer"
        for path in (
            "/ping",
            "/health",
            "/livez",
            "/readyz",
            "/v2/health/live",
            "/v2/health/ready",
        ):
            assert server.ask("GET", path).status == 200
        for scheme in ("Bearer", "bearer", "BEARER"):  # whose case does not count
            assert predict(server, {"authorization": f"{scheme} {token}"}) == 200
        assert token not in server.log()


def test_a_body_that_does_not_come_is_not_waited_for(bundle: Path) -> None:
    with running(bundle, max_seconds=0.3) as server:
        with socket.create_connection(("127.0.0.1", server.port), 10) as connection:
            connection.sendall(HEAD + b"{")
            answer = b""
            while not answer.endswith(b"}"):
                answer += connection.recv(65536)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nretry-after: 1\r\n" in answer
        assert b"0.3 seconds" in answer
        assert counted(server, "sixfold_in_flight") == 0
        assert predict(server) == 200


def test_a_client_that_goes_away_is_forgotten(bundle: Path) -> None:
    with running(bundle) as server:
        with socket.create_connection(("127.0.0.1", server.port), 10) as connection:
            connection.sendall(HEAD + b"{")
        until = time.monotonic() + 10
        while counted(server, "sixfold_in_flight") and time.monotonic() < until:
            time.sleep(0.01)
        assert counted(server, "sixfold_in_flight") == 0
        assert counted(server, "sixfold_requests_total") > 0


def test_too_many_at_once(bundle: Path) -> None:
    with running(bundle, max_concurrency=2) as server:
        waiting = [socket.create_connection(("127.0.0.1", server.port), 10) for _ in range(2)]
        for connection in waiting:
            connection.sendall(HEAD + b"{")
        until = time.monotonic() + 10
        while counted(server, "sixfold_in_flight") < 2 and time.monotonic() < until:
            time.sleep(0.01)
        answer = server.ask("POST", "/invocations", {"dataframe_records": [ROW]})
        check_error(answer, 503)
        assert answer.headers["retry-after"] == "1"
        assert server.ask("GET", "/readyz").status == 200
        for connection in waiting:
            connection.close()
        while predict(server) != 200 and time.monotonic() < until:
            time.sleep(0.01)
        assert predict(server) == 200


def test_liveness_answers_while_a_large_request_is_predicted(bundle: Path) -> None:
    body = json.dumps({"dataframe_records": [ROW] * 60_000}).encode()
    with running(bundle) as server:
        found: list[int] = []

        def large() -> None:
            headers = {"content-type": "application/json"}
            answer = server.ask("POST", "/invocations", body, headers)
            found.append(len(answer.json()["predictions"]))

        thread = threading.Thread(target=large)
        thread.start()
        alive = 0
        while thread.is_alive():
            assert server.ask("GET", "/livez").status == 200
            alive += 1
        thread.join()
        assert found == [60_000]
        assert alive > 3


def test_what_follows_does_not_harm_a_longer_answer(bundle: Path) -> None:
    """Neither the end of what a client sends, nor junk: a large request, and one in pieces."""
    with running(bundle) as server:
        for whole, cut, junk in itertools.product([request(3_000), request()], [1, 9], [b"", b"?"]):
            with socket.create_connection(("127.0.0.1", server.port), 10) as connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.sendall(whole[:-cut])
                time.sleep(0.05)
                connection.sendall(whole[-cut:] + junk)
                if not junk:
                    connection.shutdown(socket.SHUT_WR)
                head, _, body = received(connection).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 OK")
            assert json.loads(body)["predictions"]


def test_a_slow_reader_gets_it_all(bundle: Path) -> None:
    body = json.dumps({"inputs": {name: [value] * 50_000 for name, value in ROW.items()}}).encode()
    with running(bundle) as server:
        with socket.create_connection(("127.0.0.1", server.port), 10) as connection:
            head = HEAD.replace(b": 100\r\n", b": %d\r\nconnection: close\r\n" % len(body))
            connection.sendall(head + body)
            time.sleep(0.3)
            answer = received(connection).partition(b"\r\n\r\n")[2]
        assert len(json.loads(answer)["predictions"]) == 50_000
