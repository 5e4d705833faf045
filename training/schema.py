"""What each column of a table is, the target and the task: one JSON file, written at training.

Standard library only: a serving image reads it without pandas. How a schema is found is `infer.py`,
how rows are brought into its form is `features.py`.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any

TASKS = ("regression", "binary", "multiclass")
KINDS = ("numeric", "categorical", "boolean", "datetime", "text", "dropped")
TARGET_KINDS = ("float", "integer", "boolean", "string")
PARTS = ("elapsed", "year", "month", "day", "weekday", "hour")
MAX_LEVELS = 10_000
FORMAT = 1

Label = str | int | float | bool


class SchemaError(ValueError):
    """A schema file that is not one; the message says what was expected and what came."""


@dataclass(frozen=True)
class Target:
    """The column to predict.

    Parameters
    ----------
    name : str
    kind : {'float', 'integer', 'boolean', 'string'}
        What a label is, as the user wrote it.
    classes : list of str, int, float or bool, or None
        The labels in the order of their codes 0..k-1; None for regression.
    """

    name: str
    kind: str
    classes: list[Label] | None = None


@dataclass(frozen=True)
class Column:
    """One column of the table, the target excepted.

    Parameters
    ----------
    name : str
    kind : {'numeric', 'categorical', 'boolean', 'datetime', 'text', 'dropped'}
    dtype : str
        As the table had it: 'int64', 'float64', 'bool', 'string', 'datetime64', 'object', ...
    why : str
        Why it was dropped or read as something else than its dtype says, else ''.
    levels : tuple of str
        Categorical: the levels, most frequent first, at most 10,000.
    parts : tuple of str
        Datetime: which of 'elapsed' (days since 1970 in UTC, a float), 'year', 'month', 'day',
        'weekday' (Monday is 0) and 'hour' (UTC) become features.
    format : str
        Datetime from strings: their strptime format; '' is ISO 8601.
    missing : int
        Rows of training without a value.
    """

    name: str
    kind: str
    dtype: str
    why: str = ""
    levels: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    format: str = ""
    missing: int = 0

    @cached_property
    def codes(self) -> dict[str, int]:
        """Code of each level."""
        return {level: code for code, level in enumerate(self.levels)}


@dataclass(frozen=True)
class Feature:
    """One column of the model's input: what `conform` makes of a table's column."""

    name: str
    column: str
    kind: str  # 'numeric', 'categorical' (values are codes of levels) or 'text'
    levels: int = 0


@dataclass(frozen=True)
class Schema:
    """All that is known of a table.

    Parameters
    ----------
    task : {'regression', 'binary', 'multiclass'}
    target : Target
    columns : tuple of Column
        In the table's order, without the target.
    rows : int
        Rows that have a target.
    fingerprint : str
        Of the whole table as it was read, 32 hex digits.
    na_values : str
        What else counts as missing, see `missing.py`.
    group, time : str or None
        The column that groups rows, or orders them in time, when the table is split.
    """

    task: str
    target: Target
    columns: tuple[Column, ...]
    rows: int
    fingerprint: str
    na_values: str = ""
    group: str | None = None
    time: str | None = None

    def __hash__(self) -> int:
        # A target's classes are a list; what tells schemas apart quickly is enough for caches.
        return hash((self.fingerprint, self.rows, self.target.name, self.na_values))

    @cached_property
    def used(self) -> tuple[Column, ...]:
        """The columns that become features."""
        return tuple(column for column in self.columns if column.kind != "dropped")

    @cached_property
    def features(self) -> tuple[Feature, ...]:
        """The model's input, in order; the names are unique."""
        taken = {column.name for column in self.used}
        found: list[Feature] = []
        for column in self.used:
            if column.kind == "datetime":
                for part in column.parts:
                    name = _unique(f"{column.name}.{part}", taken)
                    taken.add(name)
                    found.append(Feature(name, column.name, "numeric"))
            elif column.kind == "categorical":
                found.append(Feature(column.name, column.name, "categorical", len(column.levels)))
            else:
                kind = "text" if column.kind == "text" else "numeric"
                found.append(Feature(column.name, column.name, kind))
        return tuple(found)

    def column(self, name: str) -> Column:
        """The column of that name; KeyError if there is none."""
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> dict[str, Column]:
        return {column.name: column for column in self.columns}

    def to_json(self) -> str:
        """The schema as indented JSON; `from_json` gives an equal schema."""
        columns = [_without_defaults(column) for column in self.columns]
        target = {"name": self.target.name, "kind": self.target.kind}
        record: dict[str, Any] = {"format": FORMAT, "task": self.task}
        record["target"] = target | (
            {} if self.target.classes is None else {"classes": self.target.classes}
        )
        for name in ("rows", "fingerprint", "na_values", "group", "time"):
            record[name] = getattr(self, name)
        record["columns"] = columns
        return json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Schema":
        """Read what `to_json` wrote.

        Raises
        ------
        SchemaError
            Not JSON, a key that is unknown (the nearest valid names are told) or missing, or a
            value that is not one of those a schema can hold.
        """
        try:
            record = json.loads(text)
        except ValueError as error:
            raise SchemaError(f"expected a schema as JSON, got {error}") from None
        known = {"format", *(item.name for item in fields(cls))}
        required = known - {"na_values", "group", "time"}
        record = _checked(record, known, required, "the schema")
        if record.pop("format") != FORMAT:
            raise SchemaError(f"expected a schema of format {FORMAT}; use Sixfold's own version")
        _one_of(record["task"], TASKS, "task")
        _typed(record, {"rows": int, "fingerprint": str, "columns": list}, "the schema")
        columns = tuple(_column(item) for item in record["columns"])
        names = [column.name for column in columns]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise SchemaError(f"expected each column once, got {twice!r} twice")
        return cls(**record | {"target": _target(record["target"]), "columns": columns})

    @classmethod
    def read(cls, path: Path | str) -> "Schema":
        """Read a schema file; SchemaError as `from_json`, OSError if it cannot be opened."""
        return cls.from_json(Path(path).read_text(encoding="utf-8"))

    def write(self, path: Path | str) -> None:
        """Write the schema to a file."""
        Path(path).write_text(self.to_json(), encoding="utf-8")


