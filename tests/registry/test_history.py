"""Periods and what a rollback goes back through, from any course of decisions."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.history import periods_of, stack_of
from registry.journal import PROMOTED, ROLLED_BACK, Record

_RECORD = Record(
    run_id="r", kind=PROMOTED, model="churn", version="1", stage="Production", replaced="",
    outcome="promoted", decided=1.0, began=1.0, user="ada", host="", note="", commit="", grounds="",
    digest="", process="", running=False,
)  # fmt: skip


def course(*steps: str) -> list[Record]:
    """Decisions in order: `3` promotes a version, `<2` rolls back to one, `x4` was refused."""
    kinds = {"<": ROLLED_BACK, "x": PROMOTED}
    return [
        replace(
            _RECORD,
            kind=kinds.get(step[0], PROMOTED),
            version=step.lstrip("<x"),
            decided=0.0 if step[0] == "x" else float(at),
        )
        for at, step in enumerate(steps, 1)
    ]


@pytest.mark.parametrize(
    ("steps", "stack"),
    [
        (["1", "2", "3"], ["1", "2", "3"]),
        (["1", "2", "3", "<2"], ["1", "2"]),
        (["1", "2", "3", "<2", "<1"], ["1"]),
        (["1", "2", "3", "<1", "4"], ["1", "4"]),
        (["1", "x2", "3"], ["1", "3"]),
        (["1", "1"], ["1"]),
        (["2", "<1"], ["2", "1"]),  # 1 was there before there were records
    ],
)
def test_a_rollback_goes_back_further_each_time(steps: list[str], stack: list[str]) -> None:
    assert stack_of(course(*steps)) == stack


@given(st.lists(st.sampled_from(["1", "2", "3", "<1", "<2", "x2", "x3"]), max_size=12))
def test_periods_follow_each_other(steps: list[str]) -> None:
    records = course(*steps)
    periods = periods_of(records)[::-1]
    assert [period.record for period in periods] == [item for item in records if item.decided]
    assert all(a.until == b.since for a, b in pairwise(periods))
    assert not periods or periods[-1].until is None
    if periods:
        assert stack_of(records)[-1] == periods[-1].version
