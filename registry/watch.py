"""`sixfold watch`: run a command when MLflow's registry says that a version reached a stage."""

import os
import shlex
import shutil
import signal
import sys
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import click

from registry.delivery import Refused, Verifier, read_event
from registry.reaction import SECRET_VARIABLE, Reactions
from training.console import leave_terminal, one_line, quieten
from training.errors import UserError

_LARGEST_BODY = 65_536
_SHORTEST_SECRET = 16
_PATIENCE = 10.0  # seconds that a request may take to come in
_CONNECTIONS = 32


@click.command()
@click.option("--on-production", default="", metavar="COMMAND", help="Run when it is Production.")
@click.option("--on-staging", default="", metavar="COMMAND", help="Run when it is Staging.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", default=8787, show_default=True, type=click.IntRange(0, 65_535), help="0: a free one."
)
@click.option(
    "--secret-file",
    default="",
    metavar="FILE",
    help=f"File with the webhook's secret; else {SECRET_VARIABLE} has it.",
)
@click.option(
    "--register",
    default="",
    metavar="URL",
    help="Make the webhook on the tracking server; it reaches this receiver at URL.",
)
@click.option(
    "--grace",
    default=60.0,
    show_default=True,
    type=click.FloatRange(0),
    help="Seconds that a running command has to end when this is ended.",
)
@one_line
def watch(
    on_production: str,
    on_staging: str,
    host: str,
    port: int,
    secret_file: str,
    register: str,
    grace: float,
) -> None:
    """Run a command when a version reaches Production.

    Receives the webhooks of MLflow's own registry. The command runs without a shell, one at a
    time, and finds SIXFOLD_MODEL, SIXFOLD_VERSION, SIXFOLD_ALIAS and SIXFOLD_MODEL_URI in its
    environment.

    \b
    sixfold watch --on-production './build-image.sh'
    sixfold watch --on-production 'sh -c "echo $SIXFOLD_MODEL_URI >> promoted.txt"'
    """
    quieten()
    commands = {
        alias: _words(option, given)
        for alias, option, given in (
            ("production", "--on-production", on_production),
            ("staging", "--on-staging", on_staging),
        )
        if given
    }
    if not commands:
        raise UserError("expected a command to run, got none; give it by --on-production")
    secret = read_secret(secret_file)
    stopping, hurry = threading.Event(), threading.Event()

    def stop(number: int, _: object) -> None:
        if number == signal.SIGHUP:
            leave_terminal()
        if stopping.is_set():
            hurry.set()
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as nohup has it
        signal.signal(signal.SIGHUP, stop)
    reactions = Reactions(commands, _log)
    with _listen(host, port, Verifier(secret), reactions) as receiver:
        thread = threading.Thread(target=receiver.serve_forever, name="sixfold-watch", daemon=True)
        thread.start()
        try:
            _log(f"listening on http://{host}:{receiver.server_port} for {', '.join(commands)}")
            if register:
                from registry.webhook import register_webhook

                register_webhook(register, secret, _log)
            stopping.wait()
        finally:
            receiver.shutdown()
            if not reactions.stop(grace, hurry):
                _log(f"the command was ended: it had not ended by itself within {grace:g} s")
    _log("ended")


def read_secret(file: str) -> str:
    """The webhook's secret, from a file or the environment: never from an argument.

    Raises
    ------
    UserError
        There is none, or it is easily guessed.
    """
    if file:
        try:
            secret, place = Path(file).read_text(encoding="utf-8").strip(), file
        except (OSError, UnicodeDecodeError) as error:
            said = getattr(error, "strerror", None) or "bytes that are not UTF-8"
            raise UserError(
                f"expected the webhook's secret in {file}, got {said}; correct --secret-file"
            ) from None
    else:
        secret, place = os.environ.get(SECRET_VARIABLE, "").strip(), SECRET_VARIABLE
    if len(secret) < _SHORTEST_SECRET:
        got = f"{len(secret)} characters" if secret else "nothing"
        raise UserError(
            f"expected a secret of at least {_SHORTEST_SECRET} characters in {place}, got {got}; "
            "make one with `openssl rand -hex 32`"
        )
    return secret


class _Receiver(ThreadingHTTPServer):
    """Answers at once; what is to be done is queued. Few connections, each for a short time."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], verifier: Verifier, reactions: Reactions) -> None:
        self.verifier, self.reactions = verifier, reactions
        self._free = threading.BoundedSemaphore(_CONNECTIONS)
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._free.acquire()
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # no thread to be had
            self._free.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        # A timeout of the socket alone would let a byte every few seconds hold it for ever.
        timer = threading.Timer(_PATIENCE, _cut, [request])
        timer.daemon = True
        timer.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            timer.cancel()
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exc_info()[1]
        _log(f"a request from {client_address[0]} was not answered: {type(error).__name__}")


class _Handler(BaseHTTPRequestHandler):
    server: _Receiver
    server_version, sys_version = "sixfold", ""

    def do_GET(self) -> None:
        """Say that this is running; a probe of a container asks."""
        self._answer(HTTPStatus.OK, "sixfold watch")

    def do_POST(self) -> None:
        try:
            answer = self._take()
        except Refused as refusal:
            _log(f"refused a request from {self.client_address[0]}: {refusal}")
            self._answer(refusal.status, str(refusal))
        else:
            self._answer(HTTPStatus.OK, answer)

    def _take(self) -> str:
        length = self.headers.get("Content-Length") or ""
        if not (length.isascii() and length.isdecimal()):
            raise Refused(HTTPStatus.LENGTH_REQUIRED, "it does not say how long it is")
        # Digits are counted first: int() refuses very many of them.
        if len(length) > len(str(_LARGEST_BODY)) or int(length) > _LARGEST_BODY:
            raise Refused(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"it is larger than {_LARGEST_BODY} bytes"
            )
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            raise Refused(HTTPStatus.BAD_REQUEST, "it is not whole")
        if not self.server.verifier.check(self.headers, body, time.time()):
            _log("a delivery came again and is left out")
            return "taken before"
        event = read_event(body)
        if event is None:
            _log("an event of another kind is left out")
            return "of no interest"
        what = self.server.reactions.add(event)
        _log(f"{event.name} is {event.alias}: {what}")
        return what

    def _answer(self, status: HTTPStatus, text: str) -> None:
        body = f"{text}\n".encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: each event has its own line already."""


def _listen(host: str, port: int, verifier: Verifier, reactions: Reactions) -> _Receiver:
    try:
        return _Receiver((host, port), verifier, reactions)
    except OSError as error:
        raise UserError(
            f"expected a free address to listen on, got {host}:{port}: {error.strerror}; "
            "choose another by --host and --port"
        ) from None


def _words(option: str, command: str) -> Sequence[str]:
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise UserError(f"expected a command for {option}, got {error}; mind the quotes") from None
    if not words:
        raise UserError(f"expected a command for {option}, got only blanks")
    if shutil.which(words[0]) is None:
        raise UserError(
            f"expected a program for {option}, got {words[0]!r}, which is not found; there is no "
            "shell around it: write sh -c '…' for one"
        )
    return words


def _cut(connection: Any) -> None:
    import socket
    from contextlib import suppress

    with suppress(OSError):  # it has ended by itself
        connection.shutdown(socket.SHUT_RDWR)


def _log(line: str) -> None:
    click.echo(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {line}", err=True)
