"""What a server has recorded, read by another library than the one that wrote it."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq


def files(folder: Path) -> list[Path]:
    """All files, also those that are not finished, in the order of their names."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return sorted(found, key=lambda path: path.name)


def table(folder: Path) -> pa.Table:
    """The rows of all files."""
    return pa.concat_tables(pq.ParquetFile(path).read() for path in files(folder))


def rows(folder: Path) -> list[dict[str, Any]]:
    """The rows, by request and place in it."""
    if not files(folder):
        return []
    found: list[dict[str, Any]] = table(folder).to_pylist()
    return sorted(found, key=lambda row: (row["__request"], row["__row"]))


def facts(path: Path) -> dict[str, str]:
    """What a file says of itself, as a file and as a table."""
    file = pq.ParquetFile(path)
    metadata = file.metadata.metadata
    assert file.schema_arrow.metadata.items() <= metadata.items()
    assert b"sixfold.schema" in file.schema_arrow.metadata
    return {key.decode(): value.decode() for key, value in metadata.items()}
