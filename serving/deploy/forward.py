"""Hands connections on to the server that answers now; runs in a container that keeps the port.

`serving.deploy.docker` hands this file's text to `python -c` there, so it is the standard library
alone, and uvloop where it is. Which server answers is what the name resolves to when a connection
begins: the engine's name server says. It reads nothing of what passes.
"""

import asyncio
import signal
import socket
import sys
from importlib import import_module
from importlib.util import find_spec

#: A name's address counts for so long; who changes it waits longer before the old server ends.
_FRESH = 0.2
#: How long a connection waits for a server that listens: one that restarts is back by then.
_PATIENCE = 20.0
_PAUSE = 0.05
#: At the end, how long connections may go on.
_DRAIN = 10.0
_BACKLOG = 2048


class Side(asyncio.Protocol):
    """One end of a connection that is handed on: what it receives, the other one sends."""

    transport: asyncio.Transport
    other: "Side | None" = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is there."""
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Hand on."""
        if self.other:
            self.other.transport.write(data)

    def pause_writing(self) -> None:
        """It takes bytes more slowly than the other one sends them."""
        if self.other:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        """It has caught up."""
        if self.other and not self.other.transport.is_closing():
            self.other.transport.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        """It is gone: so goes the other one, after what it is still to send."""
        if self.other:
            self.other.transport.close()


class Name:
    """A name and the address that it had last."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._address = ""
        self._asked = float("-inf")
        self._lock = asyncio.Lock()

    async def address(self) -> str:
        """The address; the last one while the name is nobody's.

        Raises
        ------
        OSError
            It has never been anybody's.
        """
        loop = asyncio.get_running_loop()
        async with self._lock:
            began = loop.time()
            if began - self._asked > _FRESH:
                try:
                    found = await loop.getaddrinfo(
                        self._name, None, family=socket.AF_INET, type=socket.SOCK_STREAM
                    )
                    self._address = str(found[0][4][0])
                except OSError:
                    if not self._address:
                        raise
                self._asked = began
            return self._address

    def forget(self) -> None:
        """Ask again next time: nobody listens at the address."""
        self._asked = float("-inf")


class Client(Side):
    """A client, which waits until a server listens.

    Parameters
    ----------
    name, port
        Where the server is.
    clients : set
        All that are there, this one among them.
    """

    def __init__(self, name: Name, port: int, clients: "set[Client]") -> None:
        self._name = name
        self._port = port
        self._clients = clients
        self._task: asyncio.Task[None] | None = None
        self._early = b""
        self._ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Look for the server."""
        super().connection_made(transport)
        self._clients.add(self)
        self._task = asyncio.get_running_loop().create_task(self._connect())

    def data_received(self, data: bytes) -> None:
        """Hand on, or keep until there is somebody to hand it to."""
        if self.other:
            self.other.transport.write(data)
        else:
            self._early += data
            self.transport.pause_reading()

    def eof_received(self) -> bool:
        """It will send no more, and may still wait for an answer."""
        self._ended = True
        if self.other:
            self.other.transport.write_eof()
        return True

    def connection_lost(self, error: Exception | None) -> None:
        """It is gone."""
        super().connection_lost(error)
        self._clients.discard(self)
        if self._task:
            self._task.cancel()

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + _PATIENCE
        while True:
            try:
                address = await self._name.address()
                _, side = await loop.create_connection(Side, address, self._port)
                break
            except OSError:
                self._name.forget()
            if loop.time() > until:
                self.transport.abort()
                return
            await asyncio.sleep(_PAUSE)
        self.other, side.other = side, self
        if self._early:
            side.transport.write(self._early)
            self._early = b""
            self.transport.resume_reading()
        if self._ended:
            side.transport.write_eof()


async def forward(port: int, name: str, to: int) -> None:
    """Forward until SIGTERM, then let connections end."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    server_name, clients = Name(name), set[Client]()
    server = await loop.create_server(
        lambda: Client(server_name, to, clients),
        "0.0.0.0",  # noqa: S104  of a container, whose port is published
        port,
        backlog=_BACKLOG,
    )
    await ended.wait()
    server.close()
    until = loop.time() + _DRAIN
    while clients and loop.time() < until:
        await asyncio.sleep(_PAUSE)


def main(port: str, name: str, to: str) -> None:
    """Forward connections to `port` on to port `to` of a name."""
    has_uvloop = find_spec("uvloop") is not None
    new_event_loop = (import_module("uvloop") if has_uvloop else asyncio).new_event_loop
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(forward(int(port), name, int(to)))


if __name__ == "__main__":
    main(*sys.argv[1:])
