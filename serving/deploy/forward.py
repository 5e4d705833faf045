"""Hands connections on to the server that answers now; runs in a container that keeps the port.

`serving.deploy.front` hands this file's text to `python -c` there, after that of `exchange.py`: it
is the standard library alone, and uvloop where it is. Which server answers is what the name
resolves to when a connection to it begins: the engine's name server says.

A request whose server is gone before its answer is whole goes to another one (`exchange.py`).
"""

import asyncio
import signal
import socket
import sys
from importlib import import_module
from importlib.util import find_spec

from serving.deploy.exchange import Exchange, Room

#: A name's address counts for so long; who changes it waits longer before the old server ends.
_FRESH = 0.2
#: How long a connection waits for a server that listens: one that restarts is back by then.
_PATIENCE = 20.0
_PAUSE = 0.05
#: At the end, how long connections may go on.
_DRAIN = 10.0
_BACKLOG = 2048
#: A client whose server is gone is kept for so long without a request.
_IDLE = 60.0


class Side(asyncio.Protocol):
    """One end of a connection that is handed on: what it receives, the other one sends."""

    transport: asyncio.Transport
    other: "Side | None" = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is there."""
        self.transport = transport  # type: ignore[assignment]

    def pause_writing(self) -> None:
        """It takes bytes more slowly than the other one sends them."""
        if self.other and not self.other.transport.is_closing():
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        """It has caught up."""
        if self.other and not self.other.transport.is_closing():
            self.other.transport.resume_reading()


class Server(Side):
    """A server, which answers a client.

    Parameters
    ----------
    client : Client
    """

    gone = False

    def __init__(self, client: "Client") -> None:
        self._client = client
        self.other = client

    def data_received(self, data: bytes) -> None:
        """Hand on."""
        self._client.answered(data)

    def connection_lost(self, error: Exception | None) -> None:
        """It is gone."""
        self.gone = True
        self._client.lost(self)


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


class Front:
    """What all clients share.

    Parameters
    ----------
    name : str
    port : int
        Where the server is.
    """

    def __init__(self, name: str, port: int) -> None:
        self.name = Name(name)
        self.port = port
        self.room = Room()
        self.clients: set[Client] = set()
        self.ends = False


class Client(Side):
    """A client, which waits until a server listens.

    Parameters
    ----------
    front : Front
    """

    def __init__(self, front: Front) -> None:
        self._front = front
        self._exchange = Exchange(front.room)
        self._task: asyncio.Task[None] | None = None
        self._unsent: list[bytes] = []
        self._waits = 0
        self._ended = False
        self._ends: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Look for the server."""
        super().connection_made(transport)
        # It is paused as soon as anything waits, and until nothing does: that is what is charged.
        self.transport.set_write_buffer_limits(0)
        self._front.clients.add(self)
        self._look()

    def data_received(self, data: bytes) -> None:
        """Hand on, or keep until there is somebody to hand it to."""
        self._send(self._exchange.asked(data))
        if self.other:
            self.other.transport.write(data)
            return
        self._unsent.append(data)
        self.transport.pause_reading()
        if self._task is None:
            self._look()

    def eof_received(self) -> bool:
        """It will send no more, and may still wait for an answer."""
        self._ended = True
        if self.other:
            self.other.transport.write_eof()
        return True

    def connection_lost(self, error: Exception | None) -> None:
        """It is gone: so goes the server."""
        self._charge(0)
        self._exchange.pass_on()
        self._front.clients.discard(self)
        if self._task:
            self._task.cancel()
        if self._ends:
            self._ends.cancel()
        if self.other:
            self.other.transport.close()

    def answered(self, data: bytes) -> None:
        """Hand an answer on."""
        self._send(self._exchange.answered(data))

    def resume_writing(self) -> None:
        """It has read all that there was."""
        self._charge(0)
        super().resume_writing()

    def lost(self, server: Server) -> None:
        """The server is gone: so goes the client, unless another one can answer."""
        if self.other is not server or self.transport.is_closing():
            return
        self.other = None
        idle = self._exchange.idle
        unsent = self._exchange.again()
        if unsent is None or (idle and (self._ended or self._front.ends)):
            self.transport.close()
        elif idle:
            self._ends = asyncio.get_running_loop().call_later(_IDLE, self.transport.close)
        else:
            self._unsent = unsent
            self._look()

    def _send(self, parts: list[bytes]) -> None:
        if not parts or self.transport.is_closing():
            return
        for part in parts:
            self.transport.write(part)
        self._charge(self.transport.get_write_buffer_size())

    def _charge(self, waits: int) -> None:
        """Have what waits to be sent to the client take up room."""
        self._front.room.left += self._waits - waits
        self._waits = waits

    def _look(self) -> None:
        if self._ends:
            self._ends.cancel()
        self._task = asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        loop, name = asyncio.get_running_loop(), self._front.name
        until = loop.time() + _PATIENCE
        while True:
            try:
                address = await name.address()
                _, side = await loop.create_connection(
                    lambda: Server(self), address, self._front.port
                )
                break
            except OSError:
                name.forget()
            if loop.time() > until:
                self.transport.abort()
                return
            await asyncio.sleep(_PAUSE)
        self._task, self.other = None, side
        for data in self._unsent:
            side.transport.write(data)
        self._unsent = []
        if side.gone:
            self.lost(side)
            return
        if self._ended:
            side.transport.write_eof()
        if self._waits and not side.transport.is_closing():
            side.transport.pause_reading()
        if not self.transport.is_closing():
            self.transport.resume_reading()


async def forward(port: int, name: str, to: int) -> None:
    """Forward until SIGTERM, then let connections end."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    front = Front(name, to)
    server = await loop.create_server(
        lambda: Client(front),
        "0.0.0.0",  # noqa: S104  of a container, whose port is published
        port,
        backlog=_BACKLOG,
    )
    await ended.wait()
    server.close()
    front.ends = True
    until = loop.time() + _DRAIN
    while front.clients and loop.time() < until:
        await asyncio.sleep(_PAUSE)


def main(port: str, name: str, to: str) -> None:
    """Forward connections to `port` on to port `to` of a name."""
    has_uvloop = find_spec("uvloop") is not None
    new_event_loop = (import_module("uvloop") if has_uvloop else asyncio).new_event_loop
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(forward(int(port), name, int(to)))


if __name__ == "__main__":
    main(*sys.argv[1:])
