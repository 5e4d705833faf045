"""Clients that send mixed requests to a server, and what comes back."""

import http.client
import json
import random
import select
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from benchmarks.mixed_requests import GOOD, NO_HTTP, Ask, Asks

_HANG = 60.0
#: Seconds from a kill until its clients notice: a process takes its time to end on a busy machine.
_NOTICED = 1.0


@dataclass(frozen=True)
class Lost:
    """A request without an answer: its kind, from when to when, and what the client saw."""

    kind: str
    began: float
    ended: float
    error: str


@dataclass
class Tally:
    """What came of all requests to one address.

    Attributes
    ----------
    answered : Counter
        Right answers by kind.
    statuses : Counter
    left : int
        Requests that the client did not wait for.
    wrong : list of str
        Answers that are not right.
    lost : list of Lost
    """

    answered: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    left: int = 0
    wrong: list[str] = field(default_factory=list)
    lost: list[Lost] = field(default_factory=list)

    def errors(self) -> int:
        """How many answers say that it is the server's fault."""
        return sum(count for status, count in self.statuses.items() if status >= 500)

    def lost_requests(self) -> list[Lost]:
        """Those lost that were requests of HTTP."""
        return [lost for lost in self.lost if lost.kind != NO_HTTP]

    def unexplained(self, kills: Sequence[tuple[float, float]]) -> list[Lost]:
        """Requests that were lost while no worker was killed, from when to when each was."""
        return [
            lost
            for lost in self.lost
            if not any(a <= lost.ended and b >= lost.began - _NOTICED for a, b in kills)
        ]


class Client:
    """Sends one request after the other, and keeps its connection where the server does.

    Parameters
    ----------
    host : str
    port : int
    tally : Tally
    """

    def __init__(self, host: str, port: int, tally: Tally) -> None:
        self._host, self._port, self._tally = host, port, tally
        self._socket: socket.socket | None = None

    def ask(self, ask: Ask, rng: random.Random) -> None:
        """Send a request, and look at its answer."""
        began = time.monotonic()
        try:
            self._ask(ask, rng)
        except (OSError, http.client.HTTPException) as error:
            said = f"{type(error).__name__}: {error}"[:200]
            self._tally.lost.append(Lost(ask.kind, began, time.monotonic(), said))
            self.close()

    def close(self) -> None:
        """Close the connection."""
        if self._socket:
            self._socket.close()
            self._socket = None

    def _ask(self, ask: Ask, rng: random.Random) -> None:
        connection = self._connection()
        if ask.manner == "left":
            connection.sendall(ask.raw[: rng.choice([0, 20, len(ask.raw) - 1, len(ask.raw)])])
            self.close()
            self._tally.left += 1
            return
        if ask.manner == "slowly":
            pieces = rng.randint(2, 12)
            size = len(ask.raw) // pieces + 1
            for at in range(0, len(ask.raw), size):
                connection.sendall(ask.raw[at : at + size])
                time.sleep(rng.uniform(0.01, 0.3))
        else:
            try:
                connection.sendall(ask.raw)
            except ConnectionError:  # refused by its head, and closed: the answer may be there
                if ask.statuses == GOOD:
                    raise
        answer = http.client.HTTPResponse(
            connection, method=ask.raw.split(b" ", 1)[0].decode("latin")
        )
        answer.begin()
        content = answer.read()
        self._tally.statuses[answer.status] += 1
        if answer.will_close or ask.statuses != GOOD:
            self.close()
        if answer.status not in ask.statuses:
            self._tally.wrong.append(f"{ask.kind}: {answer.status} {content[:200]!r}")
        elif ask.predictions is not None and _predictions(content) != ask.predictions:
            self._tally.wrong.append(f"{ask.kind}: other predictions")
        else:
            self._tally.answered[ask.kind] += 1

    def _connection(self) -> socket.socket:
        """The one there is, unless the server has closed it, as clients with a pool of them do."""
        if self._socket and select.select([self._socket], [], [], 0)[0]:
            self.close()
        if self._socket is None:
            self._socket = socket.create_connection((self._host, self._port), _HANG)
        return self._socket


def _predictions(content: bytes) -> Any:
    found = json.loads(content)
    return found["predictions"] if "predictions" in found else found["outputs"][0]["data"]


@contextmanager
def mixed_load(
    host: str, port: int, asks: Asks, clients: int, rate: float, seed: int
) -> Iterator[Tally]:
    """Send requests for the length of a `with` block.

    Parameters
    ----------
    host : str
    port : int
    asks : Asks
    clients : int
    rate : float
        Requests a second at most, of all clients together.
    seed : int
    """
    tally, ended = Tally(), threading.Event()

    def work(number: int) -> None:
        rng = random.Random(f"{seed} {number}")
        client = Client(host, port, tally)
        while not ended.is_set():
            due = time.monotonic() + rng.expovariate(rate / clients)
            client.ask(asks.one(rng), rng)
            ended.wait(max(0.0, due - time.monotonic()))
        client.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield tally
    finally:
        ended.set()
        for thread in threads:
            thread.join()
