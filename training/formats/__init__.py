"""A file becomes a data frame. One format, one row in `FORMATS`.

The format is known by the name's ending (that of the packing left out), else by the first bytes.
Nothing here knows where the file came from.
"""

from collections.abc import Callable
from pathlib import Path, PurePath

import pandas as pd

from training.errors import UserError
from training.formats import columnar, delimited, jsonlines, packing
from training.missing import Missing

Reader = Callable[[Path, Missing], tuple[pd.DataFrame, list[str]]]

FORMATS: dict[str, Reader] = {
    "CSV": delimited.read_csv,
    "TSV": delimited.read_tsv,
    "Parquet": columnar.read_parquet,
    "Feather": columnar.read_feather,
    "JSON Lines": jsonlines.read_jsonlines,
}

_ENDINGS = {
    ".csv": "CSV",
    ".tsv": "TSV",
    ".tab": "TSV",
    ".parquet": "Parquet",
    ".pq": "Parquet",
    ".feather": "Feather",
    ".arrow": "Feather",
    ".jsonl": "JSON Lines",
    ".ndjson": "JSON Lines",
    ".json": "JSON Lines",
}

_FIRST_BYTES = {
    b"PAR1": "Parquet",
    b"ARROW1": "Feather",
    b"FEA1": "Feather",
    b"{": "JSON Lines",
}


def read_file(path: Path, missing: Missing, shown: str) -> tuple[pd.DataFrame, list[str]]:
    """Read a file.

    Parameters
    ----------
    path : Path
    missing : Missing
        What counts as missing where the file is text.
    shown : str
        What to call the file in an error.

    Returns
    -------
    frame : DataFrame
        All columns; unique names.
    notes : list of str
        What the user should know of how it was read.

    Raises
    ------
    UserError
        Empty, damaged, truncated, or of no known format.
    """
    try:
        with packing.unpacked(path) as stream:
            head = stream.read(4096)
        if not head.strip():
            raise UserError(f"expected a table, got the empty file {shown}; give one with rows")
        form = format_of(path, head, shown)
        return FORMATS[form](path, missing)
    except (ValueError, *packing.ERRORS) as error:
        # ValueError includes pyarrow's ArrowInvalid, pandas' ParserError and UnicodeDecodeError.
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(
            f"expected a readable table, got {shown}, which is damaged, truncated or not what its "
            f"name says ({reason}); write or fetch it again"
        ) from error


def format_of(path: Path, head: bytes, shown: str) -> str:
    """The format's name; UserError if neither the name nor the first bytes tell one."""
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if start[:14].lower().startswith((b"<!doctype html", b"<html")):
        raise UserError(
            f"expected a table, got a web page from {shown}; give the file's own address"
        )
    ending = bare_name(path).suffix.lower()
    if ending in _ENDINGS:
        return _ENDINGS[ending]
    for first, form in _FIRST_BYTES.items():
        if start.startswith(first):
            return form
    if b"\0" in head and not head.startswith(delimited.UTF16):
        raise UserError(
            f"expected a table as {', '.join(FORMATS)}, got {shown}, which is none of them by name "
            f"or content; convert it"
        )
    return "CSV"


def bare_name(path: PurePath) -> PurePath:
    """The file's name without the ending of a packing: `a.csv` of `folder/a.csv.gz`."""
    name = PurePath(path.name)
    return name.with_suffix("") if name.suffix.lower() in packing.ENDINGS else name
