"""Heads of requests that came before: a client sends the same bytes again and again."""

from dataclasses import dataclass

from serving.server.errors import Headers
from serving.server.routes import Route

END = b"\r\n\r\n"
#: So many heads of so many bytes are kept at most.
_MOST, _LONGEST = 512, 2 << 10


@dataclass(frozen=True, slots=True)
class Head:
    """What a request's line and headers say, if it may take the short way.

    Attributes
    ----------
    route : Route
    headers : dict
    length : int
        Bytes of the body; -1 where the headers do not say.
    keeps : bool
        The connection lasts.
    """

    route: Route
    headers: dict[bytes, bytes]
    length: int
    keeps: bool


class Heads:
    """The heads that the connections of one worker have read."""

    def __init__(self) -> None:
        self._known: dict[bytes, Head] = {}

    def find(self, data: bytes) -> tuple[Head | None, int]:
        """What the head at the beginning of some bytes says, if it is known; and where it ends."""
        end = data.find(END) + len(END)
        return self._known.get(data[:end]), end

    def add(self, data: bytes, end: int, head: Head | None) -> None:
        """Know a head from now on, if the bytes are one and its body, or all but its body."""
        if head is None or head.length < 0 or end > _LONGEST:
            return
        if len(data) - end in (0, head.length):
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[data[:end]] = head


def read_head(route: Route, lines: Headers, keeps: bool) -> Head:
    """What a head says that has been parsed."""
    headers = dict(lines)
    length = headers.get(b"content-length", b"")
    is_said = length.isdigit() and b"transfer-encoding" not in headers
    return Head(route, headers, int(length) if is_said else -1, keeps)


def without_offer(method: bytes, url: bytes, headers: Headers) -> bytes:
    """A head without the offer to go on in another protocol."""
    lines = [b"%s %s HTTP/1.1" % (method, url)]
    for name, value in headers:
        if name == b"connection":
            options = (option.strip() for option in value.split(b","))
            value = b", ".join(option for option in options if option.lower() != b"upgrade")
        if name != b"upgrade":
            lines.append(b"%s: %s" % (name, value))
    return b"\r\n".join(lines) + END
