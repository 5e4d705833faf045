"""How far two distributions are apart: of the training table, and of what was recorded since.

Training's is a profile (`training.profile`); of what was recorded there are counts in the same
cells. Nothing here needs a row of either.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.profile import Numbers

#: A share of nothing counts as this much, so that the index stays finite.
EPSILON = 1e-4
#: Bins of a column of numbers; up to as many different values have a bin each.
BINS = 10
#: The most frequent levels have a bin each, up to this many; the others one together.
LEVEL_BINS = 20
#: Categories that expect fewer rows than this are merged for the chi-squared test.
LEAST_EXPECTED = 5.0


@dataclass(frozen=True)
class Test:
    """A test of whether two samples are from one distribution.

    Attributes
    ----------
    name : {'KS', 'chi2'}
    statistic : float
        The largest distance of the distribution functions, or the chi-squared statistic.
    p : float
        NaN, as the statistic, where there is nothing to test.
    """

    name: str
    statistic: float
    p: float


def cells_of(reference: Numbers) -> np.ndarray:
    """Training's rows in the cells that `cells_at` numbers; none below and none above."""
    cells = np.zeros(2 * len(reference.values) + 1, np.int64)
    cells[1::2] = reference.at
    cells[2:-1:2] = reference.between
    return cells


def cells_at(values: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """The cell of each number: 2i + 1 if it is value i, 2i if it is between i - 1 and i."""
    left: np.ndarray = np.searchsorted(values, numbers, "left")
    return left + np.searchsorted(values, numbers, "right")


def psi(reference: Sequence[int] | np.ndarray, recorded: Sequence[int] | np.ndarray) -> float:
    """The population stability index of counts in the same bins; 0 where they are alike.

    Both ways it is the same. A share below `EPSILON` counts as that.
    """
    shares = [
        np.maximum(np.asarray(counts, np.float64) / max(1, np.sum(counts)), EPSILON)
        for counts in (reference, recorded)
    ]
    return float(np.sum((shares[1] - shares[0]) * np.log(shares[1] / shares[0])))


def binned(values: np.ndarray, cells: np.ndarray, others: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Counts in few bins, of counts in cells.

    Parameters
    ----------
    values : ndarray, (k,)
        Those that the cells are about.
    cells : ndarray, (2k + 1,)
        Training's, whose deciles make the bins. Of at most ten different values each has a bin, and
        one is for all others.
    others : sequence of ndarray, (2k + 1,)

    Returns
    -------
    list of ndarray
        The bins of the cells and of the others.
    """
    every = [cells, *others]
    if len(values) <= BINS and not cells[::2].any():
        return [np.append(counts[1::2], counts[::2].sum()) for counts in every]
    upto = np.cumsum(cells) / max(1, cells.sum())
    wanted = np.arange(1, BINS) / BINS
    # A bin ends with a value: at an odd cell.
    ends = np.unique(2 * np.searchsorted(upto[1::2], wanted - 1e-12) + 1)
    starts = np.append(0, ends[ends < len(cells) - 1] + 1)
    return [np.add.reduceat(counts, starts) for counts in every]


def kolmogorov_smirnov(reference: np.ndarray, recorded: np.ndarray) -> Test:
    """The two-sample test, of counts in the same cells, in order.

    Exact where training had at most 256 different values; else the distance may be too small by
    what lies between two quantiles, 0.4 % of training's rows. The p-value is that of Kolmogorov's
    distribution for the harmonic size of the two samples, as SciPy has it for large samples.
    Without rows on both sides, or with one value in all of them, there is nothing to test.
    """
    from scipy.stats import kstwo

    sizes = [int(counts.sum()) for counts in (reference, recorded)]
    if not all(sizes) or np.count_nonzero(reference + recorded) < 2:
        return Test("KS", np.nan, np.nan)
    upto = [np.cumsum(counts) / counts.sum() for counts in (reference, recorded)]
    distance = float(np.abs(upto[0] - upto[1]).max())
    effective = max(1, round(sizes[0] * sizes[1] / (sizes[0] + sizes[1])))
    return Test("KS", distance, float(kstwo.sf(distance, effective)))


def chi_squared(reference: np.ndarray, recorded: np.ndarray) -> Test:
    """The test of homogeneity of counts in the same categories.

    Those that expect fewer than five rows in either sample are merged into one, and that with the
    smallest other one if it still expects fewer. With one category left there is nothing to test.
    """
    from scipy.stats import chi2_contingency

    table = np.array([reference, recorded], np.float64)
    table = table[:, table.sum(axis=0) > 0]
    if table.shape[1] < 2 or not table.sum(axis=1).all():
        return Test("chi2", np.nan, np.nan)
    table = _merged(table)
    if table.shape[1] < 2:
        return Test("chi2", np.nan, np.nan)
    found = chi2_contingency(table, correction=False)
    return Test("chi2", float(found.statistic), float(found.pvalue))


def _merged(table: np.ndarray) -> np.ndarray:
    table = table[:, np.argsort(-table.sum(axis=0), kind="stable")]
    smaller = table.sum(axis=1).min() / table.sum()
    few = table.sum(axis=0) * smaller < LEAST_EXPECTED
    if few.any():
        rest = table[:, few].sum(axis=1, keepdims=True)
        table = np.concatenate([table[:, ~few], rest], axis=1)
        if rest.sum() * smaller < LEAST_EXPECTED and table.shape[1] > 1:
            joined = table[:, -2:].sum(axis=1, keepdims=True)
            table = np.concatenate([table[:, :-2], joined], axis=1)
    return table


def rates_differ(reference: tuple[int, int], recorded: tuple[int, int]) -> float:
    """The p-value of two rates, each as (rows, of how many), being one.

    Fisher's exact test where few rows are expected, else chi-squared; NaN where no row of either
    is one, or every row of both: two such rates cannot differ.
    """
    from scipy.stats import chi2_contingency, fisher_exact

    table = np.array([[rows, of - rows] for rows, of in (reference, recorded)])
    sums, total = table.sum(axis=0), table.sum()
    if not sums.all() or not table.sum(axis=1).all():
        return np.nan
    expected = np.outer(table.sum(axis=1), sums) / total
    if expected.min() < LEAST_EXPECTED:
        return float(fisher_exact(table).pvalue)
    return float(chi2_contingency(table, correction=False).pvalue)


def adjusted(p: Sequence[float]) -> list[float]:
    """p-values of several tests, adjusted by Benjamini and Hochberg (1995); NaN is no test."""
    from scipy.stats import false_discovery_control

    found = np.array(p, np.float64)
    tested = ~np.isnan(found)
    if tested.any():
        found[tested] = false_discovery_control(np.clip(found[tested], 0.0, 1.0))
    return [float(value) for value in found]
