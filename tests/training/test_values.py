"""Single columns of any content become numbers, truths, moments and texts."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.training.tables import CELLS
from training.schema import PARTS
from training.values import (
    coded,
    label,
    moment_part,
    parse_moments,
    to_booleans,
    to_moments,
    to_numbers,
    to_texts,
)

_READERS = [to_numbers, to_booleans, to_moments, to_texts]


@settings(deadline=None)
@given(st.lists(CELLS, max_size=12))
def test_cells_and_columns_of_any_content_are_read_alike(cells: list[Any]) -> None:
    column = pd.Series(cells, dtype=object)
    array = np.empty(len(cells), object)
    array[:] = cells
    for read in _READERS:
        np.testing.assert_array_equal(read(column), read(array))


@settings(deadline=None)
@given(st.lists(CELLS, max_size=12))
def test_numbers_are_finite_or_missing(cells: list[Any]) -> None:
    numbers = to_numbers(pd.Series(cells, dtype=object))
    assert numbers.dtype == np.float64
    assert (np.isnan(numbers) | (np.abs(numbers) <= 3e38)).all()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x ", "x "),
        (3, "3"),
        (3.0, "3"),
        (-0.0, "0"),
        (0.1, "0.1"),
        (np.int8(3), "3"),
        (np.float32(0.5), "0.5"),
        (True, "true"),
        (np.False_, "false"),
        (None, None),
        (float("nan"), None),
        (float("inf"), "inf"),
        (pd.NA, None),
        (pd.NaT, None),
        ([1], None),
        ({}, None),
        (Decimal("1.50"), "1.5"),
        (date(2020, 1, 2), "2020-01-02"),
        (b"\xff", "�"),
        (1e17, "100000000000000000"),
        (10**17, "100000000000000000"),
        (Decimal("1E+17"), "100000000000000000"),
        (-(2.0**70), str(-(2**70))),
        (timedelta(hours=1), "3600"),
        (datetime(2020, 1, 2, tzinfo=UTC), "2020-01-02T00:00:00+00:00"),
    ],
)
def test_the_text_of_a_value(value: Any, text: str | None) -> None:
    assert label(value) == text


@pytest.mark.parametrize(
    "values",
    [
        pd.Series([1, 2, None]),
        pd.Series([1, 2, None], dtype="Int64"),
        pd.Series(["1", " 2 ", "x"]),
        pd.Series([1.0, 2.0, np.inf]),
        pd.Series([1.0, 2.0, -4e38]),
        pd.Series(["1", "2", None], dtype=object),
        pd.Series([1, 2, None], dtype="category"),
        pd.Series(["1", "2", None], dtype="category"),
        pd.Series([Decimal(1), Decimal(2), None]),
        pd.Series([1, "2.0", [3]]),
        pd.Series([1, 2, None], dtype="int64[pyarrow]"),
        pd.to_timedelta(pd.Series([1, 2, None]), "s"),
        pd.Series(["1", "2", "1_0"]),
        pd.Series([1, 2, np.nan], dtype="float32"),
    ],
)
def test_numbers_however_they_are_stored(values: pd.Series) -> None:
    np.testing.assert_array_equal(to_numbers(values), [1, 2, np.nan])


@pytest.mark.parametrize(
    "values",
    [
        pd.Series([True, False, None]),
        pd.Series([True, False, None], dtype="boolean"),
        pd.Series(["true", "FALSE ", "maybe"]),
        pd.Series([1, 0, 2]),
        pd.Series([1.0, 0.0, np.nan]),
        pd.Series(["Yes", "n", ""]),
        pd.Series([True, "0", []]),
        pd.Series([True, False, None], dtype="category"),
    ],
)
def test_truths_however_they_are_stored(values: pd.Series) -> None:
    np.testing.assert_array_equal(to_booleans(values), [1, 0, np.nan])


_NOON = datetime(2020, 1, 2, 12)


@pytest.mark.parametrize(
    ("values", "layout"),
    [
        (pd.Series([_NOON, None]), ""),
        (pd.Series([_NOON, None]).astype("datetime64[s]"), ""),
        (pd.Series([_NOON, None]).dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo"), ""),
        (pd.Series(["2020-01-02 12:00", "12"]), ""),
        (pd.Series(["2020-01-02T14:00+02:00", "no"]), ""),
        (pd.Series(["02/01/2020 12:00", "x"]), "%d/%m/%Y %H:%M"),
        (pd.Series(["2020-01-02 12:00", None]), "%d/%m/%Y %H:%M"),
        (pd.Series([_NOON.replace(tzinfo=UTC), "never"], dtype=object), ""),
        (pd.Series([np.datetime64("2020-01-02T12:00"), 20200102], dtype=object), ""),
        (pd.Series(["2020-01-02T12:00:00Z", None], dtype="category"), ""),
    ],
)
def test_moments_however_they_are_stored(values: pd.Series, layout: str) -> None:
    moments = to_moments(values, layout)
    assert moments[0] == np.datetime64("2020-01-02T12:00")
    assert np.isnat(moments[1])


def test_plain_numbers_are_no_moments() -> None:
    assert np.isnat(to_moments(pd.Series([2020, 20200102]))).all()
    assert np.isnat(to_moments(pd.Series(["2020", "20200102"]))).all()
    assert not np.isnat(parse_moments(["20200102"], "%Y%m%d")).any()


@settings(deadline=None)
@given(st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)))
def test_parts_of_a_moment(moment: datetime) -> None:
    values = np.array([moment, None], "datetime64[us]")
    found = {part: moment_part(values, part) for part in PARTS}
    assert all(np.isnan(numbers[1]) for numbers in found.values())
    assert found["elapsed"][0] == pytest.approx((moment - datetime(1970, 1, 1)) / timedelta(days=1))
    for part in ("year", "month", "day", "hour"):
        assert found[part][0] == getattr(moment, part)
    assert found["weekday"][0] == moment.weekday()


def test_a_part_that_there_is_not() -> None:
    with pytest.raises(ValueError, match="got 'minute'"):
        moment_part(np.array(["2020"], "datetime64[us]"), "minute")


def test_true_and_one_are_not_the_same_text() -> None:
    codes, distinct = coded(pd.Series([True, 1, 1.0, "1"], dtype=object))
    assert [distinct[code] for code in codes] == ["true", "1", "1", "1"]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("$12.50", 12.5),
        ("-€ 3", -3.0),
        ("1,234,567.5", 1234567.5),
        ("45 %", 45.0),
        (" 7£ ", 7.0),
        ("1e3", 1000.0),
        ("1,23", None),
        ("1,2345", None),
        ("12 apples", None),
        ("$", None),
        ("%", None),
        ("$$5", None),
        ("٣", 3.0),
        ("1_0", None),
    ],
)
def test_numbers_as_people_write_them(text: str, number: float | None) -> None:
    np.testing.assert_equal(to_numbers(pd.Series([text])), [np.nan if number is None else number])
