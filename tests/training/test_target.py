"""The task and the classes that a target makes."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from training.errors import UserError
from training.target import infer_target

_N = 1000
_REALS = np.random.default_rng(0).normal(size=_N)


@pytest.mark.parametrize(
    ("values", "task", "kind", "classes"),
    [
        (["<a>", "[b]"] * 50, "binary", "string", ["<a>", "[b]"]),
        (["c", "a", "b"] * 50, "multiclass", "string", ["a", "b", "c"]),
        ([True, False] * 50, "binary", "boolean", [False, True]),
        ([True, False, None] * 50, "binary", "boolean", [False, True]),
        ([0, 1] * 10, "binary", "integer", [0, 1]),
        ([0.0, 1.0] * 10, "binary", "float", [0.0, 1.0]),
        ([0.0, 1.0, None] * 10, "binary", "integer", [0, 1]),  # written 0 and 1, with gaps
        ([-1, 7, 100] * 100, "multiclass", "integer", [-1, 7, 100]),
        ([1, 2, 3] * 6, "multiclass", "integer", [1, 2, 3]),
        (list(range(20)) * 50, "multiclass", "integer", list(range(20))),
        (list(range(21)) * 50, "regression", "integer", None),
        ([float(i) for i in range(11)] * 90, "regression", "float", None),
        ([0.5, 1.5] * 50, "regression", "float", None),
        (_REALS, "regression", "float", None),
        (range(_N), "regression", "integer", None),
        ([1, 0] + [0] * 998, "binary", "integer", [0, 1]),
        (["1", "2", "x"] * 50, "multiclass", "string", ["1", "2", "x"]),
        ([f"{value:.3f}" for value in _REALS], "regression", "float", None),
        (pd.Categorical([3, 1, 2] * 50), "multiclass", "integer", [1, 2, 3]),
        (pd.Categorical(["u", "v"] * 50, ["v", "u", "w"]), "binary", "string", ["u", "v"]),
        ([1, "a", None] * 50, "binary", "string", ["1", "a"]),
        (pd.array([1, 0, None] * 50, "Int64"), "binary", "integer", [0, 1]),
        (pd.array([1.0, 0.0, None] * 50, "Float64"), "binary", "integer", [0, 1]),
    ],
)
def test_what_is_inferred(values: Any, task: str, kind: str, classes: list[Any] | None) -> None:
    found, target, _ = infer_target("y", pd.Series(values), "auto")
    assert (found, target.kind) == (task, kind)
    assert repr(target.classes) == repr(classes)


@pytest.mark.parametrize(
    ("values", "task", "kind", "classes"),
    [
        ([1, 2, 3] * 50, "regression", "integer", None),
        (["1", "2", "3"] * 50, "regression", "integer", None),
        (list(range(30)) * 9, "multiclass", "integer", list(range(30))),
        ([0.5, 1.5] * 50, "binary", "float", [0.5, 1.5]),
    ],
)
def test_the_users_task_wins(values: Any, task: str, kind: str, classes: list[Any] | None) -> None:
    found, target, _ = infer_target("y", pd.Series(values), task)
    assert (found, target.kind, target.classes) == (task, kind, classes)


@pytest.mark.parametrize(
    ("values", "task", "said"),
    [
        ([1, 2, 3] * 50, "binary", "expected two classes for task=binary, got 3"),
        ([1, 2] * 50, "multiclass", "three or more classes for task=multiclass, got 2"),
        (
            ["a", "b"] * 50,
            "regression",
            "expected a numeric target for task=regression, got 'y' with 'a', 'b'",
        ),
        ([True, False] * 50, "regression", "got 'y' with booleans"),
        (["a"] * 50, "auto", "got only 'a' in the target 'y'"),
        ([5] * 50, "auto", "got only 5"),
        ([2.5] * 50, "regression", "got only 2.5"),
        ([1, 0, None, None] * 3, "auto", "at least 10 rows with a target, got 6"),
        ([None] * 50, "auto", "got 0 with 'y'"),
        ([f"name {i}" for i in range(100)], "auto", "expected classes that repeat, got 100"),
        (_REALS, "multiclass", "expected classes that repeat"),
        (pd.date_range("2020", periods=50), "auto", "which holds dates"),
        ([[1]] * 50, "auto", "which holds lists"),
        ([1, 2] * 50, "classification", "valid: auto, regression, binary, multiclass"),
        ([1, 2] * 50, "binry", "did you mean 'binary'?"),
    ],
)
def test_one_line_says_what_is_wrong(values: Any, task: str, said: str) -> None:
    with pytest.raises(UserError) as error:
        infer_target("y", pd.Series(values), task)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([1, 2, 3] * 50, "target 'y' has 3 different whole numbers, taken as classes"),
        (["a", "b"] * 50 + ["c"], "1 of the classes of 'y' have one row each"),
        ([*_REALS, np.inf, -np.inf], "2 rows whose target is infinite dropped"),
        ([f"{value:.3f}" for value in _REALS] + ["?", "-"], "rows with '?', '-' dropped"),
    ],
)
def test_what_is_told(values: Any, said: str) -> None:
    assert said in infer_target("y", pd.Series(values), "auto")[2][0]
