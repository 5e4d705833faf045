"""Dates are read as pandas reads them at training, and so are their parts."""

import string
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from serving.server.moments import parse_moment, parts_reader
from training.dates import _LAYOUTS
from training.schema import PARTS
from training.values import moment_part, parse_moments


def by_pandas(text: str, layout: str) -> int | None:
    moment = parse_moments([text], layout)[0]
    return None if np.isnat(moment) else int(moment.astype(np.int64))


def digits(low: int, high: int) -> st.SearchStrategy[str]:
    return st.text(string.digits, min_size=low, max_size=high)


def usually(value: str, *others: str) -> st.SearchStrategy[str]:
    return st.sampled_from([value] * 4 + list(others))


@st.composite
def iso_like(draw: st.DrawFn) -> str:
    """Texts that are ISO 8601, or nearly."""
    separator = draw(usually("-", "/", ".", "\\", " ", ""))
    two = st.one_of(st.integers(1, 12).map("{:02d}".format), digits(1, 2))
    text = draw(usually("", "-"))
    text += draw(st.one_of(st.sampled_from(["2020", "1999", "0001", "9999"]), digits(1, 5)))
    for _ in range(draw(st.integers(0, 2))):
        text += separator + draw(two)
    if draw(st.booleans()):
        colon = draw(usually(":", ""))
        parts = draw(st.lists(two, min_size=1, max_size=3))
        text += draw(usually("T", " ", "t")) + colon.join(parts)
        text += draw(usually("", ".", ".5", ".123456", ".1234567", ".123456789", ",5"))
        text += draw(usually("", "Z", " Z", "+01", "-01:30", " +0130", "+1", "+1:3", "+24", "z"))
    return draw(usually("", " ")) + text + draw(usually("", " ", "\n"))


@settings(max_examples=250, deadline=None)
@given(iso_like())
@example("2020-02-30")
@example("9999-12-31T23:59:59-10:00")
@example("0001-01-01T00:00+10:00")
@example("2020-01-02T10:20:30+123")
@example("0000-01-01")
@example("2020-01-02T10:20:30.1234567891234567890")
def test_iso_as_pandas(text: str) -> None:
    assert parse_moment(text, "") == by_pandas(text, "")


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(_LAYOUTS),
    st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)),
    st.integers(-47, 47),
    st.sampled_from(["as it is", "lower", "no zero", "a space", "cut"]),
)
def test_layouts_as_pandas(layout: str, moment: datetime, quarters: int, change: str) -> None:
    text = moment.replace(tzinfo=timezone(timedelta(minutes=15 * quarters))).strftime(layout)
    changed = {
        "lower": text.lower(),
        "no zero": text.replace("0", "", 1),
        "a space": text.replace(" ", "  "),
        "cut": text[:-1],
    }.get(change, text)
    assert parse_moment(changed, layout) == by_pandas(changed, layout)


@settings(max_examples=150, deadline=None)
@given(st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)))
def test_parts_as_in_training(moment: datetime) -> None:
    found = parts_reader("", PARTS)(moment.isoformat())
    array = np.array([moment.isoformat()], "datetime64[us]")
    assert found == tuple(moment_part(array, part)[0] for part in PARTS)


@pytest.mark.parametrize("text", ["now", "today"])
def test_now_is_read_anew_each_time(text: str) -> None:
    before = datetime.now(UTC).timestamp()
    moment = parse_moment(text, "")
    assert moment is not None
    assert before - 1 < moment / 1e6 < before + 60


def test_what_is_long_is_not_remembered() -> None:
    assert parts_reader("", ("year",))("2020-01-01 " + " " * 200) is None
