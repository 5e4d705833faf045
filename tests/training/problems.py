"""Small problems with features of every kind, made the way a training makes them."""

from typing import Any

import numpy as np
import pandas as pd

from training.algorithms import Algorithm, Params
from training.prepare import Prepared, prepare
from training.problem import Problem
from training.request import Request
from training.table import table_from

TASKS = ("regression", "binary", "multiclass")
KINDS = ("numeric", "missing", "categorical", "high_cardinality", "text", "boolean", "datetime")
_WORDS = np.array(
    [
        "lorem",
        "ipsum",
        "dolor",
        "sit",
        "amet",
        "elit",
        "sed",
        "do",
        "eiusmod",
        "tempor",
        "incididunt",
    ]
)


def frame_of(kind: str, task: str, rows: int = 120, seed: int = 0) -> pd.DataFrame:
    """Two numbers, a column of a kind (or of `all` kinds), and a target `y` that can be learnt."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, rows))
    columns: dict[str, Any] = {"a": a, "b": b}
    wanted = KINDS if kind == "all" else (kind,)
    if "missing" in wanted:
        columns["m"] = np.where(rng.random(rows) < 0.3, np.nan, rng.normal(size=rows))
    if "categorical" in wanted:
        columns["c"] = rng.choice(np.array(["red", "green", "blue", None]), rows)
    if "high_cardinality" in wanted:
        columns["h"] = [f"level {i % 60}" for i in rng.permutation(rows)]
    if "text" in wanted:
        columns["t"] = [" ".join(rng.choice(_WORDS, 8)) + f" x{i}" for i in range(rows)]
    if "boolean" in wanted:
        columns["f"] = rng.random(rows) < 0.5
    if "datetime" in wanted:
        hours = pd.to_timedelta(rng.integers(0, 9_000, rows), "h")
        columns["d"] = pd.Timestamp("2020-01-01") + hours
    score = a + 0.3 * rng.normal(size=rows)
    if task == "regression":
        columns["y"] = 10 * score + 3
    elif task == "binary":
        columns["y"] = np.where(score > 0, "yes", "no")
    else:
        columns["y"] = np.select([score < -0.5, score < 0.5], ["low", "mid"], "high")
    return pd.DataFrame(columns)


def prepared_of(frame: pd.DataFrame, **given: Any) -> Prepared:
    """A frame with the target `y`, prepared as a training does."""
    return prepare(
        Request(**{"target": "y", "folds": 3, "test_size": 0.25, **given}), table_from(frame)
    )


def problem_of(
    kind: str = "numeric", task: str = "binary", rows: int = 120, seed: int = 0, **given: Any
) -> Problem:
    """The problem of `frame_of`'s table."""
    return prepared_of(frame_of(kind, task, rows, seed), **given).problem


def quick(algorithm: Algorithm, problem: Problem) -> Params:
    """The first default with a handful of trees, where there are trees."""
    params = dict(algorithm.defaults(problem)[0])
    for name, few in (("n_estimators", 5), ("components", 50)):
        if name in params:
            params[name] = few
    return params | ({"iterations": 4} if algorithm.boost else {})
