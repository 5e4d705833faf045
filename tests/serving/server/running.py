"""A real server in a process of its own, and the plainest of clients."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
JSON = {"content-type": "application/json"}
_READY = re.compile(r"is ready on http://127\.0\.0\.1:(\d+) ")
_PATIENCE = 90.0


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class Server:
    """A server process.

    Attributes
    ----------
    port : int
    process : Popen
    log_file : Path
        Its standard error.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", log_file: Path) -> None:
        self.process = process
        self.log_file = log_file
        self.port = 0

    def log(self) -> str:
        """What it has said so far."""
        return self.log_file.read_text(errors="replace")

    def wait_ready(self) -> None:
        """Wait until it says so, or has ended."""
        until = time.monotonic() + _PATIENCE
        while not (found := _READY.search(self.log())):
            if self.process.poll() is not None or time.monotonic() > until:
                raise AssertionError(f"the server is not ready: {self.log()}")
            time.sleep(0.01)
        self.port = int(found[1])

    def workers(self) -> list[int]:
        """The workers' process ids."""
        task = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(number) for number in task.read_text().split()]

    def connect(self) -> http.client.HTTPConnection:
        """A connection that is kept."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=_PATIENCE)

    def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Answer:
        """One request over a connection of its own; what is no text or bytes is sent as JSON."""
        connection = self.connect()
        try:
            return ask(connection, method, path, body, headers)
        finally:
            connection.close()

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(_PATIENCE)


def ask(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: Any = None,
    headers: dict[str, str] | None = None,
) -> Answer:
    """One request over a connection."""
    if body is not None and not isinstance(body, bytes | str):
        body = json.dumps(body)
        headers = JSON | (headers or {})
    if isinstance(body, str):
        body = body.encode()
    connection.request(method, path, body, headers or {})
    answer = connection.getresponse()
    named = {name.lower(): value for name, value in answer.getheaders()}
    return Answer(answer.status, named, answer.read())


def start(bundle: Path, log_file: Path, **settings: Any) -> Server:
    """Start a server of a bundle; settings such as `workers=2` become SIXFOLD_WORKERS."""
    given = {"port": 0, "workers": 1, **settings}
    environ = {key: value for key, value in os.environ.items() if not key.startswith("SIXFOLD_")}
    environ |= {f"SIXFOLD_{name.upper()}": str(value) for name, value in given.items()}
    command = [sys.executable, "-m", "serving.server", str(bundle)]
    with log_file.open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environ, stderr=log)
    return Server(process, log_file)


@contextmanager
def running(bundle: Path, **settings: Any) -> Iterator[Server]:
    """A server that is ready, ended afterwards."""
    server = start(bundle, bundle.parent / f"{bundle.name}.log", **settings)
    try:
        server.wait_ready()
        yield server
    finally:
        if server.process.poll() is None:
            server.stop()
