"""CSV and TSV files: separator, encoding and header found out, types found over all rows."""

import codecs
import csv
import io
import re
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from training.formats.names import unique_names
from training.formats.packing import unpacked
from training.missing import Missing

SEPARATORS = ",;\t|"
UTF16 = (b"\xff\xfe", b"\xfe\xff")

_FRACTION = re.compile(r"[+-]?\d+\.\d+([eE][+-]?\d+)?")
_SAMPLE = 256 << 10
_BLOCK = 1 << 20
_CELLS = 4_000_000  # read at a time: bounds what the parser holds beside the table


def read_csv(path: Path, missing: Missing) -> tuple[pd.DataFrame, list[str]]:
    """Read a file whose fields are separated by , ; tab or |."""
    return _read(path, missing, SEPARATORS)


def read_tsv(path: Path, missing: Missing) -> tuple[pd.DataFrame, list[str]]:
    """Read a file whose fields are separated by tabs."""
    return _read(path, missing, "\t")


@dataclass(frozen=True)
class Layout:
    """How a file is to be read.

    Attributes
    ----------
    separator, encoding : str
    decimal : {'.', ','}
        What stands before a number's fraction.
    names : list of str
        The columns'.
    notes : list of str
        What the user should know of it.
    """

    separator: str
    encoding: str
    decimal: str
    names: list[str]
    notes: list[str]


def layout(path: Path, form: str) -> Layout:
    """Find out how a file is to be read.

    Parameters
    ----------
    path : Path
    form : {'CSV', 'TSV'}
    """
    separators = "\t" if form == "TSV" else SEPARATORS
    encodings = _encodings(path)
    for encoding in encodings[:-1]:
        try:
            _decode(path, encoding)
        except UnicodeDecodeError:
            continue
        return _layout(path, separators, encoding)
    return _layout(path, separators, encodings[-1])


def options(found: Layout, missing: Missing) -> dict[str, Any]:
    """What `pandas.read_csv` is given for a file."""
    return {
        "sep": found.separator,
        "decimal": found.decimal,
        "encoding": found.encoding,
        "names": found.names,
        "header": 0,
        "index_col": False,
        "keep_default_na": False,
        # Else a column's type is found block by block, and 007 is 7 where a block has no words.
        "low_memory": False,
        # After a separator many files have a space, which is left in place elsewhere.
        "na_values": sorted(missing.markers | {f" {text}" for text in missing.added}),
    }


def _encodings(path: Path) -> list[str]:
    """Those that a file may have, the likeliest first; the last one takes any file."""
    with unpacked(path) as stream:
        return ["utf-16"] if stream.read(2) in UTF16 else ["utf-8-sig", "cp1252", "latin-1"]


def _decode(path: Path, encoding: str) -> None:
    """Read a file to its end; UnicodeDecodeError if it is of another encoding."""
    decoder = codecs.getincrementaldecoder(encoding)()
    with unpacked(path) as stream:
        while block := stream.read(_BLOCK):
            decoder.decode(block)
    decoder.decode(b"", final=True)


def _read(path: Path, missing: Missing, separators: str) -> tuple[pd.DataFrame, list[str]]:
    encodings = _encodings(path)
    for encoding in encodings[:-1]:
        try:
            return _frame(path, missing, _layout(path, separators, encoding))
        except UnicodeDecodeError:
            continue
    return _frame(path, missing, _layout(path, separators, encodings[-1]))


def _layout(path: Path, separators: str, encoding: str) -> Layout:
    with unpacked(path) as stream:
        sample = stream.read(_SAMPLE)
    # The sample may end within a character: what cannot be decoded shows when the file is read.
    text = sample.decode(encoding, errors="replace")
    separator, records = sniff(text, separators, whole=len(sample) < _SAMPLE)
    names, notes = unique_names(_header(records))
    if len(records) > 1 and any(records[1][len(names) :]):
        raise ValueError(_too_long(len(names), len(records[1])))
    decimal = _decimal(records, separator)
    if decimal == ",":
        notes.append("numbers are read with a decimal comma")
    if encoding == "cp1252":
        notes.append("the file is not UTF-8: read as Windows-1252")
    return Layout(separator, encoding, decimal, names, notes)


