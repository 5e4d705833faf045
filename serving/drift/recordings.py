"""Recorded requests and their predictions, some rows at a time: from a folder, or from S3.

`FOLDER/MODEL/VERSION/2026-01-31/….parquet`, as a server writes them that is told to record.
"""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from serving.server.record_folder import folder_name
from serving.server.record_table import RESERVED
from training.errors import UserError

if TYPE_CHECKING:
    import pyarrow as pa

#: Columns that are not the schema's.
TIME, REQUEST, ROW, _VERSION, PREDICTION, PROBABILITIES = RESERVED

_END = ".parquet"
_ROWS = 20_000
_SPAN = re.compile(r"(\d+)([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True)
class Window:
    """From when to when, in UTC; None is without an end."""

    since: datetime | None = None
    until: datetime | None = None


@dataclass
class Found:
    """What was read.

    Attributes
    ----------
    files, rows : int
        That are of the version and in the window.
    damaged, foreign, outside : int
        Files that could not be read; files of another schema; files of days outside the window.
    first, last : datetime or None
        Of the rows.
    days : dict of date to int
        Rows of each day.
    shares : set of float
        What share of the requests was recorded.
    """

    files: int = 0
    rows: int = 0
    damaged: int = 0
    foreign: int = 0
    outside: int = 0
    first: datetime | None = None
    last: datetime | None = None
    days: dict[date, int] = field(default_factory=dict)
    shares: set[float] = field(default_factory=set)


def window(since: str, until: str, now: datetime | None = None) -> Window:
    """A window as a user writes it: `7d`, `12h`, `2026-01-31`, `2026-01-31T12:00+01:00`, or ''."""
    now = now or datetime.now(UTC)
    found = Window(_moment("--since", since, now), _moment("--until", until, now))
    if found.since and found.until and found.since >= found.until:
        raise UserError(
            f"expected --since before --until, got {found.since:%Y-%m-%d %H:%M} and "
            f"{found.until:%Y-%m-%d %H:%M} (UTC)"
        )
    return found


def _moment(option: str, text: str, now: datetime) -> datetime | None:
    if not text:
        return None
    try:
        if span := _SPAN.fullmatch(text.strip()):
            return now - timedelta(**{_UNITS[span[2]]: int(span[1])})
        found = datetime.fromisoformat(text.strip())
        return found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UserError(
            f"expected {option} as a time in ISO 8601 or as 7d, 12h, 30m ago, got {text!r}"
        ) from None


class Recordings:
    """The recordings of one version.

    Parameters
    ----------
    place : str
        The folder that recordings of all models are in, or `s3://BUCKET/PREFIX`.
    model, version : str
    fingerprint : str
        Of the version's schema.
    """

    def __init__(self, place: str, model: str, version: str, fingerprint: str) -> None:
        self._place = place.rstrip("/") or "/"
        self._model, self._version = model, version
        self._fingerprint = fingerprint
        self.found = Found()

    def batches(self, columns: Sequence[str], wanted: Window) -> "Iterator[pa.RecordBatch]":
        """Their rows in a window.

        Parameters
        ----------
        columns : sequence of str
            Those that are read, where they are there, and the time.
        wanted : Window

        Yields
        ------
        RecordBatch

        Raises
        ------
        UserError
            There are no files of the version, or none that can be read.
        """
        import pyarrow as pa

        with TemporaryDirectory(prefix="sixfold-") as name:
            for path in self._files(Path(name), wanted):
                try:
                    yield from self._of_file(path, columns, wanted)
                except FileNotFoundError:  # the server makes room for newer ones
                    continue
                except (pa.ArrowException, ValueError, OverflowError, OSError):
                    self.found.damaged += 1

    def _of_file(
        self, path: Path, columns: Sequence[str], wanted: Window
    ) -> "Iterator[pa.RecordBatch]":
        import pyarrow.parquet as pq

        with pq.ParquetFile(path) as file:
            about = file.metadata.metadata or {}
            if about.get(b"sixfold.schema", b"").decode() != self._fingerprint:
                self.found.foreign += 1
                return
            self.found.files += 1
            self.found.shares.add(float(about.get(b"sixfold.sampled", b"1")))
            there = set(file.schema_arrow.names)
            asked = [name for name in dict.fromkeys((TIME, *columns)) if name in there]
            for batch in file.iter_batches(batch_size=_ROWS, columns=asked):
                batch.validate(full=True)  # a flipped bit: texts that are none fail in who counts
                inside = _inside(batch, wanted)
                if inside.num_rows:
                    self._note(inside)
                    yield inside

    def _note(self, batch: "pa.RecordBatch") -> None:
        import pyarrow.compute as pc

        found = self.found
        times = batch[TIME]
        ends = pc.min_max(times).as_py()
        found.first = min(ends["min"], found.first or ends["min"])
        found.last = max(ends["max"], found.last or ends["max"])
        found.rows += batch.num_rows
        for item in pc.value_counts(pc.cast(times, "date32", safe=False)).to_pylist():
            day = item["values"]
            found.days[day] = found.days.get(day, 0) + item["counts"]

    def _files(self, folder: Path, wanted: Window) -> Iterator[Path]:
        """Those whose folder's day may have rows in the window."""
        # Rows are written some time after they were answered, perhaps on the next day.
        first = wanted.since.date() if wanted.since else date.min
        last = date.max
        if wanted.until and wanted.until.date() < date.max:
            last = wanted.until.date() + timedelta(days=1)

        def fits(path: str) -> bool:
            day, name = path.split("/")[-2:]
            if not name.endswith(_END) or name.startswith("."):
                return False
            try:
                inside = first <= date.fromisoformat(day) <= last
            except ValueError:
                return True
            self.found.outside += not inside
            return inside

        names = [folder_name(part) for part in (self._model, self._version)]
        if self._place.lower().startswith("s3://"):
            from training.sources.s3 import fetch_each

            yield from fetch_each("/".join([self._place, *names, ""]), folder, fits)
            return
        below = Path(self._place, *names)
        try:
            if not below.is_dir():
                self._nothing_there(below)
            paths = sorted(Path(at, name) for at, _, names in _walk(below) for name in names)
        except PermissionError as error:
            raise UserError(
                f"expected recordings that this user may read, got {error.filename}: "
                f"{error.strerror}; read them as who has recorded, or have the rights changed"
            ) from None
        yield from (path for path in paths if fits(path.as_posix()))

    def _nothing_there(self, below: Path) -> None:
        others = []
        if below.parent.is_dir():
            others = sorted(path.name for path in below.parent.iterdir() if path.is_dir())
        said = (
            f"only those of version {', '.join(others[:10])}; choose one with --version"
            if others
            else ""
        )
        raise UserError(
            f"expected recordings of {self._model} version {self._version} in {self._place}, got "
            + (said or "none; serve it with --record, or say where they are: --recordings FOLDER")
        )


def _walk(below: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """The folders below, but a day that is gone, with its last file, before it was looked at.

    Raises
    ------
    PermissionError
        One may not be looked at: `walk` alone would pass over that, too.
    """

    def failed(error: OSError) -> None:
        if isinstance(error, PermissionError):
            raise error

    return os.walk(below, onerror=failed)


def _inside(batch: "pa.RecordBatch", wanted: Window) -> "pa.RecordBatch":
    import pyarrow as pa
    import pyarrow.compute as pc

    for end, keeps in ((wanted.since, pc.greater_equal), (wanted.until, pc.less)):
        if end is not None:
            batch = batch.filter(keeps(batch[TIME], pa.scalar(end, batch[TIME].type)))
    return batch
