"""A source becomes a table: read once, of plain types, with a fingerprint of its content."""

from dataclasses import dataclass
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory

import pandas as pd

from training import sources
from training.errors import UserError
from training.formats import bare_name, read_file
from training.formats.names import unique_names
from training.hashing import fingerprint
from training.missing import Missing, parse_missing


@dataclass(frozen=True)
class Table:
    """Rows and columns, and where they came from.

    Parameters
    ----------
    frame : DataFrame
        Column names are unique strings, the index is 0..n-1.
    source : str
        As the user gave it, without credentials.
    name : str
        Short: the file's name without endings, or the bundled set's.
    fingerprint : str
        32 hex digits of the content: equal for a file and its compressed twin.
    target : str or None
        A bundled set's own target.
    notes : tuple of str
        What the user should know of how it was read.
    """

    frame: pd.DataFrame
    source: str
    name: str
    fingerprint: str
    target: str | None = None
    notes: tuple[str, ...] = ()


def read_table(source: str, na_values: str = "") -> Table:
    """Read a table from wherever it is.

    Parameters
    ----------
    source : str
        A local path, or an address `s3://`, `http(s)://`, `runs:/`, `mlflow-artifacts:/`,
        `models:/`, `sklearn:NAME`, of a CSV, TSV, Parquet, Feather or JSON Lines file, packed or
        not.
    na_values : str, default ''
        What else counts as missing: a comma list; `keep:NA` makes the usual marker NA a value.

    Raises
    ------
    UserError
        It is not there, may not be read, is damaged, of an unknown format or without rows.
    """
    missing = parse_missing(na_values)
    shown = sources.without_credentials(source)
    with TemporaryDirectory(prefix="sixfold-") as folder:
        found = sources.fetch(source, Path(folder))
        if isinstance(found, Path):
            frame, notes = read_file(found, missing, shown)
            name, target = bare_name(found).stem, None
        else:
            frame, notes = found.frame, []
            name, target = PurePath(source.partition(":")[2]).name, found.target
    return table_from(frame, shown, name, target, missing, tuple(notes))


def table_from(
    frame: pd.DataFrame,
    source: str = "memory",
    name: str = "table",
    target: str | None = None,
    missing: Missing | None = None,
    notes: tuple[str, ...] = (),
) -> Table:
    """A table from a data frame; UserError if it has no rows."""
    if frame.empty:
        raise UserError(
            f"expected a table with rows, got {len(frame)} rows of {frame.shape[1]} columns from "
            f"{source}; give one with rows"
        )
    names, renamed = unique_names(frame.columns)
    if names != list(frame.columns):
        frame = frame.set_axis(names, axis=1)
    if not isinstance(frame.index, pd.RangeIndex) or frame.index.start != 0:
        frame = frame.reset_index(drop=True)
    if missing is not None and missing.added:
        frame = _without(frame, missing)
    return Table(frame, source, name, fingerprint(frame), target, (*notes, *renamed))


def _without(frame: pd.DataFrame, missing: Missing) -> pd.DataFrame:
    """The frame with nothing where a value is an added marker."""
    changed = {}
    for name in frame.columns:
        values = frame[name]
        if values.dtype == bool or pd.api.types.is_datetime64_any_dtype(values.dtype):
            continue
        if pd.api.types.is_numeric_dtype(values.dtype):
            marked = values.isin(missing.numbers)
        elif values.dtype == object:  # may hold lists, which isin cannot hash
            marked = values.map(lambda item: isinstance(item, str) and missing.marks(item))
        else:
            marked = values.astype("str").str.strip().isin(missing.added)
        if marked.any():
            changed[name] = values.mask(marked.astype(bool))
    return frame.assign(**changed) if changed else frame
