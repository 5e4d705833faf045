"""Requests and their predictions are kept: the worker's side, which only hands them over.

A request that has been answered is handed over as it came: its body, and what was predicted. A
thread sends it, ten times a second, to a process beside this one (`record_process.py`), which reads
the body once more and writes files. So an answer waits for nothing, and what writing costs takes
no time of Python's lock from the answers to come.
"""

import marshal
import os
import signal
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from random import random
from typing import Any

import numpy as np
import orjson

from serving.server.bundle import Bundle, PyfuncBundle
from serving.server.errors import Unservable, where
from serving.server.metrics import Metrics
from serving.server.settings import Settings
from serving.server.v2_binary import HEADER

#: What a recorded request is, between the processes: where it was asked, its id, when it was
#: answered, the headers that say what its body is, the body, the predictions and their shape. Of a
#: model of others, the answer in their place: they may be of any kind.
Kept = tuple[str, str, float, bytes, bytes, bytes, bytes, tuple[int, ...]]

#: In front of each, its length.
LENGTH = 8

_PAUSE = 0.1  # seconds between two looks at what waits
_AT_ONCE = 256 << 10  # bytes that are sent together
_LEAST_WAITING = 8 << 20
_LONGEST_ID = 128
_ID = b"x-request-id"
_WISH, _NO = b"sixfold-record", b"no"


class Recorder:
    """Hands over what one worker answers.

    Made by `start_recording`. `keep` is for the thread of the event loop only.

    Parameters
    ----------
    bundle : Bundle
    settings : Settings
    metrics : Metrics
    connection : socket
        To the process that writes.
    """

    def __init__(
        self, bundle: Bundle, settings: Settings, metrics: Metrics, connection: socket.socket
    ) -> None:
        self._keeps_answers = isinstance(bundle, PyfuncBundle)
        self._share = settings.record_share
        self._rate = settings.record_rows / settings.workers
        self._most = max(settings.max_body, _LEAST_WAITING)  # bytes that may wait
        self._metrics = metrics
        self._connection = connection
        self._left, self._then = self._rate, time.monotonic()
        self._queue: deque[tuple[int, Kept]] = deque()
        self._taken = self._sent = 0  # bytes; each is written by one thread only
        self._made = 0
        self._mark = os.urandom(8).hex()
        named = {"model_name": bundle.model, "model_version": bundle.version}
        self._v2_start = orjson.dumps(named)[:-1] + b',"id":"'
        self._ended = threading.Event()
        self._broken = False
        self._thread = threading.Thread(target=self._send, name="recording", daemon=True)
        self._thread.start()

    def keep(
        self, route: str, headers: dict[bytes, bytes], body: bytes, raw: Any, content: bytes
    ) -> tuple[bytes, bytes]:
        """Hand over a request that is answered, if it is one of those that are recorded.

        Parameters
        ----------
        route : str
            Name of the route that was asked.
        headers : dict
        body : bytes
        raw : ndarray, or Found of a model of others
            What was predicted.
        content : bytes
            What is answered.

        Returns
        -------
        tuple of bytes
            The answer's header with the request's id.
        """
        name = self._name(headers, content)
        if headers.get(_WISH) == _NO:  # who asks with what was recorded at training, for one
            return _ID, name
        if self._share < 1.0 and random() >= self._share:  # noqa: S311  a sample, no secret
            return _ID, name
        now, rows = time.monotonic(), len(raw)
        # May become less than nothing: a large request is recorded whole, and those after it wait.
        self._left = min(self._rate, self._left + (now - self._then) * self._rate)
        self._then = now
        predicted = len(content) if self._keeps_answers else raw.nbytes
        size = len(body) + predicted + _LONGEST_ID
        waiting = self._taken - self._sent
        if self._left <= 0:
            self._metrics.unrecorded("rate", rows)
        elif self._broken:
            self._metrics.unrecorded("process", rows)
        elif waiting and waiting + size > self._most:
            self._metrics.unrecorded("queue", rows)
        else:
            self._left -= rows
            self._taken += size
            kinds = headers.get(b"content-type", b""), headers.get(HEADER, b"")
            found: tuple[bytes, tuple[int, ...]] = (content, (rows,))
            if not self._keeps_answers:
                found = raw.astype(np.float64, copy=False).tobytes(), raw.shape
            self._queue.append((size, (route, name.decode(), time.time(), *kinds, body, *found)))
        return _ID, name

    def close(self) -> None:
        """Hand over what waits, and wait until all of it is in files."""
        self._ended.set()
        self._thread.join()
        with suppress(OSError):  # it ended before
            self._connection.shutdown(socket.SHUT_WR)
            while self._connection.recv(1):  # never sends: ends when the process has ended
                pass
        self._connection.close()

    def _name(self, headers: dict[bytes, bytes], content: bytes) -> bytes:
        """The request's id: the client's header, V2's id, or a new one."""
        given = headers.get(_ID)
        if given is None and content.startswith(self._v2_start):
            start = len(self._v2_start)
            given = content[start : content.index(b'"', start)]
        if given is not None and _is_sane(given):
            return given
        self._made += 1
        return b"%s-%d" % (self._mark.encode(), self._made)

    def _send(self) -> None:
        """What the thread does until the worker ends."""
        ended = False
        while not ended:
            ended = self._ended.wait(_PAUSE)
            while self._queue:
                self._send_some()

    def _send_some(self) -> None:
        parts: list[bytes] = []
        size = rows = 0
        while self._queue and size < _AT_ONCE:
            taken, kept = self._queue.popleft()
            packed = marshal.dumps(kept)
            parts += (len(packed).to_bytes(LENGTH, "little"), packed)
            size, rows = size + taken, rows + kept[-1][0]
        try:
            if self._broken:
                raise BrokenPipeError
            self._connection.sendall(b"".join(parts))
        except OSError:
            if not self._broken:
                self._broken = True
                print("recording: its process has ended; nothing more is kept", file=sys.stderr)
            self._metrics.unsent(rows)
        self._sent += size