def _frame(path: Path, missing: Missing, found: Layout) -> tuple[pd.DataFrame, list[str]]:
    def parts(**how: Any) -> list[pd.DataFrame]:
        with unpacked(path) as stream, warnings.catch_warnings():
            # pandas would only warn that it cuts off fields beyond the header's.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            chosen = options(found, missing) | {"chunksize": max(1000, _CELLS // len(found.names))}
            try:
                with pd.read_csv(stream, **chosen | how) as reader:
                    return list(reader)
            except pd.errors.ParserWarning:
                raise ValueError(_too_long(len(found.names), len(found.names) + 1)) from None

    return _joined(parts, found.names), found.notes


def _too_long(names: int, fields: int) -> str:
    return f"its header has {names} name{'s' * (names != 1)}, a row has {fields} fields"


def sniff(text: str, separators: str, whole: bool) -> tuple[str, list[list[str]]]:
    """Find the separator.

    Parameters
    ----------
    text : str
        The file's beginning.
    separators : str
        The characters to choose from, the likeliest first.
    whole : bool
        The text is the whole file; else its last record may be cut off and is left out.

    Returns
    -------
    separator : str
        The one by which most records have as many fields (more than one) as the first, or else
        one more.
    records : list of list of str
        The text's records by it, empty lines left out.
    """
    best = (-1.0, False, 0)
    found: tuple[str, list[list[str]]] = (separators[0], [])
    for separator in separators:
        records = _records(text, separator)
        if not whole and len(records) > 1:
            records.pop()
        if not records:
            continue
        rows = records[1:] or records
        width, count = Counter(len(record) for record in rows).most_common(1)[0]
        # The header knows best: a text column may hold as many of another character in every row.
        fits = width > 1 and len(records[0]) in (width, width - 1)
        score = count / len(rows) if fits else 0.0
        rank = (score, len(records[0]) == width, width)
        if rank > best:
            best, found = rank, (separator, records)
    return found


def _records(text: str, separator: str) -> list[list[str]]:
    reader = csv.reader(io.StringIO(text.lstrip("\ufeff"), newline=""), delimiter=separator)
    found = []
    previous = csv.field_size_limit(len(text) + 1)
    try:
        for record in reader:
            if record:
                found.append(record)
    except csv.Error:  # a stray carriage return or NUL: pandas will say it better, or read it
        pass
    finally:
        csv.field_size_limit(previous)
    return found


def _header(records: list[list[str]]) -> list[str]:
    """The names, with one for a field that every row has and the header has not."""
    header, rows = records[0], records[1:]
    if rows and all(len(row) == len(header) + 1 for row in rows):
        trailing = not any(row[-1] for row in rows)
        return [*header, ""] if trailing else ["", *header]
    return header


def _decimal(records: list[list[str]], separator: str) -> str:
    """What stands before a number's fraction: a comma, where no field has a point there."""
    if separator == ",":
        return "."
    fields = [field.strip() for record in records[1:] for field in record]
    commas = sum(_FRACTION.fullmatch(field.replace(",", ".")) is not None for field in fields)
    points = sum(_FRACTION.fullmatch(field) is not None for field in fields)
    return "," if commas > points == 0 else "."


def _joined(parts: Callable[..., list[pd.DataFrame]], names: list[str]) -> pd.DataFrame:
    read = parts()
    columns: dict[str, pd.Series | None] = {}
    for position, name in enumerate(names):
        columns[name] = _column([part.iloc[:, position] for part in read])
    del read
    # A column of numbers here and words there has lost how its numbers were written.
    torn = [position for position, name in enumerate(names) if columns[name] is None]
    if torn:
        again = pd.concat(parts(usecols=torn, dtype="str"), ignore_index=True)
        for position in torn:
            columns[names[position]] = again[names[position]]
    return pd.DataFrame(columns, copy=False)


def _column(pieces: list[pd.Series]) -> pd.Series | None:
    """One column of its pieces, None if they are of types that do not go together."""
    filled = [piece for piece in pieces if piece.notna().any()]
    kinds = {_kind(piece) for piece in filled}
    if len(kinds) > 1:
        return None
    if kinds == {"text"}:
        pieces = [piece.astype("str") for piece in pieces]
    joined = pd.concat(pieces, ignore_index=True)
    return joined.astype(bool) if kinds == {"boolean"} and joined.notna().all() else joined


def _kind(piece: pd.Series) -> str:
    if piece.dtype == bool or pd.api.types.infer_dtype(piece, skipna=True) == "boolean":
        return "boolean"
    return "number" if pd.api.types.is_numeric_dtype(piece.dtype) else "text"
