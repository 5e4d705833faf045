"""Answers as bytes, each of which leaves as one packet."""

import asyncio
from collections.abc import Iterable
from functools import lru_cache

from uvicorn.protocols.http.httptools_impl import STATUS_LINE


def answer(status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> bytes:
    """The whole of an answer."""
    return b"".join((_head(status, *headers), b"\r\n", body))


@lru_cache(maxsize=128)  # the same again and again, until the second is over
def _head(status: int, *headers: tuple[bytes, bytes]) -> bytes:
    parts = [STATUS_LINE[status]]
    for name, value in headers:
        parts += (name, b": ", value, b"\r\n")
    return b"".join(parts)


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
