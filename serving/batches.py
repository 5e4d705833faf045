"""Tables of any length, some rows at a time: read, and written beside their predictions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.errors import UserError
from training.formats import delimited, format_of, packing
from training.missing import Missing, parse_missing
from training.schema import Schema

if TYPE_CHECKING:
    import pandas as pd

#: Rows that are read, sent and written at a time.
ROWS = 2_000
_OUTPUTS = (".parquet", ".csv")


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
    """

    path: Path
    form: str
    shown: str
    rows: int | None
    columns: tuple[str, ...]
    layout: delimited.Layout | None = None


def open_source(path: Path, shown: str) -> Source:
    """Look at a file.

    Raises
    ------
    UserError
        It is neither CSV nor Parquet, or cannot be read.
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
            names = tuple(str(name) for name in about.schema_arrow.names)
            return Source(path, form, shown, about.metadata.num_rows, names)
        if form in ("CSV", "TSV"):
            layout = delimited.layout(path, form)
            return Source(path, form, shown, None, tuple(layout.names), layout)
    raise UserError(
        f"expected CSV or Parquet, which can be read some rows at a time, got {form} in {shown}; "
        "convert it"
    )


def parts(source: Source, schema: Schema) -> Iterator["pd.DataFrame"]:
    """The table's rows, at most `ROWS` at a time, cells as training reads them.

    Raises
    ------
    UserError
        The file is damaged.
    """
    import pandas as pd
    import pyarrow.parquet as pq

    with _readable(source.shown):
        if source.layout is None:
            file = pq.ParquetFile(source.path, memory_map=True)
            for batch in file.iter_batches(batch_size=ROWS):
                yield batch.to_pandas()
            return
        missing: Missing = parse_missing(schema.na_values)
        # What was text at training is text, however this part of the file looks.
        texts = {column.name: "str" for column in schema.used if column.dtype == "string"}
        with (
            packing.unpacked(source.path) as stream,
            pd.read_csv(
                stream,
                chunksize=ROWS,
                dtype={name: texts[name] for name in source.columns if name in texts},
                **delimited.options(source.layout, missing),
            ) as reader,
        ):
            yield from reader


class Output:
    """The file that predictions are written to: whole when it is closed, else not there.

    Parameters
    ----------
    path : Path
        Ends in `.parquet` or `.csv`.

    Raises
    ------
    UserError
        It ends in something else, or its folder is not there.
    """

    def __init__(self, path: Path) -> None:
        if path.suffix not in _OUTPUTS:
            raise UserError(f"expected a file that ends in {' or '.join(_OUTPUTS)}, got {path}")
        if not path.parent.is_dir():
            raise UserError(
                f"expected a folder for {path.name}, got none at {path.parent}; make it"
            )
        self.path = path
        self.rows = 0
        self.columns: list[str] = []
        self._part = path.with_name(f".{path.name}.part")
        self._writer: Any = None
        self._schema: Any = None

    def write(self, columns: "dict[str, Any]") -> None:
        """Write some rows; each call has the same columns."""
        import pyarrow as pa
        import pyarrow.csv
        import pyarrow.parquet

        table = pa.table(columns)
        if self._writer is None:
            kind = (
                pyarrow.parquet.ParquetWriter
                if self.path.suffix == ".parquet"
                else pyarrow.csv.CSVWriter
            )
            self._schema = table.schema
            self._writer = kind(self._part, self._schema)
            self.columns = list(self._schema.names)
        # A column without a value in a part has no type of its own there.
        self._writer.write_table(table.cast(self._schema))
        self.rows += len(table)

    def close(self) -> None:
        """The file is whole: it gets its name."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
            self._part.replace(self.path)

    def discard(self) -> None:
        """Leave nothing of what is not whole."""
        if self._writer is not None:
            self._writer.close()
        self._part.unlink(missing_ok=True)


def check_kept(source: Source, keep: Sequence[str]) -> None:
    """Whether columns that are to be kept are there.

    Raises
    ------
    UserError
    """
    from training.errors import nearest

    for name in keep:
        if name not in source.columns:
            raise UserError(
                f"expected a column of {source.shown}, got --keep {name!r}; "
                f"{nearest(name, source.columns)}"
            )


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
