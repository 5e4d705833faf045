"""Connections, spread over the workers that listen on one socket.

The event loop's own way takes all connections that wait: of clients that come together, such as
those of a pool, one worker has all and the others none. Here a worker takes one at a time, and
one that has more than another leaves it to that one for a moment.
"""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress

#: Seconds: how long a worker gives way, and how long it waits where no more files can be open.
_MOMENT, _PAUSE = 0.002, 1.0


class Accepting:
    """Accepts in this process; begins at once.

    To uvicorn it is one of its servers.

    Parameters
    ----------
    listening : socket
        Does not block.
    protocol : callable
        Makes what serves a connection.
    has_most : callable
        Whether this worker has more connections than another, given how many it is opening.
    """

    def __init__(
        self,
        listening: socket.socket,
        protocol: Callable[[], asyncio.Protocol],
        has_most: Callable[[int], bool],
    ) -> None:
        self._listening = listening
        self._protocol = protocol
        self._has_most = has_most
        self._loop = asyncio.get_running_loop()
        self._opening: set[asyncio.Task[None]] = set()
        self._later: asyncio.TimerHandle | None = None
        self._listen(self._ready)

    def close(self) -> None:
        """Accept no more, but who waits: the end of the socket would be the end of them."""
        self._loop.remove_reader(self._listening)
        if self._later is not None:
            self._later.cancel()
        with suppress(OSError):
            while self._take():
                pass

    async def wait_closed(self) -> None:
        """Nothing is left to wait for."""

    def _listen(self, ready: Callable[[], None]) -> None:
        self._loop.add_reader(self._listening, ready)

    def _ready(self) -> None:
        if self._has_most(len(self._opening)):
            self._wait(_MOMENT, self._accept)
        else:
            self._accept()

    def _accept(self) -> None:
        try:
            self._take()
        except OSError:
            self._wait(_PAUSE, self._accept)
        else:
            self._listen(self._ready)

    def _take(self) -> bool:
        """Accept one that waits; False if nobody does.

        Raises
        ------
        OSError
            No more files can be open.
        """
        try:
            connection, _ = self._listening.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return False  # another worker has it, or it is gone
        connection.setblocking(False)
        task = self._loop.create_task(self._open(connection))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)
        return True

    async def _open(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._protocol, connection)
        except OSError:  # it is gone
            connection.close()

    def _wait(self, seconds: float, then: Callable[[], None]) -> None:
        self._loop.remove_reader(self._listening)
        self._later = self._loop.call_later(seconds, then)