def _unique(name: str, taken: set[str]) -> str:
    number = 2
    candidate = name
    while candidate in taken:
        candidate = f"{name}_{number}"
        number += 1
    return candidate


def _without_defaults(column: Column) -> dict[str, Any]:
    always = ("name", "kind", "dtype")
    return {
        item.name: getattr(column, item.name)
        for item in fields(column)
        if item.name in always or getattr(column, item.name) != item.default
    }


def _target(record: Any) -> Target:
    record = _checked(record, {"name", "kind", "classes"}, {"name", "kind"}, "the target")
    _typed(record, {"name": str, "classes": list}, "the target")
    _one_of(record["kind"], TARGET_KINDS, "kind of target")
    return Target(**record)


def _column(record: Any) -> Column:
    known = {item.name for item in fields(Column)}
    record = _checked(record, known, {"name", "kind", "dtype"}, "a column")
    where = f"column {record['name']!r}"
    texts = dict.fromkeys(("name", "dtype", "why", "format"), str)
    _typed(record, texts | {"missing": int, "levels": list, "parts": list}, where)
    _one_of(record["kind"], KINDS, f"kind of {where}")
    for part in record.get("parts", ()):
        _one_of(part, PARTS, f"part of {where}")
    for key in ("levels", "parts"):
        if key in record:
            record[key] = tuple(record[key])
    return Column(**record)


def _checked(record: Any, known: set[str], required: set[str], where: str) -> dict[str, Any]:
    if not isinstance(record, dict):
        raise SchemaError(f"expected {where} as a JSON object, got {type(record).__name__}")
    for key in record:
        _one_of(key, sorted(known), f"key of {where}")
    for key in sorted(required):
        if key not in record:
            raise SchemaError(f"expected {key!r} in {where}, got {', '.join(record) or 'nothing'}")
    return dict(record)


def _typed(record: Mapping[str, Any], types: Mapping[str, type], where: str) -> None:
    for key, kind in types.items():
        if key in record and not isinstance(record[key], kind):
            came = type(record[key]).__name__
            raise SchemaError(f"expected {key!r} of {where} as {kind.__name__}, got {came}")


def _one_of(value: Any, valid: Iterable[str], what: str) -> None:
    names = list(valid)
    if value not in names:
        near = get_close_matches(str(value), names) or names
        raise SchemaError(f"expected as {what} one of {', '.join(near)}, got {value!r}")
