"""Texts that are dates, and texts that only look like them."""

from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.dates import find_layout
from training.values import parse_moments

_LAYOUTS = [
    "%Y-%m-%d",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d %H:%M:%S.%f",
    "%Y/%m/%d %H:%M",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d.%m.%Y",
    "%d.%m.%Y %H:%M",
    "%d-%m-%Y",
    "%m-%d-%Y %H:%M:%S",
    "%d %b %Y",
    "%B %d, %Y",
    "%b %d, %Y %I:%M %p",
    "%d-%b-%y",
    "%a %b %d %H:%M:%S %Y",
    "%d/%b/%Y:%H:%M:%S +0000",
    "%a, %d %b %Y %H:%M:%S +0000",
    "%m/%d/%y",
    "%d.%m.%y %H:%M",
]


@pytest.mark.parametrize("layout", _LAYOUTS)
def test_common_layouts_are_found_and_read_right(layout: str) -> None:
    moments = [datetime(1995, 1, 1) + timedelta(days=17 * i, minutes=13 * i) for i in range(300)]
    texts = [moment.strftime(layout) for moment in moments]
    found = find_layout(texts, np.ones(len(texts)))
    assert found is not None
    assert not found[1]
    expected = [
        datetime.strptime(text.replace(" +0000", ""), layout.replace(" +0000", ""))
        for text in texts
    ]
    np.testing.assert_array_equal(
        parse_moments(texts, found[0]), np.array(expected, "datetime64[us]")
    )


def test_zones_are_brought_to_utc() -> None:
    texts = ["2020-06-01T12:00:00+02:00", "2020-06-01T10:00:00Z", "2020-06-01 05:30-04:30"]
    assert find_layout(texts, np.ones(3)) == ("", False)
    assert (parse_moments(texts, "") == np.datetime64("2020-06-01T10:00")).all()


def test_day_and_month_are_told_apart_by_all_values() -> None:
    texts = [f"{day:02d}/{month:02d}/2020" for day in range(1, 13) for month in range(1, 13)]
    assert find_layout(texts, np.ones(len(texts))) == ("%m/%d/%Y", True)
    texts.append("31/12/2020")
    assert find_layout(texts, np.ones(len(texts))) == ("%d/%m/%Y", False)


def test_a_few_words_between_dates_are_allowed() -> None:
    texts = [f"2020-01-{day:02d}" for day in range(1, 29)]
    assert find_layout([*texts, "unknown"], np.ones(29)) == ("", False)
    assert find_layout([*texts, "unknown"], np.array([1] * 28 + [5])) is None


@pytest.mark.parametrize(
    "texts",
    [
        ["2020", "2021"],
        ["20200101", "20200102"],
        ["1.5", "2.5"],
        ["12:30", "13:00"],
        ["10-20", "20-30"],
        ["192.168.1.1", "10.0.0.1"],
        ["1.2.3", "2.0.14"],
        ["555-1234", "555-9999"],
        ["alpha 1", "beta 2"],
        ["2020-W01", "2020-W02"],
        ["May", "June"],
        ["5 apples", "6 pears"],
        ["AB-12-2020", "CD-11-2021"],
        ["1/2", "3/4"],
        ["12/31", "01/15"],
        [""],
        ["A" * 3000, "2020-01-01"],
    ],
)
def test_what_is_no_date(texts: list[str]) -> None:
    assert find_layout(texts, np.ones(len(texts))) is None


@settings(deadline=None)
@given(st.lists(st.text(max_size=20), min_size=1, max_size=20))
def test_any_texts(texts: list[str]) -> None:
    find_layout(texts, np.ones(len(texts)))
