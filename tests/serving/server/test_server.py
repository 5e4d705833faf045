"""A real server: what each path answers, the limits, and that nothing of a request comes back."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from tests.serving.server.bundles import LEVELS, ROW, Linear, sample_rows, write_bundle
from tests.serving.server.running import ROOT, Server, ask, running

UNHURRIED = [HealthCheck.too_slow]
INFER = "/v2/models/churn/infer"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    bundle = tmp_path_factory.mktemp("server") / "bundle"
    write_bundle(bundle, LEVELS)
    with running(bundle, workers=2, max_body=100_000, max_rows=1000) as server:
        yield server


def check_error(answer: Any, status: int) -> str:
    """One shape for all errors; returns the message."""
    assert answer.status == status
    assert answer.headers["content-type"] == "application/json"
    record = answer.json()
    assert set(record) == {"error_code", "message", "error"}
    assert record["message"] == record["error"]
    assert record["error_code"].isupper()
    return str(record["message"])


def test_predicts_the_recorded_sample(server: Server) -> None:
    rows = sample_rows(LEVELS)
    expected = Linear(LEVELS).predict(rows)
    answer = server.ask("POST", "/invocations", {"dataframe_records": rows})
    assert answer.json() == {"predictions": [[1, 2, 30][at] for at in expected.argmax(axis=1)]}
    assert answer.headers["sixfold-version"] == "churn/3"
    request = {"dataframe_records": rows, "params": {"predict_method": "predict_proba"}}
    shares = server.ask("POST", "/invocations", request).json()["predictions"]
    assert [list(row) for row in shares] == [["1", "2", "30"]] * len(rows)
    np.testing.assert_allclose([list(row.values()) for row in shares], expected)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/ping", b"\n"),
        ("/health", b"\n"),
        ("/version", b"3.17.0"),
        ("/livez", b'{"live":true}'),
        ("/readyz", b'{"ready":true}'),
        ("/v2/health/live", b'{"live":true}'),
        ("/v2/health/ready", b'{"ready":true}'),
        ("/v2/models/churn/ready", b'{"ready":true}'),
    ],
)
def test_health(server: Server, path: str, body: bytes) -> None:
    answer = server.ask("GET", path)
    assert (answer.status, answer.body) == (200, body)
    assert server.ask("HEAD", path).status == 200


def test_v2(server: Server) -> None:
    assert server.ask("GET", "/v2").json()["name"] == "sixfold"
    model = server.ask("GET", "/v2/models/churn").json()
    assert server.ask("GET", "/v2/models/churn/versions/3").json() == model
    inputs = [item | {"shape": [1], "data": [ROW[item["name"]]]} for item in model["inputs"]]
    answer = server.ask("POST", INFER, {"inputs": inputs}).json()
    expected = Linear(LEVELS).predict([ROW])
    np.testing.assert_allclose(answer["outputs"][1]["data"], expected[0])
    versioned = server.ask("POST", "/v2/models/churn/versions/3/infer", {"inputs": inputs})
    assert versioned.json() == answer


def test_v2_without_a_content_type(server: Server) -> None:
    body = json.dumps({"inputs": []}).encode()
    assert "inputs" in check_error(server.ask("POST", INFER, body), 400)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/ping/", 404),
        ("POST", "/v2/models/other/infer", 404),
        ("GET", "/v2/models/churn/versions/4", 404),
        ("GET", "/invocations", 405),
        ("POST", "/ping", 405),
        ("DELETE", "/metrics", 405),
        ("OPTIONS", INFER, 405),
        ("POST", "/invocations", 400),
    ],
)
def test_other_paths_and_methods(server: Server, method: str, path: str, status: int) -> None:
    answer = server.ask(method, path)
    check_error(answer, status)
    if status == 405:
        assert answer.headers["allow"] == (
            "POST" if path in ("/invocations", INFER) else "GET, HEAD"
        )


def test_content_type(server: Server) -> None:
    body = json.dumps({"dataframe_records": [ROW]}).encode()
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert "application/json" in check_error(server.ask("POST", "/invocations", body, form), 415)
    utf8 = {"content-type": "application/json; charset=utf-8"}
    assert server.ask("POST", "/invocations", body, utf8).status == 200


def test_too_many_bytes(server: Server) -> None:
    body = b" " * 100_001
    assert "100000 bytes" in check_error(server.ask("POST", "/invocations", body), 413)
    with closing(server.connect()) as connection:  # of unknown length
        connection.request(
            "POST", "/invocations", iter([body[:60_000], body[:60_000]]), encode_chunked=True
        )
        answer = connection.getresponse()
        assert answer.status == 413
        answer.read()
        # The connection goes on with the next request.
        assert ask(connection, "GET", "/ping").status == 200


def test_too_many_rows(server: Server) -> None:
    rows = {"inputs": {name: [1] * 1001 for name in ROW}}
    assert "at most 1000 rows" in check_error(server.ask("POST", "/invocations", rows), 413)


def test_a_large_request_beside_the_event_loop(server: Server) -> None:
    # The limit for bodies of this server is below what counts as large: see test_limits.
    rows = [ROW] * 400
    answer = server.ask("POST", "/invocations", {"dataframe_records": rows})
    assert len(answer.json()["predictions"]) == 400


def test_metrics(server: Server) -> None:
    before = counted(server, "sixfold_rows_total")
    server.ask("POST", "/invocations", {"dataframe_records": [ROW] * 3})
    assert counted(server, "sixfold_rows_total") == before + 3
    assert counted(server, "sixfold_workers") == 2


OTHER_400 = {"route": "other", "status": "400"}


def counted(server: Server, name: str, labels: Mapping[str, str] | None = None) -> float:
    text = server.ask("GET", "/metrics").body.decode()
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and (labels or {}).items() <= sample.labels.items()
    )


def test_documents(server: Server) -> None:
    document = server.ask("GET", "/openapi.json").json()
    body = document["paths"]["/invocations"]["post"]["requestBody"]["content"]
    example = body["application/json"]["example"]
    assert server.ask("POST", "/invocations", example).status == 200
    infer = document["paths"][INFER]["post"]["requestBody"]["content"]["application/json"]
    assert server.ask("POST", INFER, infer["example"]).status == 200
    page = server.ask("GET", "/docs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    text = page.body.decode()
    assert "<script" not in text
    assert "bl&lt;ue" in text
    for column in LEVELS.used:
        assert column.name in text
        assert column.name in document["components"]["schemas"]["Row"]["properties"]
    for path, item in document["paths"].items():
        for method in item:
            status = server.ask(method.upper(), path).status
            assert status == (400 if method == "post" else 200), path


def test_check(server: Server) -> None:
    command = [sys.executable, "-m", "serving.server", "--check"]
    url = f"http://127.0.0.1:{server.port}"
    assert subprocess.run([*command, url], cwd=ROOT).returncode == 0
    with socket.create_server(("127.0.0.1", 0)) as silent:
        free = f"http://127.0.0.1:{silent.getsockname()[1]}"
    assert subprocess.run([*command, free], cwd=ROOT).returncode == 1


@pytest.mark.parametrize(
    "junk",
    [
        b"\x00\x01\x02\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
        b"GET\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /invocations HTTP/1.1\r\ncontent-length: x\r\n\r\n",
    ],
)
def test_what_is_no_http(server: Server, junk: bytes) -> None:
    names = ("sixfold_errors_total", {"kind": "http"}), ("sixfold_requests_total", OTHER_400)
    before = [counted(server, *name) for name in names]
    with socket.create_connection(("127.0.0.1", server.port), 10) as connection:
        connection.sendall(junk)
        head, _, body = received(connection).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"\r\nconnection: close" in head
    assert b"\r\nsixfold-version: churn/3" in head
    assert set(json.loads(body)) == {"error_code", "message", "error"}
    assert [counted(server, *name) for name in names] == [count + 1 for count in before]


def test_headers_without_end(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), 10) as connection:
        connection.sendall(b"GET /ping HTTP/1.1\r\n")
        connection.sendall(b"x: " + b"y" * (64 << 10))  # no more: an answer would be lost
        head, _, body = received(connection).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 431 ")
    assert "65536 bytes" in json.loads(body)["message"]


def received(connection: socket.socket) -> bytes:
    """All that comes until the other side closes."""
    parts = []
    try:
        while part := connection.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def test_an_offer_to_upgrade_is_declined(server: Server) -> None:
    headers = {"connection": "Upgrade, HTTP2-Settings", "upgrade": "h2c", "http2-settings": ""}
    with closing(server.connect()) as connection:
        for _ in range(2):
            body = {"dataframe_records": [ROW] * 40}
            answer = ask(connection, "POST", "/invocations", body, headers)
            assert len(answer.json()["predictions"]) == 40
    check_error(server.ask("CONNECT", "example.org:80"), 400)


def request(rows: int = 1, close: bool = False) -> bytes:
    """A request for predictions as it is sent; of no rows, one that is refused."""
    body = json.dumps({"dataframe_records": [ROW] * rows}).encode()
    head = b"POST /invocations HTTP/1.1\r\ncontent-type: application/json\r\n"
    head += b"connection: close\r\n" if close else b""
    return head + b"content-length: %d\r\n\r\n" % len(body) + body


@contextmanager
def others(server: Server, count: int = 1) -> Iterator[list[socket.socket]]:
    """Connections: with more than one, requests wait for others that came at the same time."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port), 10))
            for _ in range(count)
        ]


