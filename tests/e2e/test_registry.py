"""Promotions on real servers: at once, with logins, and where they fail."""

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from mlflow import MlflowClient

from tests.e2e.command import call
from tests.e2e.test_story import production
from tests.registry.promoting import finish, start
from tests.services.mlflow_server import MlflowServer

pytestmark = [pytest.mark.services, pytest.mark.slow]


def sixfold(
    folder: Path, server: MlflowServer, *words: str, code: int = 0, **more: str
) -> tuple[str, dict[str, Any]]:
    """What `sixfold … --json` prints, and the JSON in it."""
    printed = call(folder, "sixfold", words, {**server.environment, **more}, code)
    begin = printed.find("\n{\n") + 1
    return printed, json.loads(printed[begin:]) if "--json" in words else {}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, mlflow_server: MlflowServer) -> Path:
    """Three versions of `team` on the server on PostgreSQL; the folder they were trained in."""
    folder = tmp_path_factory.mktemp("team")
    train_and_register(folder, mlflow_server, "team")
    return folder


def train_and_register(folder: Path, server: MlflowServer, model: str) -> None:
    names = ("decision_tree", "linear_regression", "ensemble")
    words = ["train", "sklearn:iris", "--algorithms", ",".join(names[:2]), "--search", "none"]
    sixfold(folder, server, *words)
    for name in names:
        sixfold(folder, server, "register", model, "--algorithm", name)


def test_promotions_at_once_on_postgresql(trained: Path, mlflow_server: MlflowServer) -> None:
    client = MlflowClient(mlflow_server.uri)
    for _ in range(3):
        both = [start(mlflow_server.uri, "team", number) for number in ("1", "2", "3")]
        assert finish(both) == [0, 0, 0]
        there, alias = production(client, "team")
        assert there == [alias]
    _, history = sixfold(trained, mlflow_server, "history", "team", "--json")
    assert {period["version"] for period in history["periods"]} == {"1", "2", "3"}
    assert history["version_now"] == history["periods"][0]["version"] == alias
    sixfold(trained, mlflow_server, "audit", "team")


def test_users_of_a_server_with_a_login(
    tmp_path: Path, secured_mlflow_server: MlflowServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record has the user's name; who may only read is told so, and a wrong password."""
    from mlflow.server.auth.client import AuthServiceClient

    server = secured_mlflow_server
    words = ["--algorithms", "linear_regression", "--search", "none", "--register", "secured"]
    sixfold(tmp_path, server, "train", "sklearn:iris", *words)
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    client = MlflowClient(server.uri)
    AuthServiceClient(server.uri).create_user("reader", "Reader-pass-1")
    reader = {"MLFLOW_TRACKING_USERNAME": "reader", "MLFLOW_TRACKING_PASSWORD": "Reader-pass-1"}
    promote = ["promote", "secured", "--allow-dirty"]
    printed, _ = sixfold(tmp_path, server, *promote, code=2, **reader)
    assert "may be written" in printed
    assert production(client, "secured") == ([], None)

    sixfold(tmp_path, server, *promote)
    _, history = sixfold(tmp_path, server, "history", "secured", "--json")
    assert history["periods"][0]["by"] == server.user
    assert production(client, "secured") == (["1"], "1")

    wrong = {"MLFLOW_TRACKING_PASSWORD": "not-this-one"}
    printed, _ = sixfold(tmp_path, server, "audit", code=2, **wrong)
    assert len(printed.strip().splitlines()) == 1, printed
    assert "not-this-one" not in printed


class _Failing(BaseHTTPRequestHandler):
    """Hands requests on to a server, of which some fail."""

    target = ""
    fails: frozenset[int] = frozenset()
    count = 0
    lock = threading.Lock()

    def do_GET(self) -> None:
        with self.lock:
            type(self).count += 1
            fails = self.count in self.fails
        if fails:
            self.send_error(503)
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {k: v for k, v in self.headers.items() if k.lower() != "host"}
        request = Request(self.target + self.path, body or None, headers, method=self.command)
        try:
            with urlopen(request) as answer:
                status, content, kind = answer.status, answer.read(), answer.headers
        except OSError as error:
            status, content, kind = error.code, error.read(), error.headers  # type: ignore[attr-defined]
        self.send_response(status)
        self.send_header("Content-Type", kind.get("Content-Type", "application/json"))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize("lasting", [False, True])
def test_a_server_that_fails_half_way(
    trained: Path, mlflow_server: MlflowServer, lasting: bool
) -> None:
    """Some requests are tried again; where all fail, it is reported in one line."""
    client = MlflowClient(mlflow_server.uri)
    before = production(client, "team")
    version = "3" if before[1] != "3" else "2"
    fails = frozenset(range(30, 10_000) if lasting else (5, 11, 12, 24, 31))
    handler = type("Handler", (_Failing,), {"target": mlflow_server.uri, "fails": fails})
    proxy = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    try:
        environment = {"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{proxy.server_port}"}
        if lasting:  # patience is a matter of seconds here
            environment["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "1"
        words = ["promote", "team", "--version", version, "--allow-dirty"]
        policy = "[quality]\nenforce = 'warn'\n[slices]\nenforce = 'warn'\n"
        (trained / "policy.toml").write_text(policy)
        code = 2 if lasting else 0
        printed, _ = sixfold(trained, mlflow_server, *words, code=code, **environment)
    finally:
        proxy.shutdown()
        proxy.server_close()
        (trained / "policy.toml").unlink()
    there, alias = production(client, "team")
    assert len(there) == 1
    if lasting:
        assert "after several tries" in printed
        assert "Traceback" not in printed
        assert there == before[0]
    else:
        assert (there, alias) == ([version], version)


def test_a_registry_that_is_not_there(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{free.getsockname()[1]}"
    printed = call(tmp_path, "sixfold", ["promote", "churn"], {"MLFLOW_TRACKING_URI": uri}, code=2)
    assert len(printed.strip().splitlines()) == 1, printed
    assert "expected an MLflow server" in printed
