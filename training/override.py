"""The user's word against what is inferred: a schema file, written by hand or by a training."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from training.errors import UserError, nearest
from training.schema import KINDS, TASKS

_KEYS = ("task", "target", "columns", "group", "time")
#: Also in a whole schema.json; what it says of one table's content is found anew for another.
_FOUND_ANEW = ("format", "rows", "fingerprint", "na_values")


@dataclass(frozen=True)
class Override:
    """What the user's schema file says; None and absent columns are inferred."""

    task: str | None = None
    target: str | None = None
    group: str | None = None
    time: str | None = None
    kinds: dict[str, str] = field(default_factory=dict)


def parse_override(record: Mapping[str, Any] | None, columns: Iterable[str]) -> Override:
    """Check an override against a table's column names.

    Parameters
    ----------
    record : mapping or None
        `{"task": ..., "target": NAME, "group": NAME, "time": NAME, "columns": {NAME: {"kind":
        KIND}}}`, all of it optional, or a whole schema.json.
    columns : iterable of str

    Raises
    ------
    UserError
        A key, column, task or kind is unknown; the nearest valid ones are told.
    """
    if not record:
        return Override()
    names = list(columns)
    for key in record:
        _among(key, (*_KEYS, *_FOUND_ANEW), "a key of the schema file")
    target = record.get("target")
    if isinstance(target, Mapping):
        target = target.get("name")
    asked: dict[str, str | None] = {"target": target}
    asked |= {key: record.get(key) for key in ("group", "time")}
    for key, name in asked.items():
        if name is not None:
            _among(name, names, f"the {key} of the schema file")
    task = record.get("task")
    if task is not None:
        _among(task, ("auto", *TASKS), "the task of the schema file")
    kinds = {}
    for name, said in _columns(record.get("columns")):
        _among(name, names, "a column of the schema file")
        if "kind" in said:
            _among(said["kind"], KINDS, f"the kind of {name!r} in the schema file")
            kinds[name] = said["kind"]
    return Override(task=task, kinds=kinds, **asked)


def _columns(said: Any) -> list[tuple[str, Mapping[str, Any]]]:
    if said is None:
        return []
    if isinstance(said, Mapping):
        pairs = list(said.items())
        for name, what in pairs:
            if isinstance(what, Mapping):
                for key in what:
                    _among(key, ("kind",), f"a key of column {name!r} in the schema file")
    elif isinstance(said, list):  # of a whole schema.json
        pairs = [(item.get("name"), item) if isinstance(item, Mapping) else item for item in said]
    else:
        pairs = [said]
    for pair in pairs:
        if not (isinstance(pair, tuple) and isinstance(pair[1], Mapping)):
            raise UserError(
                'expected the columns of the schema file as {NAME: {"kind": KIND}}, got '
                f"{json.dumps(said, default=str)[:60]}; correct it"
            )
    return pairs


def _among(value: Any, valid: Iterable[str], what: str) -> None:
    names = list(valid)
    if not isinstance(value, str) or value not in names:
        raise UserError(f"expected {what}, got {value!r}; {nearest(str(value), names)}")