@pytest.mark.parametrize("idle", [0, 20])
def test_requests_in_a_row_without_waiting(server: Server, idle: int) -> None:
    with others(server, 1 + idle) as (connection, *_):
        sent = [request(), request(0), request(), b"GET /livez HTTP/1.1\r\n\r\n", request(3)]
        connection.sendall(b"".join(sent) + request(close=True) + request())
        answers = received(connection).split(b"HTTP/1.1 ")[1:]
    assert [answer[:3] for answer in answers] == [b"200", b"400", b"200", b"200", b"200", b"200"]
    assert answers[3].endswith(b'{"live":true}')
    assert len(json.loads(answers[4].partition(b"\r\n\r\n")[2])["predictions"]) == 3


@pytest.mark.parametrize("idle", [0, 20])
def test_what_follows_does_not_harm_an_answer(server: Server, idle: int) -> None:
    """Neither the end of what a client sends, nor junk."""
    with others(server, 1 + idle) as (connection, *_):
        connection.sendall(request())
        connection.shutdown(socket.SHUT_WR)
        assert received(connection).startswith(b"HTTP/1.1 200 OK")
    with others(server, 1 + idle) as (connection, *_):
        connection.sendall(request() + b"junk\r\n\r\n")
        answers = received(connection).split(b"HTTP/1.1 ")[1:]
    assert [answer[:3] for answer in answers] == [b"200", b"400"]


