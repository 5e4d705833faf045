"""A request and its answer as they pass the front: which can be asked again, and what it was.

A prediction changes nothing, so it may be asked twice: a request is kept until its answer is whole,
for another server if this one is gone before; until then nothing of the answer is handed on. As
much is read of what passes as tells where a request and an answer end. Where that is not plain (no
length is said, requests are sent ahead of answers), or there is no room to keep it, bytes pass as
they come, and nothing is asked again. So does an answer that is long, from its beginning to its
end: what is held for clients that do not read is little.
"""

import re

#: How often a request is asked again: one that ends each worker is not to end them all.
_AGAIN = 2
#: Bytes of requests and answers that are kept or wait to be sent, of all clients together.
_KEPT = 64 << 20
#: Bytes of an answer that is held until it is whole.
_HELD = 1 << 20
_LONGEST_HEAD = 64 << 10
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,18})[ \t]*(?:\r\n|$)")
_INTERIM = re.compile(rb"HTTP/1\.1 1\d\d [^\r]*\r\n(?:[^\r]+\r\n)*\r\n")


class Message:
    """How far a request or an answer has come, by the length that its head says.

    Attributes
    ----------
    head : bytes
        In small letters once it is whole.
    left : int or None
        Bytes that are still to come; None before the head is whole.
    """

    head = b""
    left: int | None = None

    def take(self, data: bytes, usual: int | None) -> bool:
        """Whether it is plain where it ends, and this is not beyond it.

        Parameters
        ----------
        data : bytes
        usual : int or None
            The length where the head says none; None: that is not plain.
        """
        if self.left is None:
            head, found, data = (self.head + data).partition(b"\r\n\r\n")
            self.head = head if found else head[: _LONGEST_HEAD + 1]
            if not found:
                return len(head) <= _LONGEST_HEAD
            self.head = head.lower()
            said = _LENGTH.search(self.head)
            length = int(said[1]) if said else usual
            if length is None or b"\r\ntransfer-encoding:" in self.head:
                return False
            self.left = length
        self.left -= len(data)
        return self.left >= 0


def is_prediction(data: bytes) -> bool:
    """Whether this begins a request that may be one, and says where that ends."""
    begun = Message()
    plain = data.startswith(b"POST ") and begun.take(data, usual=None)
    return plain and begun.left is not None


class Room:
    """Bytes that may still be kept."""

    left = _KEPT


class Exchange:
    """The request of a client and its answer.

    Parameters
    ----------
    room : Room
    """

    def __init__(self, room: Room) -> None:
        self._room = room
        self._plain = True
        self._clear()

    def _clear(self) -> None:
        self._kept: list[bytes] = []
        self._held: list[bytes] = []
        self._request, self._answer = Message(), Message()
        self._passes = False
        self._tries = 0

    @property
    def idle(self) -> bool:
        """Whether nothing has been asked that has no answer."""
        return self._plain and not self._kept and not self._passes

    def asked(self, data: bytes) -> list[bytes]:
        """The client has sent this; what of an answer is to be handed on now."""
        if not self._plain:
            return []
        self._kept.append(data)
        self._room.left -= len(data)
        one = not self._held and not self._passes and self._request.take(data, usual=0)
        return [] if one and self._room.left >= 0 else self.pass_on()

    def answered(self, data: bytes) -> list[bytes]:
        """The server has sent this; what is to be handed on now."""
        begins = not self._held and not self._passes
        if not self._plain or (begins and _INTERIM.fullmatch(data)):
            return [data]
        self._held.append(data)
        self._room.left -= len(data)
        whole = self._request.left == 0 and self._request.head.startswith((b"post ", b"get "))
        if not whole or not self._answer.take(data, usual=None) or self._room.left < 0:
            return self.pass_on()
        if self._answer.left != 0:
            self._passes = self._passes or self._is_long()
            return self._forget() if self._passes else []
        found = self._forget()
        self._plain = b"\r\nconnection: close" not in self._answer.head
        self._clear()
        return found

    def again(self) -> list[bytes] | None:
        """What to ask another server when this one is gone; None if that is not possible."""
        if self.idle:
            return []
        self._tries += 1
        if not self._plain or self._passes or self._tries > _AGAIN:
            return None
        self._room.left += sum(map(len, self._held))
        self._held, self._answer = [], Message()
        return list(self._kept)

    def pass_on(self) -> list[bytes]:
        """Keep nothing from now on; what of an answer was."""
        self._plain = False
        return self._forget()

    def _is_long(self) -> bool:
        return sum(map(len, self._held)) + (self._answer.left or 0) > _HELD

    def _forget(self) -> list[bytes]:
        held = self._held
        self._room.left += sum(map(len, (*self._kept, *held)))
        self._kept, self._held = [], []
        return held
