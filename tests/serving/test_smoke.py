"""The smoke request: right answers pass, and each wrong one is named."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from serving.tried import smoke

ROWS = [{"age": 1.0}, {"age": None}]


class Server(ThreadingHTTPServer):
    """Answers what a test has it answer."""

    predictions: Any = None
    version = "churn/3"
    status = 200
    ready_after = 0
    token = ""
    bodies: list[Any]


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.ready_after -= 1
        self._answer(200 if self.server.ready_after < 0 else 503, {})

    def do_POST(self) -> None:
        self.server.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        if self.server.token and self.headers["Authorization"] != f"Bearer {self.server.token}":
            self._answer(401, {"message": "no"})
        else:
            self._answer(self.server.status, {"predictions": self.server.predictions})

    def _answer(self, status: int, content: Any) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("sixfold-version", self.server.version)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server(("127.0.0.1", 0), _Handler)
    found.bodies = []
    thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield found
    found.shutdown()
    thread.join()
    found.server_close()


@pytest.fixture
def ask(server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Ask for recorded predictions; what was wrong."""

    def run(
        recorded: list[Any],
        classes: list[Any] | None = None,
        seconds: float = 5,
        named: str = "churn/3",
        late: float = 0,
    ) -> str:
        (tmp_path / "schema.json").write_text(json.dumps({"target": {"classes": classes}}))
        (tmp_path / "sample.json").write_text(json.dumps({"rows": ROWS, "predictions": recorded}))
        url = f"http://127.0.0.1:{server.server_port}"
        code = smoke.main(url, str(tmp_path), named, str(seconds), "2", str(late))
        found = json.loads(capsys.readouterr().out)
        assert (code == 0) == (found["wrong"] == "") == (found["answers"] == 2)
        return str(found["wrong"])

    return run


def test_the_recorded_numbers(server: Server, ask: Any) -> None:
    server.predictions, server.ready_after = [1.5, 2.000001], 3
    assert ask([1.5, 2.0]) == ""
    assert server.bodies == [{"dataframe_records": ROWS}] * 2


def test_the_recorded_probabilities(server: Server, ask: Any) -> None:
    for predictions in ([[0.25, 0.75], [1.0, 0.0]], [{"a": 0.25, "b": 0.75}, {"b": 0.0, "a": 1.0}]):
        server.predictions = predictions
        assert ask([[0.25, 0.75], [1.0, 0.0]], ["a", "b"]) == ""
    assert server.bodies[0]["params"] == {"predict_method": "predict_proba"}


@pytest.mark.parametrize("predictions", [[1.5, 2.001], [1.5], [1.5, 2.0, 2.0], [1.5, "2.0"], None])
def test_other_predictions(server: Server, ask: Any, predictions: Any) -> None:
    server.predictions = predictions
    assert ask([1.5, 2.0])


def test_another_version(server: Server, ask: Any) -> None:
    server.predictions, server.version = [1.5, 2.0], "churn/2"
    assert ask([1.5, 2.0]) == "it answers as churn/2, not as churn/3"


def test_an_answer_of_the_version_that_ends_is_not_the_new_ones(server: Server, ask: Any) -> None:
    server.predictions, server.version = [1.5, 2.0], "churn/2"
    threading.Timer(0.5, setattr, [server, "version", "churn/3"]).start()
    assert ask([1.5, 2.0], late=20) == ""
    assert len(server.bodies) > 2


def test_a_name_that_is_not_ascii(server: Server, ask: Any) -> None:
    """A header is: the server writes it as in an address."""
    server.predictions, server.version = [1.5, 2.0], "k%C3%B6ln/3"
    assert ask([1.5, 2.0], named="köln/3") == ""


def test_a_failure(server: Server, ask: Any) -> None:
    server.status = 500
    assert ask([1.5, 2.0]).startswith("status 500")


def test_a_server_that_is_never_ready(server: Server, ask: Any) -> None:
    server.ready_after = 10**9
    assert "not ready within 0.2 s: status 503" in ask([1.5, 2.0], seconds=0.2)


def test_the_token_of_its_environment(
    server: Server, ask: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server.predictions, server.token = [1.5, 2.0], "abc"
    assert ask([1.5, 2.0]).startswith("status 401")
    (tmp_path / "token").write_text("abc\n")
    monkeypatch.setenv("SIXFOLD_TOKEN_FILE", str(tmp_path / "token"))
    assert ask([1.5, 2.0]) == ""