def test_an_older_client_is_sent_away_with_its_answer(server: Server) -> None:
    """Of HTTP/1.0 it would wait for the end, whatever it has said of keeping the connection."""
    with others(server) as (connection,):
        old = request().replace(b"HTTP/1.1\r\n", b"HTTP/1.0\r\nconnection: keep-alive\r\n", 1)
        connection.settimeout(10)
        connection.sendall(old)
        assert b"predictions" in received(connection)


def test_each_of_many_clients_has_its_own_answer(server: Server) -> None:
    with others(server, 40) as connections:
        for _ in range(5):
            for number, connection in enumerate(connections):
                connection.sendall(request(1 + number))
            for number, connection in enumerate(connections):
                answer = b""
                while b"}" not in answer:
                    answer += connection.recv(65536)
                found = json.loads(answer.partition(b"\r\n\r\n")[2])["predictions"]
                assert len(found) == 1 + number


@settings(max_examples=25, deadline=None, suppress_health_check=UNHURRIED)
@given(st.data())
def test_a_request_in_pieces(server: Server, data: st.DataObject) -> None:
    """However the network cuts requests, each is answered, in order."""
    requests, expected = b"", []
    for count in data.draw(st.lists(st.integers(0, 3), min_size=1, max_size=4)):
        body = json.dumps({"dataframe_records": [ROW] * count}).encode()
        requests += b"POST /invocations HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % len(body) + body
        expected.append(b"200 OK" if count else b"400 Ba")
    requests += b"GET /livez HTTP/1.1\r\nconnection: close\r\n\r\n"
    cuts = data.draw(st.lists(st.integers(0, len(requests)), max_size=5).map(sorted))
    with socket.create_connection(("127.0.0.1", server.port), 10) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start, end in pairwise([0, *cuts, len(requests)]):
            connection.sendall(requests[start:end])
            time.sleep(0.002)
        found = received(connection).split(b"HTTP/1.1 ")[1:]
    assert [answer[:6] for answer in found] == [*expected, b"200 OK"]


