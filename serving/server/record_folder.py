"""The folder that recordings go to: whole files, and no more of them than there is room for.

`FOLDER/MODEL/VERSION/2026-01-31/20260131T120000.000000-0-1f2e3d4c.parquet`: the time of writing,
the worker, and something random, so that many servers may share a folder.
"""

import os
import secrets
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from serving.server.bundle import Bundle

_END = ".parquet"
#: What is not finished after so long never will be.
_STALE = 3600.0


def folder_name(text: str) -> str:
    """The folder of a model or a version: its name, which may hold a slash."""
    return text.replace("/", "%2F")


class RecordFolder:
    """Where one worker's files go.

    Parameters
    ----------
    path : Path
        Of all models.
    bundle : Bundle
    worker : int
    most_bytes : int
        That the model's files may have together: the oldest go.
    """

    def __init__(self, path: Path, bundle: Bundle, worker: int, most_bytes: int) -> None:
        self.path = path
        self._model = path / folder_name(bundle.model)
        self._version = self._model / folder_name(bundle.version)
        self._worker = worker
        self._most_bytes = most_bytes

    def open(self) -> None:
        """Make it; OSError if nothing can be written there."""
        self._version.mkdir(parents=True, exist_ok=True)
        trial = self._version / f".{secrets.token_hex(4)}"
        trial.touch()
        trial.unlink()

    def write(self, data: bytes) -> Path:
        """Write a file, which is there as a whole or not at all, and make room.

        Raises
        ------
        OSError
            The disk does not take it.
        """
        now = datetime.now(UTC)
        day = self._version / f"{now:%Y-%m-%d}"
        day.mkdir(parents=True, exist_ok=True)
        name = f"{now:%Y%m%dT%H%M%S.%f}-{self._worker}-{secrets.token_hex(4)}{_END}"
        unfinished = day / f".{name}"
        try:
            with unfinished.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            unfinished.rename(day / name)
        except OSError:
            with suppress(OSError):
                unfinished.unlink()
            raise
        with suppress(OSError):  # others make room too, in the same folder
            self._make_room(day / name)
        return day / name

    def _make_room(self, newest: Path) -> None:
        found: list[tuple[str, Path, int]] = []
        for path in self._model.rglob(f"*{_END}"):
            with suppress(FileNotFoundError):
                facts = path.stat()
                if not path.name.startswith("."):
                    found.append((path.name, path, facts.st_size))
                elif facts.st_mtime < time.time() - _STALE:
                    with suppress(OSError):  # somebody else's
                        path.unlink()
        over = sum(size for _, _, size in found) - self._most_bytes
        for _, path, size in sorted(found):
            if over <= 0 or path == newest:
                break
            try:
                path.unlink(missing_ok=True)
            except OSError:  # somebody else's: the next one goes in its place
                continue
            over -= size
            with suppress(OSError):  # a day that others are in stays
                path.parent.rmdir()
