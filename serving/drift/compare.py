"""What was counted becomes findings: one a column, and those of the predictions."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from serving.drift.counts import Counts, LevelCounts, NumberCounts, Watched
from serving.drift.measures import (
    LEVEL_BINS,
    Test,
    adjusted,
    binned,
    cells_of,
    chi_squared,
    kolmogorov_smirnov,
    psi,
    rates_differ,
)
from training.profile import Distribution, Numbers

#: Verdicts, the worst last. `not judged` is a date: its days go on.
NOT_JUDGED, TOO_FEW = "not judged", "too few rows"
STABLE, SHIFTED, DRIFTED = "stable", "shifted", "drifted"
ORDER = (NOT_JUDGED, TOO_FEW, STABLE, SHIFTED, DRIFTED)

#: With fewer rows nothing is said of a distribution.
LEAST_ROWS = 100
#: Of the adjusted p-values: what is not significant is stable, however large it is.
SIGNIFICANT = 0.05
#: From where on it is shifted, and drifted: the index by convention (Siddiqi, 2006).
PSI = (0.1, 0.25)
#: The change of the share of missing values, in either direction, and of unknown levels.
MISSING = (0.05, 0.15)
UNSEEN = (0.01, 0.05)


@dataclass(frozen=True)
class Rate:
    """A share of the rows, at training and since.

    Attributes
    ----------
    then, now : float
    p : float
        Of them being one, adjusted; NaN where it is not tested or not judged.
    """

    then: float
    now: float
    p: float


@dataclass(frozen=True)
class Finding:
    """A column, or something of the predictions, compared.

    Attributes
    ----------
    name, kind : str
        See `counts.Watched`.
    is_prediction : bool
    rows : int
        Recorded ones, those without a value included.
    psi : float
    test : Test
    p : float
        The test's, adjusted for all tests that are judged; NaN for the others.
    missing, unseen : Rate
    verdict : {'not judged', 'too few rows', 'stable', 'shifted', 'drifted'}
    why : str
        What the verdict is because of; '' where it is good.
    reference : Numbers or Levels
    counts : NumberCounts or LevelCounts
    """

    name: str
    kind: str
    is_prediction: bool
    rows: int
    psi: float
    test: Test
    p: float
    missing: Rate
    unseen: Rate
    verdict: str
    why: str
    reference: Distribution
    counts: Counts


def findings(watched: Sequence[Watched]) -> list[Finding]:
    """Compare what was counted with training, the worst first, predictions before columns."""
    raw = [_measured(item) for item in watched]
    corrected = iter(adjusted([p for item in raw for p in _judged_by(item)]))
    judged = []
    for item in raw:
        p, missing, unseen = (next(corrected) for _ in range(3))
        item = replace(
            item,
            p=p,
            missing=replace(item.missing, p=missing),
            unseen=replace(item.unseen, p=unseen),
        )
        verdict, why = _judged(item)
        judged.append(replace(item, verdict=verdict, why=why))
    return sorted(
        judged,
        key=lambda item: (not item.is_prediction, -ORDER.index(item.verdict), -item.psi),
    )


def worst(found: Sequence[Finding]) -> str:
    """The verdict of all of them together."""
    verdicts = [item.verdict for item in found if item.verdict != NOT_JUDGED]
    return max(verdicts, key=ORDER.index, default=TOO_FEW)


def bins_of(
    reference: Distribution, counts: Counts
) -> tuple[list[str] | None, np.ndarray, np.ndarray]:
    """The rows at training and since in the bins of the index, and what levels these are."""
    if isinstance(reference, Numbers):
        assert isinstance(counts, NumberCounts)
        first, second = binned(reference.values, cells_of(reference), [counts.cells])
        return None, first, second
    assert isinstance(counts, LevelCounts)
    names = list(reference.counts)[:LEVEL_BINS]
    then = [reference.counts[name] for name in names]
    now = [counts.counts[name] for name in names]
    first = np.array([*then, reference.count - sum(then)])
    return names, first, np.array([*now, counts.count - sum(now)])


def _measured(item: Watched) -> Finding:
    reference, counts = item.reference, item.counts
    _, old, new = bins_of(reference, counts)
    test = _tested(reference, counts)
    sizes = [part.count + part.missing + part.unseen for part in (reference, counts)]
    rates = [
        _rate(getattr(reference, what), sizes[0], getattr(counts, what), sizes[1])
        for what in ("missing", "unseen")
    ]
    return Finding(
        name=item.name,
        kind=item.kind,
        is_prediction=item.is_prediction,
        rows=sizes[1],
        psi=psi(old, new) if reference.count and counts.count else 0.0,
        test=test,
        p=test.p,
        missing=rates[0],
        unseen=rates[1],
        verdict="",
        why="",
        reference=reference,
        counts=counts,
    )


def _tested(reference: Distribution, counts: Counts) -> Test:
    if isinstance(reference, Numbers):
        assert isinstance(counts, NumberCounts)
        return kolmogorov_smirnov(cells_of(reference), counts.cells)
    assert isinstance(counts, LevelCounts)
    recorded = [counts.counts[name] for name in reference.counts]
    return chi_squared(
        np.array([*reference.counts.values(), reference.other]),
        np.array([*recorded, counts.other]),
    )


def _rate(then: int, of_then: int, now: int, of_now: int) -> Rate:
    p = rates_differ((then, of_then), (now, of_now))
    return Rate(then / max(1, of_then), now / max(1, of_now), p)


def _judged_by(item: Finding) -> tuple[float, float, float]:
    """The p-values that a verdict looks at: of values, missing and unseen; NaN for the others.

    Only these are a family of tests. Others would weigh on them: a p of 1 that no test has given
    makes them weaker, a date's small p makes them look stronger than they are.
    """
    if item.rows < LEAST_ROWS:
        return np.nan, np.nan, np.nan
    judged = item.kind != "datetime" and item.counts.count >= LEAST_ROWS
    return item.test.p if judged else np.nan, item.missing.p, item.unseen.p


def _judged(item: Finding) -> tuple[str, str]:
    if item.rows < LEAST_ROWS:
        return TOO_FEW, f"{item.rows:,} of at least {LEAST_ROWS} rows"
    found = []
    for what, rate, limits in (
        ("missing", item.missing, MISSING),
        ("unknown levels", item.unseen, UNSEEN),
    ):
        if rate.p < SIGNIFICANT:
            found.append((graded(abs(rate.now - rate.then), limits), what))
    if item.p < SIGNIFICANT:
        found.append((graded(item.psi, PSI), "values"))
    verdict = max((grade for grade, _ in found), key=ORDER.index, default=STABLE)
    if verdict != STABLE:
        return verdict, ", ".join(what for grade, what in found if grade != STABLE)
    if item.kind == "datetime":
        return NOT_JUDGED, "time goes on"
    if item.counts.count < LEAST_ROWS:
        return TOO_FEW, f"{item.counts.count:,} of at least {LEAST_ROWS} rows have a value"
    return STABLE, ""


def graded(figure: float, limits: tuple[float, float]) -> str:
    """What a figure is, by where it is shifted and where drifted."""
    return DRIFTED if figure >= limits[1] else SHIFTED if figure >= limits[0] else STABLE
