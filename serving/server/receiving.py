"""The bodies of requests: how large one may be, and how much memory all of them together take."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from serving.server.errors import Refused, unavailable

Receive = Callable[[], Awaitable[dict[str, Any]]]

#: Bodies beyond this are large.
LARGE = 128 << 10
#: So many bodies of the largest size a worker holds at most, be they of fewer bytes and more.
_TOGETHER = 8


class Gone(Exception):
    """The client went away; nobody is there to be answered."""


class Room:
    """The bytes of large bodies that one worker has received and not yet answered.

    Parameters
    ----------
    most : int
        Bytes of a body.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._left = _TOGETHER * most

    def check(self, size: int) -> None:
        """Refuse a body that is too large."""
        if size > self._most:
            raise Refused(
                413, "body_size", f"expected a body of at most {self._most} bytes; send fewer"
            )

    def take(self, size: int, more: int) -> None:
        """Some more bytes of a body that has so many by now."""
        self.check(size)
        if more > self._left:
            raise unavailable("busy", "expected fewer large bodies at a time; send it again")
        self._left -= more

    def give(self, size: int) -> None:
        """So many bytes are not held any more."""
        self._left += size


class Body:
    """A request's body, and the room that it takes.

    Parameters
    ----------
    room : Room
    """

    __slots__ = ("_held", "_room")

    def __init__(self, room: Room) -> None:
        self._room = room
        self._held = 0

    async def receive(self, headers: Mapping[bytes, bytes], receive: Receive) -> bytes:
        """The whole of it.

        Raises
        ------
        Refused
            413: too large. 503: there is no room for now.
        Gone
        """
        if b"content-length" in headers:
            self._room.check(int(headers[b"content-length"]))
        message = await receive()
        body: bytes = message.get("body", b"")
        size = len(body)
        if message.get("more_body"):
            parts = [body]
            while message.get("more_body"):
                message = await receive()
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                self._hold(size)
            body = b"".join(parts)
        else:
            self._hold(size)
        if message["type"] == "http.disconnect":
            raise Gone
        return body

    def release(self) -> None:
        """It is not needed any more."""
        self._room.give(self._held)

    def _hold(self, size: int) -> None:
        more = size - self._held if size > LARGE else 0
        self._room.take(size, more)
        self._held += more
