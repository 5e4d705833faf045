"""HTTP below the application: what a connection may cost, and the short way of a small request.

A prediction takes less time than what stands between it and the socket: a task, a queue of
messages, a timer. A request for predictions that is whole in what was just read is therefore
answered without these, with all others that were read in the same turn of the event loop; what is
not goes uvicorn's way through the ASGI application.
"""

import asyncio
import select
from functools import partial
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from serving.server.errors import CLOSE, Headers
from serving.server.routes import Route

#: Bytes of a request's line and headers together.
_LONGEST_HEAD = 64 << 10

_BODY = (
    b'{"error_code":"MALFORMED_REQUEST","message":"expected a request of HTTP/1.1",'
    b'"error":"expected a request of HTTP/1.1"}'
)
_MALFORMED = (
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\nconnection: close\r\n"
    b"content-length: %d\r\n\r\n%s" % (len(_BODY), _BODY)
)


class Connection(HttpToolsProtocol):
    """uvicorn's protocol, with a short way, a limit on headers and a time in which they must come.

    An offer to go on in another protocol, which Java's client makes with every first request, is
    declined by answering the request: uvicorn would answer it without its body.
    """

    app: Any  # `serving.server.app.App`
    _in_head = False
    _head = 0
    _offered = False
    _route: Route | None = None  # of a request that may take the short way
    _content = b""  # of that request

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client is there: it has as long as an idle one to send a request."""
        super().connection_made(transport)
        self._whole = _WholeAnswers(transport)
        self._heard = self.loop.time()
        self._watch(self.timeout_keep_alive)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        super().connection_lost(exc)
        self._unset_keepalive_if_required()

    def data_received(self, data: bytes) -> None:
        """Some bytes came."""
        self._heard = self.loop.time()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self.send_400_response("")
            return
        except httptools.HttpParserUpgrade as offer:
            self._decline(data[offer.args[0] :])
            return
        if self._route is not None:
            self._take_long_way()
        if self._in_head:
            self._head += len(data)
            if self._head > _LONGEST_HEAD:
                self.send_400_response("")

    def on_message_begin(self) -> None:
        """A request begins; what only the long way needs is made there."""
        self._in_head, self._head = True, 0
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
            or self.flow.write_paused
            or not (self.cycle is None or self.cycle.response_complete)
        ):
            self._begin_long_way()
        else:
            self._route, self._content = route, b""

    def on_body(self, body: bytes) -> None:
        """Some of the body is there."""
        if self._route is None:
            super().on_body(body)
        else:
            self._content += body

    def on_message_complete(self) -> None:
        """All of it is there."""
        if self._offered:
            return
        if self._route is not None:
            reply = partial(self._reply, self.parser.should_keep_alive())
            alone = len(self.connections) == 1
            if self.app.ask(self._route, dict(self.headers), self._content, reply, alone):
                self._route = None
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
        self._in_head, self._route = False, None
        self.app.flush()
        if self._closes_with_answer():
            self.flow.pause_reading()
        elif not self.transport.is_closing():
            self.transport.write(_MALFORMED)
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
        self._route = None
        self._begin_long_way()
        if self._content:
            super().on_body(self._content)

    def _reply(self, keep: bool, status: int, headers: Headers, body: bytes) -> None:
        if self.transport.is_closing():
            return
        parts = [STATUS_LINE[status]]
        for name, value in self.server_state.default_headers:
            parts += (name, b": ", value, b"\r\n")
        for name, value in headers:
            parts += (name, b": ", value, b"\r\n")
        # Not whether the server drains by now: a client that was not told may be sending again.
        told = CLOSE in headers
        if not keep and not told:
            parts.append(b"connection: close\r\n")
        parts += (b"\r\n", body)
        self.transport.write(b"".join(parts))
        if told or not keep:
            self.transport.close()

    def _decline(self, rest: bytes) -> None:
        """Read the request again, without the offer."""
        method = self.parser.get_method()
        if method == b"CONNECT":  # which is nothing but an offer
            self.send_400_response("")
            return
        lines = [b"%s %s HTTP/1.1" % (method, self.url)]
        for name, value in self.headers:
            if name == b"connection":
                options = (option.strip() for option in value.split(b","))
                value = b", ".join(option for option in options if option.lower() != b"upgrade")
            if name != b"upgrade":
                lines.append(b"%s: %s" % (name, value))
        self._offered = False
        self.parser = httptools.HttpRequestParser(self)
        self.data_received(b"\r\n".join([*lines, b"", rest]))

    def _watch(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(
            seconds, self.timeout_keep_alive_handler
        )


class _WholeAnswers:
    """Writes the head of an answer together with its body: one system call, and one packet.

    uvicorn writes them one after the other. Where there is no body, `flush` writes the head.
    """

    __slots__ = ("_head", "_transport", "is_closing")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head = b""
        self.is_closing = transport.is_closing

    def write(self, data: bytes) -> None:
        """Write a head, later, or a body and its head, now."""
        if self._head:
            self._transport.write(self._head + data)
            self._head = b""
        elif data.startswith(b"HTTP/1.1 ") and not data.startswith(b"HTTP/1.1 100"):
            self._head = data
        else:
            self._transport.write(data)

    def flush(self) -> None:
        """Write a head that still waits."""
        if self._head:
            self._transport.write(self._head)
            self._head = b""

    def close(self) -> None:
        """Close, when all is written."""
        self.flush()
        self._transport.close()
