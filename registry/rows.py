"""The rows that versions are compared on, which none of them was trained on as far as can be told.

They are the candidate's own test rows, read from its training table again, without those that
Production was trained on; or the rows of a table that the user names. Rows are told by hashes of
their content, so both trainings must have read the same columns.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from registry.version import Facts, TrainedRows
from training.errors import UserError, nearest
from training.schema import Schema

if TYPE_CHECKING:
    import pandas as pd

    from training.table import Table

_INSTEAD = "name a table that neither was trained on with --data TABLE"
_NUMBERS = ("int", "uint", "float", "bool")


@dataclass(frozen=True)
class Rows:
    """Rows with their targets.

    Attributes
    ----------
    frame : DataFrame, (n, all columns of the table)
    y : ndarray, (n,)
        Values, or codes into `labels`.
    labels : tuple of str
        The candidate's classes in its order, then those that only Production knows; empty for
        regression.
    where : str
        What they are, in words.
    own : bool
        Whether they are the candidate's own test rows.
    removed : int
        Rows left out because a version was trained on them.
    told : bool
        Whether it could be told which rows the versions were trained on.
    """

    frame: "pd.DataFrame"
    y: np.ndarray
    labels: tuple[str, ...]
    where: str
    own: bool
    removed: int = 0
    told: bool = True

    def __len__(self) -> int:
        return len(self.y)

    @property
    def said(self) -> str:
        """How many they are, which, and what was left out."""
        left = f", {self.removed:,} that a version was trained on left out" if self.removed else ""
        unsure = "" if self.told else " (whether a version was trained on some cannot be told)"
        return f"{len(self):,} rows of {self.where}{left}{unsure}"

    def aligned(self, predictions: np.ndarray, schema: Schema) -> np.ndarray:
        """Raw predictions of a model with the probabilities in the order of `labels`."""
        if not self.labels:
            return predictions
        places = {name: at for at, name in enumerate(_labels(schema))}
        columns = [places.get(name) for name in self.labels]
        if columns == list(range(predictions.shape[1])):
            return predictions
        nothing = np.zeros(len(predictions))
        return np.column_stack([nothing if at is None else predictions[:, at] for at in columns])


def find_rows(
    candidate: Facts,
    production: Facts | None,
    data: str,
    min_rows: int,
    rows_of: Callable[[Facts], TrainedRows],
) -> Rows | str:
    """The rows to compare on, or one sentence that says why there are none and what to do.

    Parameters
    ----------
    candidate, production : Facts, Facts or None
    data : str
        A table as `read_table` takes it; '' is the candidate's own test split.
    min_rows : int
        Fewer are not compared on.
    rows_of : callable (Facts) -> TrainedRows

    Raises
    ------
    UserError
        `data` cannot be read, or lacks the target or a column of the candidate.
    """
    if production is not None and (why := _incomparable(candidate, production)):
        return why
    find = _named if data else _own
    found = find(candidate, production, data, rows_of)
    if isinstance(found, str):
        return found
    if len(found) < (1 if production is None else min_rows):
        return (
            f"{found.said[:1].upper()}{found.said[1:]} are too few to compare on, where the policy "
            f"asks for {min_rows:,}; {_INSTEAD}, or lower quality.min_rows"
        )
    if production is not None:
        absent = _absent(production.schema, found.frame)
        if absent:
            return (
                f"The rows of {found.where} lack {absent}, which {production.version.name} "
                f"predicts from; name a table that has all columns of both with --data TABLE"
            )
    return found


def _own(
    candidate: Facts, production: Facts | None, _: str, rows_of: Callable[[Facts], TrainedRows]
) -> Rows | str:
    from training.features import drop_unlabelled
    from training.hashing import row_hashes
    from training.table import read_table

    schema = candidate.schema
    other = (
        production if production and production.parent_run_id != candidate.parent_run_id else None
    )
    if other is not None and not _same_columns(schema, other.schema):
        return (
            f"The tables of {candidate.version.name} and {other.version.name} have different "
            "columns, so it cannot be told which of the candidate's test rows Production was "
            f"trained on; {_INSTEAD}"
        )
    try:
        table = read_table(candidate.source, schema.na_values)
    except UserError as error:
        return f"The candidate's training table cannot be read again ({error}); {_INSTEAD}"
    if table.fingerprint != schema.fingerprint:
        return (
            f"The table at {table.source} has changed since the candidate was trained on it (its "
            f"fingerprint is {table.fingerprint[:8]}…, was {schema.fingerprint[:8]}…); {_INSTEAD}"
        )
    frame = drop_unlabelled(table.frame, schema)
    hashes = row_hashes(frame)
    trained = rows_of(candidate)
    mask = np.isin(hashes, trained.test) & ~np.isin(hashes, trained.train)
    removed = 0
    if other is not None:
        known = mask & np.isin(hashes, rows_of(other).train)
        removed, mask = int(known.sum()), mask & ~known
    return _rows(
        frame[mask], candidate, production, "the candidate's own test split", True, removed
    )


def _named(
    candidate: Facts,
    production: Facts | None,
    data: str,
    rows_of: Callable[[Facts], TrainedRows],
) -> Rows | str:
    from training.hashing import row_hashes
    from training.table import read_table

    schema = candidate.schema
    table = read_table(data, schema.na_values)
    target = schema.target.name
    if target not in table.frame:
        raise UserError(
            f"expected the target {target!r} in {table.source}, got a table without it; "
            f"{nearest(target, table.frame.columns)}"
        )
    if absent := _absent(schema, table.frame):
        raise UserError(
            f"expected in {table.source} the columns of {candidate.version.name}, got a table "
            f"without {absent}; give one that has them"
        )
    versions = [candidate] if production is None else [candidate, production]
    told = [facts for facts in versions if _columns_are(table, facts.schema)]
    mask = np.zeros(len(table.frame), bool)
    if told:
        hashes = row_hashes(table.frame)
        for facts in told:
            mask |= np.isin(hashes, rows_of(facts).train)
    return _rows(
        table.frame[~mask],
        candidate,
        production,
        table.source,
        False,
        int(mask.sum()),
        len(told) == len(versions),
    )


def _rows(
    frame: "pd.DataFrame",
    candidate: Facts,
    production: Facts | None,
    where: str,
    own: bool,
    removed: int,
    told: bool = True,
) -> Rows:
    """Rows with a target that a version knows; the targets become codes of both's labels."""
    from training.features import encode_target, has_target

    schema = candidate.schema
    labels = dict.fromkeys(_labels(schema))
    schemas = [schema]
    if production is not None:
        schemas.append(production.schema)
        labels |= dict.fromkeys(_labels(production.schema))
    names = list(labels)
    y = np.full(len(frame), np.nan)
    for each in reversed(schemas):  # the candidate's reading of a target goes before Production's
        there = has_target(frame[schema.target.name], each)
        codes = encode_target(frame[schema.target.name][there], each)
        place = np.array([names.index(name) for name in _labels(each)])
        y[there] = place[codes] if names else codes
    mask = ~np.isnan(y)
    return Rows(
        frame[mask].reset_index(drop=True),
        y[mask].astype(np.int64) if names else y[mask],
        tuple(names),
        where,
        own,
        removed,
        told,
    )


