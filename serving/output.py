"""The file of a table's predictions, and what may be kept of the table beside them."""

import secrets
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from serving.batches import Source
from training.errors import UserError, nearest

_OUTPUTS = (".parquet", ".csv")
#: Rows, or bytes, that are written at a time: a Parquet file's writer keeps in memory what it has
#: to say of each time, until the end.
_ROWS, _BYTES = 100_000, 32 << 20


class Output:
    """The file that predictions are written to: whole when it is closed, else not there.

    Parameters
    ----------
    path : Path
        Ends in `.parquet` or `.csv`.
    shown : str, default ''
        What the user called it; '' for the path.

    Raises
    ------
    UserError
        It ends in something else or is a folder, or its folder is not there or cannot be
        written to.
    """

    def __init__(self, path: Path, shown: str = "") -> None:
        self._shown = shown or str(path)
        if path.suffix not in _OUTPUTS:
            raise UserError(
                f"expected a file that ends in {' or '.join(_OUTPUTS)}, got {self._shown}; name "
                "one with --out"
            )
        if path.is_dir():
            raise UserError(
                f"expected a file to write to, got the folder {self._shown}; name a file in it "
                "with --out"
            )
        if not path.parent.is_dir():
            raise UserError(
                f"expected a folder for {path.name}, got none at {path.parent}; make it"
            )
        self.path = path
        self.rows = 0
        self.columns: list[str] = []
        # A name of this one alone: somebody else may be writing the same file.
        self._part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        self._writer: Any = None
        self._schema: Any = None
        self._waiting: list[Any] = []
        self._waiting_rows = self._waiting_bytes = 0
        with self._told():
            self._file = self._part.open("xb")

    def write(self, columns: Mapping[str, Any]) -> None:
        """Take some rows, which are written when there are enough; all have the same columns.

        Raises
        ------
        UserError
            The file cannot grow, or a column has become one of another type.
        """
        import pyarrow as pa
        import pyarrow.csv
        import pyarrow.parquet

        table = pa.table(dict(columns))
        with self._told():
            if self._writer is None:
                kind = (
                    pyarrow.parquet.ParquetWriter
                    if self.path.suffix == ".parquet"
                    else pyarrow.csv.CSVWriter
                )
                self._schema = table.schema
                self._writer = kind(self._file, self._schema)
                self.columns = list(self._schema.names)
            # A column without a value in a part has no type of its own there.
            self._waiting.append(table.cast(self._schema))
            self._waiting_rows += len(table)
            self._waiting_bytes += table.nbytes
            self.rows += len(table)
            if self._waiting_rows >= _ROWS or self._waiting_bytes >= _BYTES:
                self._write_waiting()

    def _write_waiting(self) -> None:
        import pyarrow as pa

        if self._waiting:
            table = pa.concat_tables(self._waiting)
            self._waiting.clear()
            self._waiting_rows = self._waiting_bytes = 0
            self._writer.write_table(table)

    def close(self) -> None:
        """The file is whole: it gets its name.

        Raises
        ------
        UserError
            It cannot be written.
        """
        if self._writer is not None:
            with self._told():
                self._write_waiting()
                self._writer.close()
                self._writer = None
                self._file.close()
                self._part.replace(self.path)

    def discard(self) -> None:
        """Leave nothing of what is not whole."""
        # Closing writes what is left, and nobody wants that.
        with suppress(OSError, ValueError):
            if self._writer is not None:
                self._writer.close()
        with suppress(OSError):
            self._file.close()
        self._part.unlink(missing_ok=True)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise UserError(
                f"expected to write {self._shown}, could not: {error.strerror or error}; make room "
                "and check the folder's permissions, or name another place with --out"
            ) from None
        except ValueError as error:  # Arrow's, too
            reason = " ".join(str(error).split())[:200]
            raise UserError(
                f"expected columns that {self.path.suffix} can hold, each of one type in all rows, "
                f"got others ({reason}); write the other format, or keep fewer columns"
            ) from None


def check_apart(table: Path, out: Path, shown: str) -> None:
    """Whether what is to be written is another file than the table.

    Parameters
    ----------
    table, out : Path
    shown : str
        What the user called the latter.

    Raises
    ------
    UserError
    """
    if out.exists() and out.samefile(table):
        raise UserError(
            f"expected another file than the table to write to, got {shown} for both; name another "
            "one with --out"
        )


def check_kept(source: Source, keep: Sequence[str], suffix: str = ".parquet") -> None:
    """Whether columns that are to be kept are there and can be written.

    Parameters
    ----------
    source : Source
    keep : sequence of str
    suffix : {'.parquet', '.csv'}
        Of the file to be written.

    Raises
    ------
    UserError
    """
    for name in keep:
        if name not in source.columns:
            raise UserError(
                f"expected a column of {source.shown}, got --keep {name!r}; "
                f"{nearest(name, source.columns)}"
            )
        if suffix == ".csv" and name in source.types and not _fits_csv(source.types[name]):
            raise UserError(
                f"expected columns that CSV can hold, got --keep {name!r} of type "
                f"{source.types[name]}; write Parquet, or leave it out"
            )


def check_unlike(keep: Sequence[str], outputs: Collection[str]) -> None:
    """Whether no column that is to be kept is called like one of the predictions'.

    Raises
    ------
    UserError
    """
    for name in keep:
        if name in outputs:
            raise UserError(
                f"expected columns that are not called like a prediction's, got --keep {name!r}; "
                "rename it in the table, or leave it out"
            )


def _fits_csv(kind: Any) -> bool:
    import pyarrow as pa
    import pyarrow.csv

    try:
        pyarrow.csv.write_csv(pa.table({"x": pa.nulls(1, kind)}), pa.BufferOutputStream())
    except pa.ArrowException:
        return False
    return True