SECRETS = st.text("abcdefghijkmnpqrstuvwxyz", min_size=12, max_size=16)


@settings(max_examples=60, deadline=None, suppress_health_check=UNHURRIED)
@given(SECRETS, st.data())
def test_nothing_of_a_request_is_repeated(server: Server, secret: str, data: st.DataObject) -> None:
    """Wherever a secret is in a request, it is in no refusal and not in the log."""
    row = {**ROW, "amount": secret, secret: secret}
    bodies: list[tuple[str, Any, dict[str, str]]] = [
        ("/invocations", secret, {"content-type": "application/json"}),
        ("/invocations", secret, {"content-type": secret}),
        ("/invocations", secret, {"content-type": "text/csv"}),
        ("/invocations", f'count,"{secret}\n1,{secret}', {"content-type": "text/csv"}),
        ("/invocations", {secret: [row]}, {}),
        ("/invocations", {"dataframe_records": [{secret: secret}]}, {}),
        ("/invocations", {"dataframe_records": [row, secret]}, {}),
        ("/invocations", {"dataframe_records": [row], "params": {"predict_method": secret}}, {}),
        ("/invocations", {"dataframe_records": [row], "params": secret}, {}),
        ("/invocations", {"dataframe_split": {"columns": [secret, secret], "data": [[1, 2]]}}, {}),
        ("/invocations", {"dataframe_split": {"columns": [secret], "data": [[1, secret]]}}, {}),
        ("/invocations", {"inputs": {name: [secret] for name in ROW} | {"count": [secret, 1]}}, {}),
        (INFER, {"inputs": [{"name": secret, "shape": [1], "datatype": "BYTES", "data": []}]}, {}),
        (INFER, {"id": {secret: 1}, "inputs": secret}, {}),
        (INFER, {"inputs": [], "outputs": [{"name": secret}]}, {}),
        (f"/{secret}", {}, {}),
        (f"/v2/models/{secret}/infer", {}, {secret: secret}),
    ]
    path, body, headers = data.draw(st.sampled_from(bodies))
    answer = server.ask("POST", path, body, headers)
    assert 400 <= answer.status < 500
    assert secret not in answer.body.decode()
    assert secret not in str(answer.headers)
    assert secret not in server.log()


def test_an_answer_says_nothing_of_values(server: Server) -> None:
    secret = "s3cret"
    answer = server.ask("POST", "/invocations", {"dataframe_records": [ROW | {"colour": secret}]})
    assert answer.status == 200
    assert secret not in answer.body.decode()
    time.sleep(0.05)
    assert secret not in server.log()
