"""The short way of a small request: answered as it comes, without the ASGI application.

A prediction takes less time than what stands between it and the socket: a task, a queue of
messages, a timer. A request for predictions that is whole in what was just read is therefore
answered without these, with all others that were read in the same turn of the event loop. A head
that came before, byte for byte, is not read again, so that its body may come a little later: most
clients send the two one after the other. Where there is one connection, what it sends next is
waited for awake.
"""

import asyncio
from abc import abstractmethod
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from serving.server.awake import Awake
from serving.server.errors import CLOSE, Headers
from serving.server.heads import Head

if TYPE_CHECKING:
    from serving.server.app import App

#: Seconds: that the body of a known head may come later; after which others have their turn.
_LATER, _TURN = 0.05, 1e-3


class ShortWay(HttpToolsProtocol):
    """uvicorn's protocol, for what goes the long way, and the short one."""

    app: Any  # `App`
    _heard = 0.0  # when something came
    _between = True  # two requests
    _said: Head | None = None  # of the last head that was read and may take this way
    _is_long = False  # the request that is read: it has been asked in vain
    _held = b""  # a known head, and what there is of its body
    _release_later: asyncio.TimerHandle | None = None
    _alone = False  # is who was just answered, or whose body is to come
    _goes_on = False  # in the next turn
    _awake: Awake | None = None

    @abstractmethod
    def _read(self, data: bytes) -> None:
        """Have the parser read what came."""

    def data_received(self, data: bytes) -> None:
        """Some bytes came."""
        self._take(data)
        if self._alone and not self._goes_on:
            self._go_on()

    def _go_on(self) -> None:
        """Take what comes next, as long as the client is alone and quick."""
        self._goes_on = False
        until = perf_counter() + _TURN
        while self._alone and len(self.connections) == 1 and not self.transport.is_closing():
            data = self._awaiting().receive()
            if not data:
                return
            self._take(data)
            if perf_counter() > until:
                self._goes_on = True
                self.loop.call_soon(self._go_on)
                return

    def _awaiting(self) -> Awake:
        self._awake = self._awake or Awake(self.transport.get_extra_info("socket").fileno())
        return self._awake

    def _take(self, data: bytes) -> None:
        """Take the short way with what came, or read it."""
        self._heard = self.loop.time()
        self._alone = False
        if self._between:
            self._begin(self._held + data)
        else:
            self._read(data)

    def _begin(self, data: bytes) -> None:
        """A request begins: it is asked as its head says, where that is known."""
        head, end = self.app.heads.find(data)
        if head is not None and self._is_free():
            missing = head.length - (len(data) - end)
            if missing > 0 and head.length <= self.app.at_once:
                self._hold(data)
                return
            if missing == 0:
                if self._held:
                    self._take_held()
                if self._ask(head, data[end:]):
                    return
                self._is_long = True
        if self._held:
            self._take_held()
        before = self._said
        self._read(data)
        self._is_long = False
        # No other request than this one may have been read, nor begun.
        if self._said is not before and (self._between or end == len(data)):
            self.app.heads.add(data, end, self._said)

    def _hold(self, data: bytes) -> None:
        """Wait a little for the rest of a body."""
        self._held = data
        if self._release_later is None:
            self._release_later = self.loop.call_later(_LATER, self._release)
        self._alone = len(self.connections) == 1

    def _take_held(self) -> bytes:
        held, self._held = self._held, b""
        if self._release_later is not None:
            self._release_later.cancel()
            self._release_later = None
        return held

    def _release(self) -> None:
        """Go the long way with what is held."""
        if self._held:
            self._read(self._take_held())

    def _is_free(self) -> bool:
        """Whether nothing is under way that is to be answered first."""
        return not self.flow.write_paused and (self.cycle is None or self.cycle.response_complete)

    def _ask(self, head: Head, body: bytes) -> bool:
        app: App = self.app
        if len(self.connections) > 1:
            return app.ask(head.route, head.headers, body, partial(self._reply, head.keeps))
        answer = app.answer(head.route, head.headers, body)
        if answer is None:
            return False
        try:
            self._reply(head.keeps, *answer, alone=True)
        finally:
            app.sent()
        return True

    def _reply(
        self, keep: bool, status: int, headers: Headers, body: bytes, alone: bool = False
    ) -> None:
        if self.transport.is_closing():
            return
        # Not whether the server drains by now: a client that was not told may be sending again.
        told = CLOSE in headers
        if not keep and not told:
            headers = [*headers, CLOSE]
        default = self.server_state.default_headers
        self._send(self.app.written.answer(status, default, headers, body), alone)
        if told or not keep:
            self.transport.close()

    def _send(self, data: bytes, alone: bool) -> None:
        """Write an answer: now, if nobody else is there, or with those of the others."""
        if alone and not self.transport.get_write_buffer_size():
            data = self._awaiting().send(data)
            self._alone = not data
        if data:
            self.transport.write(data)
