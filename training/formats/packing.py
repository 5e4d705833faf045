"""Packed files are known by their first bytes: a name may lie, and a server may have unpacked."""

import bz2
import gzip
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

ENDINGS = frozenset({".gz", ".gzip", ".bz2", ".xz", ".zst", ".zstd", ".zip"})

#: What a damaged or truncated packed file raises while it is read.
ERRORS = (EOFError, OSError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)


@contextmanager
def unpacked(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for reading its unpacked bytes."""
    with path.open("rb") as file:
        head = file.read(8)
        file.seek(0)
        for magic, unpack in _PACKINGS.items():
            if head.startswith(magic):
                with unpack(file) as stream:
                    yield stream
                return
        yield file


def is_packed(path: Path) -> bool:
    """Whether the file's first bytes are those of a packing known here."""
    with path.open("rb") as file:
        return file.read(8).startswith(tuple(_PACKINGS))


@contextmanager
def _unzip(file: IO[bytes]) -> Iterator[IO[bytes]]:
    with zipfile.ZipFile(file) as archive:
        names = [
            item.filename
            for item in archive.infolist()
            if not item.is_dir() and not item.filename.startswith("__MACOSX/")
        ]
        if len(names) != 1:
            raise zipfile.BadZipFile(f"expected one file inside the zip, got {len(names)}")
        with archive.open(names[0]) as stream:
            yield stream


def _unzst(file: IO[bytes]) -> Any:
    import pyarrow as pa

    return pa.CompressedInputStream(pa.PythonFile(file, mode="r"), "zstd")


_PACKINGS: dict[bytes, Callable[[IO[bytes]], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\0": lzma.open,
    b"\x28\xb5\x2f\xfd": _unzst,
    b"PK\x03\x04": _unzip,
}
