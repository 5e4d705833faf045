"""Findings of several columns: which tests are one family, and what a verdict is because of."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.drift.compare import LEAST_ROWS, Finding, findings
from serving.drift.counts import LevelCounts, NumberCounts, Watched
from serving.drift.measures import rates_differ
from training.profile import of_levels, of_numbers

ROWS = 300
SEEDS = st.integers(0, 10_000)


def numbers(name: str, then: np.ndarray, now: np.ndarray, kind: str = "numeric") -> Watched:
    reference = of_numbers(then)
    counts = NumberCounts(reference)
    counts.add(now)
    return Watched(name, kind, reference, counts, name, lambda _: None)


def levels(name: str, then: Sequence[int], now: Sequence[int], unknown: int = 0) -> Watched:
    known = [f"l{number}" for number in range(len(then))]
    reference = of_levels(np.array(then), known)
    counts = LevelCounts(reference, dict.fromkeys(known))
    counts.add(pa.array([*np.repeat(known, now), *["never"] * unknown]))
    return Watched(name, "categorical", reference, counts, name, lambda _: None)


def compared(*items: Watched) -> dict[str, Finding]:
    return {item.name: item for item in findings(items)}


def changing(seed: int) -> list[Watched]:
    """Columns that have a test each, some of them with gaps and unknown levels."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(int(rng.integers(1, 5))):
        now = rng.normal(rng.choice([0.0, 0.15]), 1, ROWS)
        now[rng.random(ROWS) < rng.choice([0.0, 0.02])] = np.nan
        found.append(numbers(f"n{number}", rng.normal(size=1_000), now))
        counts = rng.multinomial(ROWS, [0.5, 0.3, 0.2]).tolist()
        found.append(levels(f"c{number}", [500, 310, 190], counts, int(rng.choice([0, 3]))))
    return found


def untested(seed: int) -> list[Watched]:
    """Columns without a test that is judged: constant, empty, or a date."""
    rng = np.random.default_rng(seed)
    days = rng.uniform(0, 100, 1_000), rng.uniform(rng.choice([0, 200]), 300, ROWS)
    return [
        numbers("constant", np.full(1_000, 2.0), np.full(ROWS, 2.0)),
        numbers("empty", np.full(1_000, np.nan), np.full(ROWS, np.nan)),
        levels("one level", [1_000], [ROWS]),
        numbers("day", *days, "datetime"),
        numbers("short", rng.normal(size=1_000), rng.normal(5, 1, LEAST_ROWS - 1)),
    ]


@settings(max_examples=30)
@given(SEEDS)
def test_columns_without_a_test_do_not_weigh_on_the_others(seed: int) -> None:
    alone, among = compared(*changing(seed)), compared(*untested(seed), *changing(seed))
    for name, item in alone.items():
        other = among[name]
        ours, theirs = ((f.p, f.missing.p, f.unseen.p) for f in (item, other))
        assert ours == pytest.approx(theirs, nan_ok=True)
        assert item.verdict == other.verdict


def possible(item: Finding) -> list[float]:
    """The p-values of values, missing and unseen that may be judged, not adjusted."""
    then, now = item.reference, item.counts
    sizes = [part.count + part.missing + part.unseen for part in (then, now)]
    rates = [
        rates_differ((of_then, sizes[0]), (of_now, sizes[1])) if of_then or of_now else np.nan
        for of_then, of_now in ((then.missing, now.missing), (then.unseen, now.unseen))
    ]
    enough = now.count >= LEAST_ROWS and item.kind != "datetime"
    return [item.test.p if enough else np.nan, *rates]


@settings(max_examples=30)
@given(SEEDS)
def test_the_family_is_what_the_verdicts_look_at(seed: int) -> None:
    now = np.random.default_rng(seed).normal(2, 1, ROWS)
    now[LEAST_ROWS - 1 :] = np.nan  # whether it is missing is judged, its values are not
    found = findings([*changing(seed), numbers("gaps", now, now)])
    p = [value for item in found for value in possible(item)]
    family = sorted(value for value in p if not np.isnan(value))
    for value, adjusted in zip(
        p, (a for f in found for a in (f.p, f.missing.p, f.unseen.p)), strict=True
    ):
        larger = [
            other * len(family) / rank
            for rank, other in enumerate(family, start=1)
            if other >= value
        ]
        expected = min(1, *larger) if larger else np.nan
        assert adjusted == pytest.approx(expected, nan_ok=True)


def test_one_test_needs_no_adjustment() -> None:
    """As there is no other one: nothing is missing or unknown at all."""
    rng = np.random.default_rng(0)
    found = compared(numbers("a", rng.normal(size=1_000), rng.normal(0.1, 1, ROWS)))["a"]
    assert found.p == found.test.p
    assert np.isnan([found.missing.p, found.unseen.p]).all()


def test_a_date_is_tested_and_shown_but_not_judged() -> None:
    rng = np.random.default_rng(0)
    days = numbers("day", rng.uniform(0, 9, 1_000), rng.uniform(10, 19, ROWS), "datetime")
    found = compared(days)["day"]
    assert found.test.statistic == 1
    assert found.test.p < 1e-6
    assert np.isnan(found.p)
    assert found.verdict == "not judged"


def test_of_few_rows_no_test_is_judged() -> None:
    rng = np.random.default_rng(0)
    now = np.append(rng.normal(5, 1, 50), np.nan)
    found = compared(numbers("a", rng.normal(size=1_000), now))["a"]
    assert found.test.p < 1e-6
    assert np.isnan([found.p, found.missing.p, found.unseen.p]).all()
    assert found.verdict == "too few rows"
