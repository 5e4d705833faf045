"""The front: bytes pass whole, in both directions, to whoever has the name now.

A server that is gone before it has answered is not noticed by the client.
"""

import asyncio
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import Popen
from types import ModuleType

import pytest
import uvloop

from serving.deploy import exchange as exchanges
from serving.deploy.forward import Client, Front
from serving.deploy.front import program
from tests.services.process import free_ports, listens, running
from tests.serving.deploy.load import Load, load
from tests.serving.server.bundles import MIXED, ROW, write_bundle
from tests.serving.server.running import running as serving
from tests.waiting import wait_until

MEGABYTES = bytes(range(256)) * (32 << 10)
REQUEST = b"POST /invocations HTTP/1.1\r\ncontent-length: 3\r\n\r\n[1]"
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


@contextmanager
def front(folder: Path, to: int, drain: float = 10.0) -> Iterator[tuple[int, Popen[bytes]]]:
    """A front that hands connections to 127.0.0.1 on to a port."""
    (port,) = free_ports(1)
    text = program().replace("_DRAIN = 10.0", f"_DRAIN = {drain}")
    command = [sys.executable, "-c", text, str(port), "localhost", str(to)]
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
        if accepted.recv(len(sent), socket.MSG_WAITALL) == sent:
            return accepted
        accepted.close()


def end_others(server: socket.socket) -> None:
    """End the connections that nobody has accepted: they too are waited for."""
    server.setblocking(False)
    with suppress(BlockingIOError):
        while True:
            server.accept()[0].close()


def answered(load: Load, count: int) -> None:
    wait_until(lambda: load.total() > count)


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


def test_at_its_end_it_waits_for_answers_and_not_for_requests(tmp_path: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        front(tmp_path, server.getsockname()[1], drain=0.1) as (at, process),
        connect(at) as idle,
        connect(at) as asking,
    ):
        other = REQUEST.replace(b"[1]", b"[2]")
        idle.sendall(other)
        asking.sendall(REQUEST)
        with accept(server, other) as first, accept(server, REQUEST) as second:
            first.sendall(ANSWER)
            assert idle.recv(100) == ANSWER
            process.send_signal(signal.SIGTERM)
            assert idle.recv(100) == b""
            second.sendall(ANSWER)
            assert asking.recv(100) == ANSWER
            assert asking.recv(100) == b""
            assert process.wait(30) == 0


def test_a_request_whose_server_is_gone_goes_to_the_next(tmp_path: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        front(tmp_path, server.getsockname()[1]) as (at, _),
        connect(at) as connection,
    ):
        connection.sendall(REQUEST[:-1])
        accept(server, REQUEST[:-1]).close()
        with accept(server, REQUEST[:-1]) as accepted:
            connection.sendall(REQUEST[-1:])
            assert accepted.recv(100) == REQUEST[-1:]
        with accept(server, REQUEST) as accepted:
            accepted.sendall(ANSWER)
            assert connection.recv(100) == ANSWER
        # Idle, it has not noticed; and of half an answer nothing has come.
        connection.sendall(REQUEST)
        with accept(server, REQUEST) as accepted:
            accepted.sendall(ANSWER[:-1])
        with accept(server, REQUEST) as accepted:
            accepted.sendall(ANSWER.replace(b"{}", b"[]"))
            assert connection.recv(100) == ANSWER.replace(b"{}", b"[]")


@pytest.mark.parametrize("loop", [asyncio, uvloop], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("read", [True, False])
@pytest.mark.parametrize("size", [900_000, 2_000_000], ids=["held", "passed"])
def test_what_clients_do_not_read_is_charged(size: int, read: bool, loop: ModuleType) -> None:
    """Until they have read it, or are gone; of a long answer there is little."""
    with asyncio.Runner(loop_factory=loop.new_event_loop) as runner:
        runner.run(asyncio.wait_for(slow_readers(size, read), 60))


async def slow_readers(size: int, read: bool) -> None:
    """Clients that do not read until all have been answered."""
    head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size
    loop = asyncio.get_running_loop()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            await reader.readexactly(len(REQUEST))
            writer.write(head + bytes(size))
            await writer.drain()
            await reader.read()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    found = Front("127.0.0.1", server.sockets[0].getsockname()[1])
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)  # the system keeps little
    at = await loop.create_server(lambda: Client(found), sock=listening)
    clients = []
    for _ in range(20):
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.setblocking(False)
        await loop.sock_connect(client, listening.getsockname())
        await loop.sock_sendall(client, REQUEST)
        clients.append(client)
    while not (len(found.clients) == 20 and all(client._waits for client in found.clients)):
        await asyncio.sleep(0.01)
    charged = exchanges._KEPT - found.room.left
    if size > exchanges._HELD:
        assert charged < 20 * 300_000, "what is read at once, each"
    else:
        assert charged > 20 * 800_000
    for client in clients if read else []:
        left = len(head) + size
        while left:
            left -= len(await loop.sock_recv(client, left))
    if not read:
        for client in clients:
            client.close()
    while found.room.left != exchanges._KEPT:
        await asyncio.sleep(0.01)
    for client in clients:
        client.close()
    while found.clients:
        await asyncio.sleep(0.01)
    at.close()
    server.close()


@pytest.mark.slow
def test_no_request_is_lost_by_workers_that_are_killed(tmp_path: Path) -> None:
    write_bundle(tmp_path / "bundle", MIXED)
    body = {"dataframe_records": [ROW] * 500}
    with (
        serving(tmp_path / "bundle", workers=2) as server,
        front(tmp_path, server.port) as (at, _),
        load("127.0.0.1", at, body, clients=8) as found,
    ):
        for _ in range(6):
            seen = found.total()
            wait_until(lambda: len(server.workers()) == 2)
            answered(found, seen + 50)
            os.kill(server.workers()[0], signal.SIGKILL)
            time.sleep(1.1)  # one that ends at once is replaced later
        answered(found, found.total() + 50)
    assert found.failures == []
    assert "ended (signal 9)" in server.log()
