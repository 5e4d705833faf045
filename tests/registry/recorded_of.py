"""What two trainings could have recorded, made by hand."""

from typing import Any

import numpy as np

from registry.recorded import Recorded
from registry.version import TrainedRows
from training.schema import Column, Schema, Target

ROWS = 400


def target_of(task: str, name: str = "churned") -> Target:
    """The target of a task; three classes where there are more than two."""
    labels: dict[str, Any] = {"binary": ["no", "yes"], "multiclass": ["a", "b", "c"]}
    kind = "float" if task == "regression" else "string"
    return Target(name, kind, labels.get(task))


def schema_of(task: str, **given: Any) -> Schema:
    """A table of one column."""
    columns = (Column("age", "numeric", "float64"),)
    fields: dict[str, Any] = {"columns": columns, "rows": 1_000, "fingerprint": "f" * 32}
    return Schema(task=task, **fields | {"target": target_of(task)} | given)


def recorded(task: str, skill: float, rows: range = range(ROWS), **given: Any) -> Recorded:
    """A version of some skill, tested on rows by their numbers; each row's target is its own."""
    numbers = np.array(rows)
    y = np.array([np.random.default_rng(n).normal() for n in rows])
    noise = np.random.default_rng(round(1_000 * skill)).normal(size=(len(rows), 3))
    if task == "regression":
        prediction = y + noise[:, 0] * (1 - skill)
    else:
        k = 2 if task == "binary" else 3
        y = np.digitize(y, [0.0] if k == 2 else [-0.5, 0.5])
        odds = np.exp(noise[:, :k] * (1 - skill) + 2 * skill * np.eye(k)[y])
        prediction = odds / odds.sum(axis=1, keepdims=True)
    hashes = numbers.astype(np.uint64)
    trained = TrainedRows(np.arange(10_000, 10_600, dtype=np.uint64), hashes)
    fields: dict[str, Any] = {"rows": trained, "params": {"depth": "3"}}
    return Recorded(y, prediction, **fields | given)
