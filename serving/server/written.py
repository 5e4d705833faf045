"""Answers as bytes, each of which leaves as one packet."""

import asyncio
from urllib.parse import quote

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from serving.server.bundle import Bundle
from serving.server.errors import Headers


class Written:
    """Writes answers; where one has the status and headers of the last, these are written.

    They are the same again and again, until the second is over; those of what is recorded are not.
    """

    def __init__(self) -> None:
        self._last: dict[int, tuple[Headers, Headers, bytes]] = {}

    def answer(self, status: int, default: Headers, headers: Headers, body: bytes) -> bytes:
        """The whole of an answer.

        Parameters
        ----------
        status : int
        default : list of (bytes, bytes)
            Headers of all answers: another list, where they are others.
        headers : list of (bytes, bytes)
            Those of this one, without the body's length.
        body : bytes
        """
        last = self._last.get(status)
        if last is None or last[0] is not default or last[1] != headers:
            last = self._last[status] = default, headers, _head(status, [*default, *headers])
        return b"%b%d\r\n\r\n%b" % (last[2], len(body), body)


def version_header(bundle: Bundle) -> tuple[bytes, bytes]:
    """What tells a client which version has answered."""
    named = f"{bundle.model}/{bundle.version}"
    named = named if named.isascii() and named.isprintable() else quote(named)
    return b"sixfold-version", named.encode()


def _head(status: int, headers: Headers) -> bytes:
    lines = [b"%b: %b\r\n" % header for header in headers]
    return b"".join([STATUS_LINE[status], *lines, b"content-length: "])


class WholeAnswers:
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
