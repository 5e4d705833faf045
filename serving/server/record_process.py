"""The process beside a worker that writes what the worker has answered, until the worker ends."""

import marshal
import select
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from serving.server.bundle import Bundle, PyfuncBundle
from serving.server.errors import where
from serving.server.metrics import Metrics
from serving.server.record import LENGTH, Kept
from serving.server.record_folder import RecordFolder
from serving.server.record_table import Answered, RecordTable
from serving.server.routes import Parse
from serving.server.scoring_protocol import ScoringProtocol
from serving.server.settings import Settings
from serving.server.tables import Tables
from serving.server.v2_binary import HEADER
from serving.server.v2_protocol import V2Protocol

#: A file is written when there are so many rows, or requests and predictions have so many bytes.
_ROWS = 50_000
_BYTES = 32 << 20
#: Small requests become columns when there are so many rows.
_LOOSE_ROWS = 1_000


def write_all(
    connection: socket.socket, worker: int, bundle: Bundle, settings: Settings, metrics: Metrics
) -> None:
    """Write what comes over a connection, until its other side is closed.

    Parameters
    ----------
    connection : socket
        From `record.Recorder`.
    worker : int
        Whose it is.
    bundle : Bundle
    settings : Settings
    metrics : Metrics
    """
    parses = readers(bundle, settings)
    folder = RecordFolder(Path(settings.record), bundle, worker, settings.record_bytes)
    batch = Batch(bundle, settings.record_share, folder, metrics)
    due = 0.0
    try:
        while True:
            wait = max(0.0, due - time.monotonic()) if batch.rows else None
            if select.select([connection], [], [], wait)[0]:
                packed = _next(connection)
                if packed is None:
                    return
                if not batch.rows:
                    due = time.monotonic() + settings.record_seconds
                kept: Kept = marshal.loads(packed)  # noqa: S302  from the worker
                batch.add(kept, parses)
            if batch.is_full or (batch.rows and time.monotonic() >= due):
                batch.write()
    finally:
        batch.write()


def readers(bundle: Bundle, settings: Settings) -> dict[str, Parse]:
    """How the body of a request is read, by the name of its route."""
    if isinstance(bundle, PyfuncBundle):
        from serving.server.pyfunc_recorded import pyfunc_parses

        return pyfunc_parses(bundle, settings)
    tables = Tables([column.name for column in bundle.schema.used], settings.max_rows)
    return {
        "invocations": ScoringProtocol(bundle.schema, tables).parse,
        "v2_infer": V2Protocol(bundle, tables).parse,
    }


class Batch:
    """What is to go into the next file.

    Parameters
    ----------
    bundle : Bundle
    share : float
        Of the requests that are recorded.
    folder : RecordFolder
    metrics : Metrics

    Attributes
    ----------
    rows : int
    """

    def __init__(
        self, bundle: Bundle, share: float, folder: RecordFolder, metrics: Metrics
    ) -> None:
        self._bundle = bundle
        self._table = RecordTable(bundle, share)
        self._folder = folder
        self._metrics = metrics
        self._loose: list[Answered] = []
        self._loose_rows = 0
        self._bytes = 0
        self._said = ""
        self._causes: set[str] = set()
        self.rows = 0
        self._report(folder.open)

    @property
    def is_full(self) -> bool:
        """Whether it is time to write."""
        return self.rows >= _ROWS or self._bytes >= _BYTES

    def add(self, kept: Kept, parses: dict[str, Parse]) -> None:
        """Add a request."""
        route, name, when, kind, header, body, numbers, shape = kept
        headers = {
            key: value for key, value in ((b"content-type", kind), (HEADER, header)) if value
        }
        try:
            raw = self._predicted(numbers, shape)
            cells, _ = parses[route](body, headers)
            if cells.count != len(raw):
                raise ValueError("expected a prediction a row")
        except Exception as error:  # noqa: BLE001  one request does not end the recording
            self._drop(shape[0], error)
            return
        self._loose.append(Answered(name, when, cells, raw))
        self._loose_rows += len(raw)
        self._bytes += len(body) + len(numbers)
        self.rows += len(raw)
        if self._loose_rows >= _LOOSE_ROWS:
            self._tidy()

    def write(self) -> None:
        """Write the file, if there is something for it."""
        if not self.rows:
            return
        self._tidy()
        rows, self.rows, self._bytes = self.rows, 0, 0
        if not rows:
            return
        data = self._table.take()
        if self._report(lambda: self._folder.write(data)):
            self._metrics.recorded(rows)
        else:
            self._metrics.unrecorded("disk", rows)

    def _predicted(self, data: bytes, shape: tuple[int, ...]) -> np.ndarray:
        if isinstance(self._bundle, PyfuncBundle):
            from serving.server.pyfunc_recorded import predicted

            return predicted(data, shape[0], self._bundle.signature)
        return np.frombuffer(data, np.float64).reshape(shape)

    def _tidy(self) -> None:
        loose, rows = self._loose, self._loose_rows
        self._loose, self._loose_rows = [], 0
        try:
            self._table.add(loose)
        except Exception as error:  # noqa: BLE001  as above
            self.rows -= rows
            self._drop(rows, error)

    def _drop(self, rows: int, error: Exception) -> None:
        """Count rows that cannot be written; a cause, of which there are few, is said once."""
        self._metrics.unrecorded("form", rows)
        if (cause := where(error)) not in self._causes:
            self._causes.add(cause)
            said = f"{rows} rows cannot be written: {cause}; more like them are only counted"
            print(f"recording: {said}", file=sys.stderr)

    def _report(self, step: Callable[[], Any]) -> bool:
        """Whether the disk has taken it; what is wrong is said once, until it is something else."""
        said = ""
        try:
            step()
        except OSError as error:
            said = error.strerror or type(error).__name__
        if said != self._said:
            now = f"{said}: its rows are dropped until it can" if said else "it can be written to"
            print(f"recording: {self._folder.path}: {now}", file=sys.stderr)
            self._said = said
        return not said


def _next(connection: socket.socket) -> bytes | None:
    """What comes next; None at the end, and if the worker was killed before it had sent it all."""
    length = _received(connection, LENGTH)
    return None if length is None else _received(connection, int.from_bytes(length, "little"))


def _received(connection: socket.socket, size: int) -> bytes | None:
    whole = bytearray(size)
    left = memoryview(whole)
    while left:
        got = connection.recv_into(left)
        if not got:
            return None
        left = left[got:]
    return bytes(whole)
