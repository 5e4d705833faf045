"""Tables of any length, read some rows at a time."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.errors import UserError
from training.formats import delimited, format_of, packing
from training.formats.names import unique_names
from training.missing import Missing, parse_missing
from training.schema import Schema

if TYPE_CHECKING:
    import pandas as pd

#: Rows that are read, sent and written at a time, fewer where there are many columns.
ROWS = 2_000
_CELLS = 500_000


@dataclass(frozen=True)
class Source:
    """A table on the disk.

    Attributes
    ----------
    path : Path
    form : {'CSV', 'TSV', 'Parquet'}
    shown : str
        What the user called it.
    rows : int or None
        Where the file says how many there are.
    columns : tuple of str
    layout : Layout or None
        How a CSV or TSV file is to be read.
    types : mapping
        A Parquet file's columns and their types in Arrow.
    """

    path: Path
    form: str
    shown: str
    rows: int | None
    columns: tuple[str, ...]
    layout: delimited.Layout | None = None
    types: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    """Some rows that follow each other.

    Attributes
    ----------
    frame : DataFrame
        Cells as training reads them.
    kept : mapping
        The Arrow arrays of the columns to be kept, as the file has them.
    first : int
        The first row's number in the table, from 1.
    """

    frame: "pd.DataFrame"
    kept: Mapping[str, Any]
    first: int

    def halves(self) -> "tuple[Part, Part]":
        """The first and the second half of the rows."""
        at = len(self.frame) // 2
        before = {name: cells.slice(0, at) for name, cells in self.kept.items()}
        after = {name: cells.slice(at) for name, cells in self.kept.items()}
        return (
            Part(self.frame.iloc[:at], before, self.first),
            Part(self.frame.iloc[at:], after, self.first + at),
        )


def open_source(path: Path, shown: str) -> Source:
    """Look at a file.

    Raises
    ------
    UserError
        It is neither CSV nor Parquet, has no columns, or cannot be read.
    """
    import pyarrow.parquet as pq

    with _readable(shown):
        with packing.unpacked(path) as stream:
            head = stream.read(4096)
        if not head.strip():
            raise UserError(f"expected a table, got the empty file {shown}; give one with rows")
        form = format_of(path, head, shown)
        if form == "Parquet":
            about = pq.ParquetFile(path)
            names = tuple(unique_names(about.schema_arrow.names)[0])
            if not names:
                raise UserError(
                    f"expected a table with columns, got {shown}, which has none; write it again"
                )
            types = dict(zip(names, about.schema_arrow.types, strict=True))
            return Source(path, form, shown, about.metadata.num_rows, names, types=types)
        if form in ("CSV", "TSV"):
            layout = delimited.layout(path, form)
            return Source(path, form, shown, None, tuple(layout.names), layout)
    raise UserError(
        f"expected CSV or Parquet, which can be read some rows at a time, got {form} in {shown}; "
        "convert it"
    )


def parts(source: Source, schema: Schema, keep: Sequence[str] = ()) -> Iterator[Part]:
    """The table's rows, at most `ROWS` at a time.

    Parameters
    ----------
    source : Source
    schema : Schema
        Of the model that is asked.
    keep : sequence of str
        Columns of which each part has the cells as the file has them, too: a CSV file's texts,
        of which an empty one is missing, or a Parquet file's values in its own types.

    Raises
    ------
    UserError
        The file is damaged.
    """
    first = 1
    with _readable(source.shown):
        for frame, kept in (_of_parquet if source.layout is None else _of_text)(
            source, schema, keep, max(1, min(ROWS, _CELLS // len(source.columns)))
        ):
            if len(frame):
                yield Part(frame, kept, first)
                first += len(frame)


_Read = Iterator[tuple["pd.DataFrame", dict[str, Any]]]


def _of_parquet(source: Source, _: Schema, keep: Sequence[str], rows: int) -> _Read:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from training.formats.columnar import to_frame

    with pq.ParquetFile(source.path, memory_map=True) as file:
        for batch in file.iter_batches(batch_size=rows):
            # pandas knows fewer types: what is kept does not go through it.
            kept = {name: batch.column(source.columns.index(name)) for name in keep}
            yield to_frame(pa.Table.from_batches([batch]))[0], kept


def _of_text(source: Source, schema: Schema, keep: Sequence[str], rows: int) -> _Read:
    import pyarrow as pa

    missing: Missing = parse_missing(schema.na_values)
    # What was text at training is text, however this part of the file looks.
    texts = {column.name: "str" for column in schema.used if column.dtype == "string"}
    dtype = {name: texts[name] for name in source.columns if name in texts}
    with ExitStack() as stack:
        frames = stack.enter_context(_reading(source, missing, rows, dtype=dtype))
        if not keep:
            yield from ((frame, {}) for frame in frames)
            return
        # Types are found a part at a time and do away with how a cell was written: what is kept
        # is read a second time, as text.
        positions = sorted({source.columns.index(name) for name in keep})
        how = {"usecols": positions, "dtype": "str", "na_values": [""]}
        for frame, cells in zip(
            frames, stack.enter_context(_reading(source, missing, rows, **how)), strict=True
        ):
            kept = {
                name: pa.array(cells[name].to_numpy(object), pa.string(), from_pandas=True)
                for name in keep
            }
            yield frame, kept


@contextmanager
def _reading(
    source: Source, missing: Missing, rows: int, **how: Any
) -> "Iterator[Iterator[pd.DataFrame]]":
    import pandas as pd

    assert source.layout is not None
    chosen = delimited.options(source.layout, missing) | {"chunksize": rows} | how
    with packing.unpacked(source.path) as stream, pd.read_csv(stream, **chosen) as reader:
        yield reader


class _readable:
    """What readers raise on a damaged file becomes one line."""

    def __init__(self, shown: str) -> None:
        self._shown = shown

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, _: Any) -> None:
        if isinstance(error, (ValueError, *packing.ERRORS)) and not isinstance(error, UserError):
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise UserError(
                f"expected a readable table, got {self._shown}, which is damaged, truncated or not "
                f"what its name says ({reason}); write or fetch it again"
            ) from error
