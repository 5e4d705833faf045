"""Hands connections on to the server that answers now; runs in a container that keeps the port.

`serving.deploy.front` hands this file's text to `python -c` there, after that of `exchange.py`: it
is the standard library alone, and uvloop where it is. Which server answers is what the name
resolves to when a connection to it begins: the engine's name server says.

A request whose server is gone before its answer is whole goes to another one (`exchange.py`).
Where there is a canary, a request that begins goes to it if it is a prediction of a length that its
head says, and its turn (`servers.py`); to the stable server goes all else, and what the canary has
not answered. Where bytes pass as they come, a connection stays with the server that it has.
"""

import asyncio
import signal
import sys
from importlib import import_module
from importlib.util import find_spec

from serving.deploy.exchange import Exchange, Room, is_prediction
from serving.deploy.servers import PAUSE, Canary, Stable

#: At the end, how long connections may wait for a request, and how long one may take.
_DRAIN = 10.0
_LONGEST = 40.0
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
    address : str
        Of a canary; '' for the stable server, wherever that is.
    """

    gone = False

    def __init__(self, client: "Client", address: str) -> None:
        self._client = client
        self.other = client
        self.address = address

    def data_received(self, data: bytes) -> None:
        """Hand on."""
        self._client.answered(data)

    def connection_lost(self, error: Exception | None) -> None:
        """It is gone."""
        self.gone = True
        self._client.lost(self)


class Front:
    """What all clients share.

    Parameters
    ----------
    name : str
    port : int
        Where the server is.
    canary : str, default ''
        A canary's name, if it is not to be found by the deployment's.
    share : int, default 0
        Its part of the predictions, in percent.
    """

    def __init__(self, name: str, port: int, canary: str = "", share: int = 0) -> None:
        self.stable = Stable(name, port)
        self.canary = Canary(name, port, canary, share)
        self.room = Room()
        self.clients: set[Client] = set()
        self.ends = False


class Client(Side):
    """A client, which waits until a server listens.

    It may have two of them: one waits while the other answers.

    Parameters
    ----------
    front : Front
    """

    def __init__(self, front: Front) -> None:
        self._front = front
        self._exchange = Exchange(front.room)
        self._servers: dict[str, Server] = {}
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
        if self._exchange.idle:
            canary = self._front.canary
            self._choose(canary.turn() if canary.address and is_prediction(data) else "")
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
        for server in list(self._servers.values()):
            server.transport.close()

    def end(self) -> None:
        """Take no more requests; the one that there is has its answer first."""
        if self._exchange.idle:
            self.transport.close()

    def _choose(self, address: str) -> None:
        """The server for a request that begins, which is found if it is not there."""
        server = self._servers.get(address)
        if server and server is self.other:
            return
        self.other = server
        if self._ends:
            self._ends.cancel()
        if server:
            self._keep_pace(server)
        elif address:
            self._look(address)

    def answered(self, data: bytes) -> None:
        """Hand an answer on."""
        self._send(self._exchange.answered(data))

    def resume_writing(self) -> None:
        """It has read all that there was."""
        self._charge(0)
        super().resume_writing()

    def lost(self, server: Server) -> None:
        """The server is gone: so goes the client, unless another one can answer."""
        if self._servers.get(server.address) is server:
            del self._servers[server.address]
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

    def _keep_pace(self, server: Server) -> None:
        """Have a server send only while the client reads."""
        if server.transport.is_closing():
            return
        if self._waits:
            server.transport.pause_reading()
        else:
            server.transport.resume_reading()

    def _look(self, address: str = "") -> None:
        if self._task:
            self._task.cancel()
        self._task = asyncio.get_running_loop().create_task(self._connect(address))

    async def _connect(self, address: str) -> None:
        side = None
        if address:
            side = await self._front.canary.connect(address, lambda: Server(self, address))
        side = side or self._servers.get("")
        side = side or await self._front.stable.connect(lambda: Server(self, ""))
        if side is None:
            self.transport.abort()
            return
        self._task, self.other = None, side
        self._servers[side.address] = side
        for data in self._unsent:
            side.transport.write(data)
        self._unsent = []
        if side.gone:
            self.lost(side)
            return
        if self._ended:
            side.transport.write_eof()
        self._keep_pace(side)
        if not self.transport.is_closing():
            self.transport.resume_reading()


async def forward(port: int, front: Front) -> None:
    """Forward until SIGTERM, then let connections end."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    server = await loop.create_server(
        lambda: Client(front),
        "0.0.0.0",  # noqa: S104  of a container, whose port is published
        port,
        backlog=_BACKLOG,
    )
    watch = loop.create_task(front.canary.watch())
    await ended.wait()
    watch.cancel()
    server.close()
    front.ends = True
    began = loop.time()
    while front.clients and loop.time() < began + _LONGEST:
        for client in list(front.clients) if loop.time() > began + _DRAIN else ():
            client.end()
        await asyncio.sleep(PAUSE)


def main(port: str, name: str, to: str, canary: str = "", share: str = "0") -> None:
    """Forward connections to `port` on to port `to` of a name, and a share of them to a canary."""
    has_uvloop = find_spec("uvloop") is not None
    new_event_loop = (import_module("uvloop") if has_uvloop else asyncio).new_event_loop
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(forward(int(port), Front(name, int(to), canary, int(share))))


if __name__ == "__main__":
    main(*sys.argv[1:])
