"""HTTP below the application: what a connection may cost, and which way a request goes.

A small request for predictions takes the short way (`short_way.py`); all others go uvicorn's,
through the ASGI application.
"""

import asyncio
import select

import httptools

from serving.server.errors import CLOSE, Refused, bad_request
from serving.server.heads import Head, read_head, without_offer
from serving.server.short_way import ShortWay
from serving.server.written import WholeAnswers

#: Bytes of a request's line and headers together.
_LONGEST_HEAD = 64 << 10


class Connection(ShortWay):
    """uvicorn's protocol, with a short way, a limit on headers and a time in which they must come.

    An offer to go on in another protocol, which Java's client makes with every first request, is
    declined by answering the request: uvicorn would answer it without its body.
    """

    _in_head = False
    _head = 0
    _offered = False
    _short: Head | None = None  # of a request that may take the short way
    _content = b""  # of that request

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

    def _read(self, data: bytes) -> None:
        while data:
            data = self._parse(data)

    def _parse(self, data: bytes) -> bytes:
        """Have the parser read what came; returns what it is to read then."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self.send_400_response("")
            return b""
        except httptools.HttpParserUpgrade as offer:
            return self._declined(data[offer.args[0] :])
        if self._short is not None:
            self._take_long_way()
        if self._in_head:
            self._head += len(data)
            if self._head > _LONGEST_HEAD:
                self._refuse(_head_too_long())
        return b""

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
            or self._is_long
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
        self._refuse(bad_request("http", "expected a request of HTTP/1.1"))

    def _refuse(self, error: Refused) -> None:
        """End the connection with an answer, if none of a request before is due."""
        self._in_head, self._short = False, None
        self.app.flush()
        if self._closes_with_answer():
            self.flow.pause_reading()
        elif not self.transport.is_closing():
            status, headers, body = self.app.refuse(error)
            if CLOSE not in headers:
                headers.append(CLOSE)
            default = self.server_state.default_headers
            self.transport.write(self.app.written.answer(status, default, headers, body))
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

    def _declined(self, rest: bytes) -> bytes:
        """The request that made an offer without it, to be read again, and what follows."""
        method = self.parser.get_method()
        if method == b"CONNECT":  # which is nothing but an offer
            self.send_400_response("")
            return b""
        head = without_offer(method, self.url, self.headers)
        self._offered = False
        self.parser = httptools.HttpRequestParser(self)
        return head + rest

    def _watch(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(
            seconds, self.timeout_keep_alive_handler
        )


def _head_too_long() -> Refused:
    return Refused(431, "http", f"expected headers of at most {_LONGEST_HEAD} bytes; send fewer")
