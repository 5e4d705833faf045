"""The front: bytes pass whole, in both directions, to whoever has the name now."""

import asyncio
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import Popen

import pytest

from serving.deploy import forward
from tests.services.process import free_ports, listens, running
from tests.waiting import wait_until

TEXT = Path(forward.__file__).read_text()
MEGABYTES = bytes(range(256)) * (32 << 10)


@contextmanager
def front(folder: Path, to: int) -> Iterator[tuple[int, Popen[bytes]]]:
    """A front that hands connections to 127.0.0.1 on to a port."""
    (port,) = free_ports(1)
    command = [sys.executable, "-c", TEXT, str(port), "localhost", str(to)]
    with running(command, lambda: listens(port), folder / "front.log") as process:
        yield port, process


@contextmanager
def echo(port: int) -> Iterator[None]:
    """A server that sends back what it gets when the client has sent all of it, then ends."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.read())
        await writer.drain()
        writer.close()

    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(answer, "127.0.0.1", port))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def exchange(connection: socket.socket, sent: bytes) -> bytes:
    """All that comes back for all that is sent."""

    def send() -> None:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)

    sender = threading.Thread(target=send)
    sender.start()
    parts = iter(lambda: connection.recv(1 << 16), b"")
    received = b"".join(parts)
    sender.join()
    return received


def accept(server: socket.socket, sent: bytes) -> socket.socket:
    """The connection over which this came; others only looked whether somebody listens."""
    while True:
        accepted, _ = server.accept()
        if accepted.recv(len(sent)) == sent:
            return accepted
        accepted.close()


def end_others(server: socket.socket) -> None:
    """End the connections that nobody has accepted: they too are waited for."""
    server.setblocking(False)
    with suppress(BlockingIOError):
        while True:
            server.accept()[0].close()


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), 30)


@pytest.mark.parametrize("sent", [b"", b"x", MEGABYTES], ids=len)
def test_all_bytes_pass_in_both_directions(tmp_path: Path, sent: bytes) -> None:
    (port,) = free_ports(1)
    with echo(port), front(tmp_path, port) as (at, _), connect(at) as connection:
        assert exchange(connection, sent) == sent


def test_a_connection_waits_for_a_server(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    with front(tmp_path, port) as (at, _), connect(at) as connection:
        connection.sendall(b"early, ")
        with echo(port):
            assert exchange(connection, b"late") == b"early, late"


def test_a_connection_ends_with_the_servers(tmp_path: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        front(tmp_path, server.getsockname()[1]) as (at, _),
        connect(at) as connection,
    ):
        connection.sendall(b"one")
        with accept(server, b"one") as accepted:
            accepted.sendall(b"the end")
        assert connection.recv(100) == b"the end"
        assert connection.recv(100) == b""


def test_it_ends_after_the_connections_that_it_has(tmp_path: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        front(tmp_path, server.getsockname()[1]) as (at, process),
    ):
        with connect(at) as connection:
            connection.sendall(b"one")
            with accept(server, b"one") as accepted:
                process.send_signal(signal.SIGTERM)
                wait_until(lambda: not listens(at))
                assert process.poll() is None
                end_others(server)
                accepted.sendall(b"an answer")
                assert connection.recv(100) == b"an answer"
        assert process.wait(30) == 0
