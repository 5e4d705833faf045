"""What a single column is found to be."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.training.tables import CELLS
from training.errors import UserError
from training.kinds import (
    IDENTIFIER,
    NESTED,
    NO_VALUE,
    ONE_VALUE,
    ROW_ID,
    column_as,
    column_of,
)
from training.schema import KINDS

_N = 200
_RNG = np.random.default_rng(0)
_SENTENCES = [f"the {i} quick brown foxes" for i in range(_N)]


@pytest.mark.parametrize(
    ("name", "values", "kind", "why"),
    [
        ("x", _RNG.normal(size=_N), "numeric", ""),
        ("x", [1, 0] * 100, "numeric", ""),
        ("x", [1.0, None] * 100, "numeric", ""),  # a gap may tell something
        ("x", [5] * _N, "dropped", ONE_VALUE),
        ("x", [None] * _N, "dropped", NO_VALUE),
        ("x", [np.inf, np.nan] * 100, "dropped", NO_VALUE),
        ("x", range(1000, 1000 + _N), "dropped", ROW_ID),
        ("x", _RNG.permutation(_N), "dropped", ROW_ID),
        ("x", [i * 7 for i in range(_N)], "numeric", ""),
        ("customer_id", [i * 7 for i in range(_N)], "dropped", ROW_ID),
        ("PassengerId", [i * 7.0 for i in range(_N)], "dropped", ROW_ID),
        ("customer_id", [i % 20 for i in range(_N)], "numeric", ""),
        ("Unnamed: 0", [i * 3 for i in range(_N)], "dropped", ROW_ID),
        ("paid", [i * 7 for i in range(_N)], "numeric", ""),
        ("x", [True, False] * 100, "boolean", ""),
        ("x", [True, None] * 100, "boolean", ""),
        ("x", [True] * _N, "dropped", ONE_VALUE),
        ("x", pd.array([True, False, None] * 50, "boolean"), "boolean", ""),
        ("x", pd.date_range("2020", periods=_N), "datetime", ""),
        ("x", pd.date_range("2020", periods=_N, tz="Asia/Tokyo"), "datetime", ""),
        ("x", [pd.Timestamp("2020")] * _N, "dropped", ONE_VALUE),
        (
            "x",
            [f"2020-01-{i % 28 + 1:02d}" for i in range(_N)],
            "datetime",
            "texts read as dates (ISO 8601)",
        ),
        ("x", ["a", "b"] * 100, "categorical", ""),
        ("x", ["a", None] * 100, "categorical", ""),
        ("x", ["a"] * _N, "dropped", ONE_VALUE),
        ("x", [f"level {i % 90}" for i in range(_N)], "categorical", ""),
        ("x", [f"u{i}" for i in range(_N)], "dropped", IDENTIFIER),
        ("x", [f"First{i} Last{i}" for i in range(_N)], "dropped", IDENTIFIER),
        ("x", _SENTENCES, "text", ""),
        ("x", ["one sentence of words", "another one of them"] * 100, "categorical", ""),
        ("x", [f"これは{i}番目の長い文章です" for i in range(_N)], "text", ""),
        ("x", [str(i / 7) for i in range(_N)], "numeric", "texts read as numbers"),
        ("x", [str(i % 9) for i in range(_N)], "categorical", ""),
        ("x", [f"{i % 90:05d}" for i in range(_N)], "categorical", ""),  # codes with leading zeros
        ("x", [*(str(i / 7) for i in range(_N - 4)), *"????"], "numeric", "texts read as numbers"),
        ("x", [f"${i * 0.37:.2f}" for i in range(_N)], "numeric", "texts read as numbers"),
        ("x", [str(10**20 + i) for i in range(_N)], "dropped", IDENTIFIER),
        ("tweet_id", [2**62 + 3 * i for i in range(_N)], "dropped", ROW_ID),
        ("x", [2**62 + 3 * (i % 50) for i in range(_N)], "numeric", ""),
        ("x", pd.Categorical([1, 2] * 100), "numeric", "read as numbers"),
        ("x", pd.Categorical(["u", "v"] * 100), "categorical", ""),
        ("x", pd.to_timedelta(_RNG.random(_N), "h"), "numeric", "read as numbers"),
        ("x", [[1], [2]] * 100, "dropped", NESTED),
        ("x", [{"a": 1}, None] * 100, "dropped", NESTED),
        ("x", [np.array([1]), np.array([2])] * 100, "dropped", NESTED),
        ("x", [1, "a", None, 2.5] * 50, "categorical", ""),
        ("x", pd.array([1, 2, None, 4] * 50, "Int64"), "numeric", ""),
    ],
)
def test_kinds(name: str, values: Any, kind: str, why: str) -> None:
    column, _ = column_of(name, pd.Series(values))
    assert (column.kind, column.why) == (kind, why)


@settings(deadline=None)
@given(st.lists(CELLS, min_size=1, max_size=30))
def test_any_column_has_a_kind(cells: list[Any]) -> None:
    column, _ = column_of("x", pd.Series(cells, dtype=object))
    assert column.kind in KINDS
    assert 0 <= column.missing <= len(cells)
    assert column.why or column.kind != "dropped"
    column_of("x", pd.Series(cells, dtype=object).infer_objects())


def test_levels_are_in_order_of_frequency_then_alphabet() -> None:
    column, _ = column_of("x", pd.Series(["b", "a", "c", "c", None, "B"] * 30))
    assert column.levels == ("c", "B", "a", "b")
    assert column.missing == 30


def test_thousands_of_levels_stay_and_the_rarest_beyond_are_counted() -> None:
    many = [f"u{i}" for i in range(12_000)] * 2 + ["often"] * 5
    column, notes = column_of("x", pd.Series(many))
    assert column.kind == "categorical"
    assert len(column.levels) == 10_000
    assert column.levels[0] == "often"
    assert column.missing == 2 * 2001
    assert "12,001 levels" in notes[0]
    assert "4,002 rows" in notes[0]


def test_parts_of_a_date_that_never_change_are_left_out() -> None:
    days = pd.Series(pd.date_range("2020-01-01", periods=28))
    assert column_of("x", days)[0].parts == ("elapsed", "day", "weekday")
    hours = pd.Series(pd.date_range("2020-01-31", periods=40, freq="h"))
    assert column_of("x", hours)[0].parts == ("elapsed", "month", "day", "weekday", "hour")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([1.0, np.inf, -np.inf] * 20, "40 infinite values in 'x' count as missing"),
        ([*(str(i / 7) for i in range(196)), *"????"], "4 values such as '?' count as missing"),
        (["01/02/2020", "03/04/2020"] * 50, "day and month could be the other way round"),
        (["2020-01-02"] * 40 + ["2021-01-02"] * 58 + ["soon"] * 2, "2 values in 'x' are no dates"),
    ],
)
def test_what_is_told(values: list[Any], said: str) -> None:
    assert said in column_of("x", pd.Series(values))[1][0]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2, 3], "categorical"),
        (["1", "2", "x"], "numeric"),
        (["a", "b", None], "text"),
        ([1, 0, None], "boolean"),
        (["01.02.2020", "03.04.2021", None], "datetime"),
        ([1, 2, 3], "dropped"),
        (["2020-01-01", "2020-01-02", "x"], "datetime"),
        ([True, False, None], "categorical"),
    ],
)
def test_the_users_kind_wins(values: list[Any], kind: str) -> None:
    column, notes = column_as("x", pd.Series(values), kind)
    assert column.kind == kind
    assert column.why == "as the schema file says"
    assert bool(notes) == ("x" in values)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["a", "b"], "numeric"),
        ([1, 2], "datetime"),
        (["x", "z"], "boolean"),
        ([None, None], "text"),
    ],
)
def test_a_kind_that_no_value_has(values: list[Any], kind: str) -> None:
    with pytest.raises(UserError, match=f"expected column 'x' as {kind}"):
        column_as("x", pd.Series(values), kind)
