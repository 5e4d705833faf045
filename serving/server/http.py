"""HTTP below the application: what a connection may cost, and the short way of a small request.

A prediction takes less time than what stands between it and the socket: a task, a queue of
messages, a timer. A request for predictions that is whole in what was just read is therefore
answered without these, with all others that were read in the same turn of the event loop; what is
not goes uvicorn's way through the ASGI application. A head that came before, byte for byte, is not
read again, so that its body may come a little later: most clients send the two one after the other.
Where there is one connection, what it sends next is waited for awake.
"""

import asyncio
import select
from functools import partial
from time import perf_counter
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from serving.server.awake import Awake
from serving.server.errors import CLOSE, Headers
from serving.server.heads import Head, read_head, without_offer
from serving.server.written import MALFORMED, WholeAnswers, answer

#: Bytes of a request's line and headers together.
_LONGEST_HEAD = 64 << 10
#: Seconds: that the body of a known head may come later; after which others have their turn.
_LATER, _TURN = 0.05, 1e-3


class Connection(HttpToolsProtocol):
    """uvicorn's protocol, with a short way, a limit on headers and a time in which they must come.

    An offer to go on in another protocol, which Java's client makes with every first request, is
    declined by answering the request: uvicorn would answer it without its body.
    """

    app: Any  # `serving.server.app.App`
    _in_head = False
    _head = 0
    _offered = False
    _short: Head | None = None  # of a request that may take the short way
    _content = b""  # of that request
    _said: Head | None = None  # the same, be it answered
    _between = True  # two requests
    _held = b""  # a known head, and what there is of its body
    _release_later: asyncio.TimerHandle | None = None
    _alone = False  # is who was just answered, or whose body is to come
    _goes_on = False  # in the next turn
    _awake: Awake | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client is there: it has as long as an idle one to send a request."""
        super().connection_made(transport)
        self._whole = WholeAnswers(transport)
        self._heard = self.loop.time()
        self._watch(self.timeout_keep_alive)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        self._take_held()

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
        if self._awake is None:
            self._awake = Awake(self.transport.get_extra_info("socket").fileno())
        return self._awake

    def _take(self, data: bytes) -> None:
        """Take the short way with what came, or read it."""
        self._heard = self.loop.time()
        self._alone = False
        if not self._between:
            self._read(data)
            return
        if self._held:
            data = self._take_held() + data
        head, end = self.app.heads.find(data)
        if head is not None and self._is_free():
            body = data[end:]
            if len(body) == head.length:
                if self._ask(head, body):
                    return
            elif len(body) < head.length <= self.app.at_once:
                self._hold(data)
                return
        before = self._said
        self._read(data)
        if self._said is not before:
            self.app.heads.add(data, end, self._said)

    def _hold(self, data: bytes) -> None:
        """Wait a little for the rest of a body."""
        self._held = data
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

    def _read(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self.send_400_response("")
            return
        except httptools.HttpParserUpgrade as offer:
            self._decline(data[offer.args[0] :])
            return
        if self._short is not None:
            self._take_long_way()
        if self._in_head:
            self._head += len(data)
            if self._head > _LONGEST_HEAD:
                self.send_400_response("")

    def on_message_begin(self) -> None:
        """A request begins; what only the long way needs is made there."""
        self._in_head, self._head, self._between = True, 0, False
        self.url = b""
        self.headers = []
        self.expect_100_continue = False

    def on_headers_complete(self) -> None:
        """The headers are there."""
        self._in_head = False
        self._offered = self.parser.should_upgrade()
        if self._offered:
            return
        route = self.app.short_ways.get(self.url)
        if (
            route is None
            or self.parser.get_method() != b"POST"
            or self.parser.get_http_version() != "1.1"
            or self.expect_100_continue
            or not self._is_free()
        ):
            self._begin_long_way()
            return
        self._short = read_head(route, self.headers, self.parser.should_keep_alive())
        self._said, self._content = self._short, b""

    def on_body(self, body: bytes) -> None:
        """Some of the body is there."""
        if self._short is None:
            super().on_body(body)
        else:
            self._content += body

    def on_message_complete(self) -> None:
        """All of it is there."""
        self._between = True
        if self._offered:
            return
        if self._short is not None:
            if self._ask(self._short, self._content):
                self._short = None
                return
            self._take_long_way()
        super().on_message_complete()

    def _is_free(self) -> bool:
        """Whether nothing is under way that is to be answered first."""
        return not self.flow.write_paused and (self.cycle is None or self.cycle.response_complete)

    def _ask(self, head: Head, body: bytes) -> bool:
        alone = len(self.connections) == 1
        reply = partial(self._reply, head.keeps, alone)
        answered: bool = self.app.ask(head.route, head.headers, body, reply, alone)
        return answered

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio takes one
        """The client sends no more: the connection is closed with the answers that are due."""
        self.app.flush()
        return self._closes_with_answer()

    def on_response_complete(self) -> None:
        """A request is answered that took the long way."""
        self._whole.flush()
        self._heard = self.loop.time()
        super().on_response_complete()

    def shutdown(self) -> None:
        """The server ends: so does the connection, unless a request has come, whole or not."""
        self._release()
        self.app.flush()
        waiting = select.poll()
        waiting.register(self.transport.get_extra_info("socket").fileno(), select.POLLIN)
        if not self._in_head and not waiting.poll(0):
            super().shutdown()

    def timeout_keep_alive_handler(self) -> None:
        """Close the connection if nothing came for long and nothing is under way."""
        self.timeout_keep_alive_task = None
        left = self._heard + self.timeout_keep_alive - self.loop.time()
        busy = self.cycle is not None and not self.cycle.response_complete
        if left > 0 or busy:
            self._watch(self.timeout_keep_alive if busy else left)
        elif not self.transport.is_closing():
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, in the shape of all errors."""
        self._in_head, self._short = False, None
        self.app.flush()
        if self._closes_with_answer():
            self.flow.pause_reading()
        elif not self.transport.is_closing():
            self.transport.write(MALFORMED)
            self.transport.close()

    def _closes_with_answer(self) -> bool:
        """Whether a request that is whole still waits for its answer: the last of this client."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete or cycle.more_body:
            return False
        cycle.keep_alive = False
        return True

    def _begin_long_way(self) -> None:
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers.extend(headers)
        super().on_headers_complete()
        self.cycle.transport = self._whole  # type: ignore[assignment]

    def _take_long_way(self) -> None:
        """The request is not whole, or too large to be answered at once."""
        self._short = None
        self._begin_long_way()
        if self._content:
            super().on_body(self._content)

    def _reply(self, keep: bool, alone: bool, status: int, headers: Headers, body: bytes) -> None:
        if self.transport.is_closing():
            return
        # Not whether the server drains by now: a client that was not told may be sending again.
        told = CLOSE in headers
        if not keep and not told:
            headers = [*headers, CLOSE]
        self._send(answer(status, (*self.server_state.default_headers, *headers), body), alone)
        if told or not keep:
            self.transport.close()

    def _send(self, data: bytes, alone: bool) -> None:
        """Write an answer: now, if nobody else is there, or with those of the others."""
        if alone and not self.transport.get_write_buffer_size():
            data = self._awaiting().send(data)
            self._alone = not data
        if data:
            self.transport.write(data)

    def _decline(self, rest: bytes) -> None:
        """Read the request again, without the offer."""
        method = self.parser.get_method()
        if method == b"CONNECT":  # which is nothing but an offer
            self.send_400_response("")
            return
        head = without_offer(method, self.url, self.headers)
        self._offered = False
        self.parser = httptools.HttpRequestParser(self)
        self.data_received(head + rest)

    def _watch(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(
            seconds, self.timeout_keep_alive_handler
        )
