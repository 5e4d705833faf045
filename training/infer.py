"""From a table to its schema: read `infer_schema`, the rest is in its order."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from training.errors import UserError, nearest
from training.features import has_target
from training.hashing import column_digest
from training.kinds import ROW_ID, column_as, column_of, numbers_rows, stored_as
from training.override import Override, parse_override
from training.schema import Column, Schema
from training.table import Table
from training.target import infer_target

GROUPS = "groups the rows of the split"
ORDERS = "orders the rows in time: its values do not come again"
_SAMPLE = 1000  # rows by which columns are told apart before all their rows are compared
_RECURRING = ("month", "day", "weekday", "hour")


def infer_schema(
    table: Table,
    target: str | None,
    task: str = "auto",
    group: str | None = None,
    time: str | None = None,
    na_values: str = "",
    override: Mapping[str, Any] | None = None,
) -> tuple[Schema, list[str]]:
    """Find out what each column of a table is.

    Parameters
    ----------
    table : Table
    target : str or None
        None: the override's, else the table's own.
    task : str, default 'auto'
        Or 'regression', 'binary', 'multiclass', which then wins over what is inferred.
    group, time : str or None
        The column to group rows by, or to order them in time by, when they are split. The group is
        no feature. Of the time only what comes again is a feature (month, day, weekday, hour): in a
        split forward in time every test row is later than all a model has seen.
    na_values : str, default ''
        As the table was read with.
    override : mapping or None
        What the user's schema file says, see `override.parse_override`; the parameters above win
        over it.

    Returns
    -------
    schema : Schema
    notes : list of str
        Sentences to be said once to the user.

    Raises
    ------
    UserError
        A name is wrong, the target does not go with the task, or no column can be used.
    """
    frame = table.frame
    names = list(frame.columns)
    said = parse_override(override, names)
    target, group, time = _roles(table, target, group or said.group, time or said.time, said)
    task, found, notes = infer_target(
        target, frame[target], task if task != "auto" else said.task or "auto"
    )
    schema = Schema(
        task=task,
        target=found,
        columns=(),
        rows=len(frame),
        fingerprint=table.fingerprint,
        na_values=na_values,
        group=group,
        time=time,
    )
    there = has_target(frame[target], schema)
    if gone := int((~there).sum()):
        notes.append(f"{_rows(gone)} without a target dropped")
    columns = []
    for name in names:
        if name != target:
            column, more = _column(name, frame[name], there, said)
            columns.append(column)
            notes += more
    columns = _without_twins(columns, frame, said, (group, time))
    if time is not None:
        _check_time(columns, frame[time])
    columns = [_in_role(column, group, time, said) for column in columns]
    schema = replace(schema, columns=tuple(columns), rows=int(there.sum()))
    if not schema.features:
        reasons = ", ".join(f"{column.name!r}: {column.why}" for column in columns[:5])
        raise UserError(
            f"expected at least one column to learn from beside the target, got none ({reasons}); "
            f"give a table with more columns"
        )
    return schema, [*notes, *_said_of(columns)]


def _roles(
    table: Table, target: str | None, group: str | None, time: str | None, said: Override
) -> tuple[str, str | None, str | None]:
    names = list(table.frame.columns)
    if len(names) < 2:
        raise UserError(
            f"expected a target and at least one more column, got the one column {names[0]!r}; "
            f"check the file and its separator (one of , ; tab |)"
        )
    target = target or said.target or table.target
    if not target:
        raise UserError(
            f"expected the name of the target column, got none; set target to one of: "
            f"{', '.join(names[:30])}{', …' if names[30:] else ''}"
        )
    for option, name in (("target", target), ("group", group), ("time", time)):
        if name is not None and name not in names:
            raise UserError(
                f"expected a column of the table as {option}, got {name!r}; {nearest(name, names)}"
            )
    if group and time:
        raise UserError(
            f"expected group or time, got both (group={group}, time={time}); leave one out"
        )
    for option, name in (("group", group), ("time", time)):
        if name == target:
            raise UserError(
                f"expected another column than the target as {option}, got {name!r}; change one"
            )
    return target, group, time


def _column(
    name: str, values: pd.Series, there: np.ndarray, said: Override
) -> tuple[Column, list[str]]:
    labelled = values if there.all() else values[there]
    if name in said.kinds:
        return column_as(name, labelled, said.kinds[name])
    column, notes = column_of(name, labelled)
    # Without the rows that have no target, a row number has holes.
    if column.kind == "numeric" and labelled is not values and numbers_rows(name, values):
        column = replace(column, kind="dropped", why=ROW_ID)
    return column, notes


def _without_twins(
    columns: list[Column], frame: pd.DataFrame, said: Override, roles: tuple[str | None, ...]
) -> list[Column]:
    """Drop a column whose values are those of an earlier one, or of one with a role."""
    step = max(1, len(frame) // _SAMPLE)
    judged = sorted(
        (
            column
            for column in columns
            if column.kind != "dropped" and column.name not in said.kinds
        ),
        key=lambda column: column.name not in roles,
    )
    alike: dict[bytes, list[Column]] = {}
    for column in judged:
        alike.setdefault(column_digest(frame[column.name].iloc[::step]), []).append(column)
    twins: dict[str, Column] = {}
    for group in alike.values():
        first: dict[bytes, str] = {}
        for column in group if len(group) > 1 else ():
            earlier = first.setdefault(column_digest(frame[column.name]), column.name)
            if earlier != column.name:
                why = f"the same values as {earlier!r}"
                twins[column.name] = Column(
                    column.name, "dropped", column.dtype, why, missing=column.missing
                )
    return [twins.get(column.name, column) for column in columns]


def _in_role(column: Column, group: str | None, time: str | None, said: Override) -> Column:
    """The column as the split leaves it to the model, unless the user's schema file names it."""
    if column.name in said.kinds:
        return column
    dropped = Column(column.name, "dropped", column.dtype, missing=column.missing)
    if column.name == group:
        return replace(dropped, why=GROUPS)
    if column.name != time:
        return column
    parts = tuple(part for part in column.parts if part in _RECURRING)
    if not parts:
        return replace(dropped, why=ORDERS, format=column.format)
    return replace(column, parts=parts, why="only what comes again of the time")


def _check_time(columns: Iterable[Column], values: pd.Series) -> None:
    column = next(column for column in columns if column.name == values.name)
    if column.kind not in ("datetime", "numeric") and stored_as(values) not in ("number", "moment"):
        raise UserError(
            f"expected dates or numbers to order the rows in time, got {column.name!r}, which is "
            f"{column.why or column.kind}; choose another column"
        )


def _said_of(columns: Iterable[Column]) -> list[str]:
    """One sentence for each reason to drop columns or to read them as something else."""
    by_reason: dict[tuple[str, str], list[str]] = {}
    for column in columns:
        if column.why:
            done = "dropped" if column.kind == "dropped" else "kept"
            by_reason.setdefault((done, column.why), []).append(repr(column.name))
    return [
        f"{done} {', '.join(names[:5])}{f' and {len(names) - 5} more' if names[5:] else ''}: {why}"
        for (done, why), names in by_reason.items()
    ]


def _rows(count: int) -> str:
    return f"{count:,} row{'s' if count != 1 else ''}"
