"""`sixfold watch` as a process: what it answers, what it runs, how it ends."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from mlflow import MlflowClient

from tests.e2e.command import ROOT, call
from tests.registry.deliveries import SECRET, alias_set, signed
from tests.registry.test_reaction import SCRIPT
from tests.services.mlflow_server import embedded_store_server
from tests.waiting import wait_until

#: A command without a shell: the words of a Python program.
NOTE = "sh -c 'echo $SIXFOLD_MODEL_URI $SIXFOLD_ALIAS >> noted'"
VARIABLE = {"SIXFOLD_WEBHOOK_SECRET": SECRET}


@dataclass(frozen=True)
class Watching:
    """A running receiver."""

    process: subprocess.Popen[bytes]
    folder: Path
    port: int

    @property
    def printed(self) -> str:
        return (self.folder / "printed").read_text()

    @property
    def noted(self) -> list[str]:
        file = self.folder / "noted"
        return file.read_text().splitlines() if file.exists() else []

    def post(self, body: str, headers: Mapping[str, str]) -> tuple[int, str]:
        """Status and text of the answer."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("POST", "/any/path", body.encode(), dict(headers))
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@contextmanager
def watching(
    folder: Path, *arguments: str, environment: Mapping[str, str] = VARIABLE
) -> Iterator[Watching]:
    with (folder / "printed").open("wb") as printed:
        process = subprocess.Popen(
            [sys.executable, "-m", "sixfold", "watch", "--port", "0", *arguments],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            stdout=printed,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_until(lambda: process.poll() is not None or _port(folder))
        assert process.poll() is None, (folder / "printed").read_text()
        yield Watching(process, folder, _port(folder))
    finally:
        process.kill()
        process.wait()


def _port(folder: Path) -> int:
    found = re.search(r"listening on http://127\.0\.0\.1:(\d+)", (folder / "printed").read_text())
    return int(found[1]) if found else 0


def test_a_signed_event_runs_the_command_once(tmp_path: Path) -> None:
    with watching(tmp_path, "--on-production", NOTE) as receiver:
        body = alias_set("churn", "3")
        headers = signed(body)
        assert receiver.post(body, headers) == (200, "queued\n")
        assert receiver.post(body, headers) == (200, "taken before\n")
        other = alias_set("churn", "4", "staging")
        assert receiver.post(other, signed(other))[0] == 200
        wait_until(lambda: "exit code 0" in receiver.printed)
        assert receiver.end() == 0
        assert receiver.noted == ["models:/churn/3 production"]
        assert SECRET not in receiver.printed


def test_what_is_not_signed_by_us_runs_nothing(tmp_path: Path) -> None:
    with watching(tmp_path, "--on-production", NOTE) as receiver:
        body = alias_set()
        assert receiver.post(body, {})[0] == 401
        assert receiver.post(body, signed(body, "another secret, as long"))[0] == 401
        assert receiver.post(body + " ", signed(body))[0] == 401
        assert receiver.post(body, signed(body, at=time.time() - 400))[0] == 401
        assert receiver.post("[]", signed("[]"))[0] == 400
        large = "x" * 70_000
        assert receiver.post(large, signed(large))[0] == 413
        assert "refused" in receiver.printed
        assert receiver.end() == 0
        assert receiver.noted == []


def test_requests_without_a_length_and_hung_ones_do_not_stop_it(tmp_path: Path) -> None:
    with watching(tmp_path, "--on-production", NOTE) as receiver:
        held = [socket.create_connection(("127.0.0.1", receiver.port)) for _ in range(20)]
        for connection in held:
            connection.sendall(b"POST / HTTP/1.1\r\nContent-Length: 50\r\n\r\nhalf of it")
        with socket.create_connection(("127.0.0.1", receiver.port), timeout=30) as connection:
            connection.sendall(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
            assert b" 411 " in connection.makefile("rb").readline()
        body = alias_set()
        assert receiver.post(body, signed(body))[0] == 200
        for connection in held:
            connection.close()
        wait_until(lambda: receiver.noted)
        assert receiver.end() == 0


def test_it_answers_while_a_command_runs_and_lets_it_end(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(SCRIPT)
    log = tmp_path / "log"
    with watching(tmp_path, "--on-production", f"{sys.executable} slow.py") as receiver:
        for version in ("1", "2"):
            body = alias_set(version=version)
            assert receiver.post(body, signed(body)) == (200, "queued\n")
            wait_until(log.exists)
        receiver.process.send_signal(signal.SIGTERM)
        wait_until(lambda: "not started: stopping" in receiver.printed)
        assert receiver.process.poll() is None, "it did not wait for the command"
        (tmp_path / "go").touch()
        assert receiver.process.wait(60) == 0
        assert log.read_text().splitlines() == ["begin churn 1", "end churn 1"]
        assert "exit code 0" in receiver.printed


def test_the_secret_comes_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    arguments = ("--on-staging", NOTE, "--secret-file", "secret")
    with watching(tmp_path, *arguments, environment={}) as receiver:
        body = alias_set(alias="staging")
        assert receiver.post(body, signed(body)) == (200, "queued\n")
        wait_until(lambda: receiver.noted)


@pytest.mark.parametrize(
    ("arguments", "environment", "said"),
    [
        ([], VARIABLE, "--on-production"),
        (["--on-production", "no-such-program"], VARIABLE, "'no-such-program'"),
        (["--on-production", "sh -c 'half"], VARIABLE, "mind the quotes"),
        (["--on-production", " "], VARIABLE, "only blanks"),
        (["--on-production", "true"], {}, "SIXFOLD_WEBHOOK_SECRET, got nothing"),
        (["--on-production", "true"], {"SIXFOLD_WEBHOOK_SECRET": "hunter2"}, "got 7 characters"),
        (["--on-production", "true", "--secret-file", "gone"], {}, "No such file"),
        (["--on-production", "true", "--host", "192.0.2.1"], VARIABLE, "192.0.2.1"),
        (["--on-production", "true", "--port", "0", "--register", "hooks"], VARIABLE, "'hooks'"),
        (
            ["--on-production", "true", "--port", "0", "--register", "https://hooks.example/"],
            VARIABLE | {"MLFLOW_TRACKING_URI": "sqlite:///mlflow.db"},
            "only a server sends webhooks",
        ),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str], environment: dict[str, str], said: str, tmp_path: Path
) -> None:
    printed = call(tmp_path, "sixfold", ["watch", *arguments], environment, code=2)
    lines = [line for line in printed.splitlines() if line.startswith("sixfold: ")]
    assert len(lines) == 1, printed
    assert said in lines[0]
    assert "Traceback" not in printed
    assert "hunter2" not in printed


@pytest.mark.services
def test_an_alias_set_on_a_real_server_runs_the_command(tmp_path: Path) -> None:
    settings = {
        "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY": Fernet.generate_key().decode(),
        "MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "http",
        "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true",
        "MLFLOW_WEBHOOK_CACHE_TTL": "1",
    }
    with embedded_store_server(tmp_path, settings) as server:
        client = MlflowClient(server.uri)
        client.create_registered_model("churn")
        run = client.create_run("0").info
        for _ in range(2):
            client.create_model_version("churn", f"{run.artifact_uri}/model", run.run_id)
        environment = VARIABLE | {"MLFLOW_TRACKING_URI": server.uri}
        port = _free_port()
        own = f"http://127.0.0.1:{port}/"
        arguments = ("--on-production", NOTE, "--port", str(port), "--register", own)
        with watching(tmp_path, *arguments, environment=environment) as receiver:
            wait_until(lambda: "MLflow reaches this receiver" in receiver.printed)
            client.set_registered_model_alias("churn", "champion", "1")
            client.set_registered_model_alias("churn", "production", "2")
            wait_until(lambda: "exit code 0" in receiver.printed)
            assert receiver.end() == 0
            assert receiver.noted == ["models:/churn/2 production"]
            assert " made;" in receiver.printed
        # Once more: the same webhook, with another secret now.
        environment |= {"SIXFOLD_WEBHOOK_SECRET": SECRET[::-1]}
        with watching(tmp_path, *arguments, environment=environment) as receiver:
            wait_until(lambda: "MLflow reaches this receiver" in receiver.printed)
            assert "was there" in receiver.printed
            assert receiver.end() == 0
        (webhook,) = client.list_webhooks()
        assert webhook.url == own


@pytest.mark.services
def test_a_server_that_takes_no_such_address_is_one_line(tmp_path: Path) -> None:
    with embedded_store_server(tmp_path) as server:
        environment = VARIABLE | {"MLFLOW_TRACKING_URI": server.uri}
        for url, how in (
            ("http://hooks.example.com/", "MLFLOW_WEBHOOK_ALLOWED_SCHEMES"),
            ("https://127.0.0.1/", "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS"),
        ):
            arguments = ["watch", "--on-production", "true", "--port", "0", "--register", url]
            printed = call(tmp_path, "sixfold", arguments, environment, code=2)
            assert how in printed
            assert "Traceback" not in printed
        assert len(list(MlflowClient(server.uri).list_webhooks())) == 0


def _free_port() -> int:
    from tests.services.process import free_ports

    return free_ports(1)[0]