def _incomparable(candidate: Facts, production: Facts) -> str:
    """Why no rows could compare two versions, if none could."""
    mine, theirs = candidate.schema, production.schema
    if mine.target.name != theirs.target.name or mine.task != theirs.task:
        return (
            f"{candidate.version.name} predicts {mine.target.name!r} ({mine.task}) and "
            f"{production.version.name} {theirs.target.name!r} ({theirs.task}), which no rows "
            "compare; register it under a name of its own"
        )
    if mine.task == "binary" and set(_labels(mine)) != set(_labels(theirs)):
        return (
            f"{candidate.version.name} predicts {' or '.join(_labels(mine))} and "
            f"{production.version.name} {' or '.join(_labels(theirs))}, which no rows compare; "
            "register it under a name of its own"
        )
    return ""


def _same_columns(one: Schema, other: Schema) -> bool:
    """Whether equal rows of two trainings' tables have equal hashes."""
    return (
        one.target.name == other.target.name
        and one.na_values == other.na_values
        and _layout(one) == _layout(other)
    )


def _columns_are(table: "Table", schema: Schema) -> bool:
    """Whether a table's rows have the hashes that a training has recorded for equal ones."""
    from training.hashing import type_name

    if schema.target.name not in table.frame:
        return False
    columns = table.frame.drop(columns=schema.target.name)
    return _layout(schema) == [
        (name, _family(type_name(columns[name]))) for name in columns.columns
    ]


def _layout(schema: Schema) -> list[tuple[str, str]]:
    return [(column.name, _family(column.dtype)) for column in schema.columns]


def _family(dtype: str) -> str:
    """Types whose equal values have equal hashes."""
    lowered = dtype.lower()
    if lowered.startswith(_NUMBERS):
        return "number"
    return "text" if lowered in ("string", "object") else lowered


def _absent(schema: Schema, frame: "pd.DataFrame") -> str:
    """Columns that a model needs and the rows lack, at most five of them; '' if none."""
    names = [repr(column.name) for column in schema.used if column.name not in frame]
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _labels(schema: Schema) -> list[str]:
    from training.values import label

    return [str(label(name)) for name in schema.target.classes or ()]
