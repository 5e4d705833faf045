"""Which engine is asked: the one that the `docker` command asks; why it is none is said."""

import hashlib
import json
import shutil
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer
from typing import Any

import pytest

from serving import engine as engines
from training.errors import UserError


class _Engine(BaseHTTPRequestHandler):
    """What a client asks before anything else."""

    def do_GET(self) -> None:
        body = json.dumps({"ApiVersion": "1.41"} if self.path == "/version" else "OK").encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_HEAD = do_GET

    def address_string(self) -> str:
        return "unix"

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of an engine that only the current context knows."""
    address = f"unix://{tmp_path}/engine.sock"
    folder = tmp_path / "contexts" / "meta" / hashlib.sha256(b"mine").hexdigest()
    folder.mkdir(parents=True)
    described = {"Name": "mine", "Metadata": {}, "Endpoints": {"docker": {"Host": address}}}
    (folder / "meta.json").write_text(json.dumps(described))
    (tmp_path / "config.json").write_text(json.dumps({"currentContext": "mine"}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(shutil, "which", lambda _: "docker")
    with ThreadingUnixStreamServer(str(tmp_path / "engine.sock"), _Engine) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield address
        server.shutdown()


def test_the_engine_of_the_current_context_is_asked(
    context: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engines.connect().close()
    (tmp_path / "config.json").write_text("{}")
    monkeypatch.setenv("DOCKER_CONTEXT", "mine")
    engines.connect().close()
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with pytest.raises(UserError, match="expected a Docker engine, got none that answers"):
        engines.connect()


def test_who_may_not_ask_the_engine_is_told_so(
    context: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connect(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "connect", connect)
    said = r"expected a Docker engine that this user may ask, got permission denied; .* docker "
    with pytest.raises(UserError, match=said):
        engines.connect()


def test_an_engine_behind_ssh_is_called_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "ssh://ada@build.example")
    with pytest.raises(UserError, match=r"got one behind ssh, .*; run this there"):
        engines.connect()