def _is_sane(name: bytes) -> bool:
    """Whether it is one line of visible characters, and needs no quoting."""
    return (
        0 < len(name) <= _LONGEST_ID
        and name.isascii()
        and name.decode("ascii").isprintable()
        and b"\\" not in name
    )


def start_recording(
    worker: int,
    bundle: Bundle,
    settings: Settings,
    metrics: Metrics,
    leave: Callable[[], Any],
) -> Recorder:
    """Start the process that writes what a worker answers.

    It is forked from the worker, before that has a model or threads: they have most of their memory
    in common. It ends when the worker has, however that ends.

    Parameters
    ----------
    worker : int
        Its number.
    bundle : Bundle
    settings : Settings
    metrics : Metrics
    leave : callable
        Gives up, in the new process, what is the worker's alone.
    """
    from serving.server.record_process import write_all

    ours, theirs = socket.socketpair()
    if os.fork() == 0:
        code = 1
        try:
            for name in (signal.SIGTERM, signal.SIGINT):
                signal.signal(name, signal.SIG_IGN)  # it is the worker who says when it is over
            leave()
            ours.close()
            write_all(theirs, worker, bundle, settings, metrics)
            code = 0
        except Exception as error:  # noqa: BLE001  its message may hold data
            print(f"recording: {where(error)}", file=sys.stderr)
        finally:
            os._exit(code)  # what the worker would do at exit is not this process's to do
    theirs.close()
    return Recorder(bundle, settings, metrics, ours)


def import_writer() -> None:
    """Import, once for all processes, what writes Parquet.

    Raises
    ------
    Unservable
        It is not in this image.
    """
    try:
        import arro3.core
        import arro3.io  # noqa: F401
    except ImportError:
        raise Unservable(
            "expected an image that can record, got one without a writer of Parquet; build it "
            "without --slim, or leave SIXFOLD_RECORD out"
        ) from None
