"""HTTP below the application: what a connection may cost before there is a request."""

import asyncio

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

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
    """uvicorn's protocol, with a limit on headers and a time in which they must come.

    An offer to go on in another protocol, which Java's client makes with every first request, is
    declined by answering the request: uvicorn would answer it without its body.
    """

    _in_head = False
    _head = 0
    _offered = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client is there: it has as long as an idle one to send a request."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Some bytes came."""
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self.send_400_response("")
            return
        except httptools.HttpParserUpgrade as offer:
            self._decline(data[offer.args[0] :])
            return
        if self._in_head:
            self._head += len(data)
            if self._head > _LONGEST_HEAD:
                self.send_400_response("")
            else:
                self._wait()

    def on_message_begin(self) -> None:
        """A request begins."""
        self._in_head, self._head = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The headers are there."""
        self._in_head = False
        self._offered = self.parser.should_upgrade()
        if not self._offered:
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The body is there."""
        if not self._offered:
            super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, in the shape of all errors."""
        self._in_head = False
        if not self.transport.is_closing():
            self.transport.write(_MALFORMED)
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

    def _wait(self) -> None:
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )
