"""The distances of two distributions, against SciPy on the raw values."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from serving.drift.measures import (
    BINS,
    EPSILON,
    adjusted,
    binned,
    cells_at,
    cells_of,
    chi_squared,
    kolmogorov_smirnov,
    psi,
    rates_differ,
)
from training.profile import VALUES, of_numbers

COUNTS = st.lists(st.integers(0, 500), min_size=2, max_size=30)
SEEDS = st.integers(0, 10_000)


def counted(reference: np.ndarray, recorded: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both in the cells of the first one's profile."""
    profile = of_numbers(reference)
    cells = cells_of(profile)
    known = recorded[~np.isnan(recorded)]
    return cells, np.bincount(cells_at(profile.values, known), minlength=len(cells))


def both(seed: int, discrete: bool) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(5, 3_000, 2)
    first = rng.normal(size=sizes[0])
    second = rng.normal(rng.choice([0.0, 0.1, 3.0]), rng.choice([1.0, 1.3]), sizes[1])
    return (first.round(1), second.round(1)) if discrete else (first, second)


@settings(max_examples=25)
@given(SEEDS)
def test_ks_of_few_different_values_is_scipys(seed: int) -> None:
    first, second = both(seed, discrete=True)
    found = kolmogorov_smirnov(*counted(first, second))
    expected = stats.ks_2samp(first, second, method="asymp")
    assert found.statistic == pytest.approx(expected.statistic)
    assert found.p == pytest.approx(expected.pvalue)


@settings(max_examples=25)
@given(SEEDS)
def test_ks_of_quantiles_is_near_to_scipys_and_never_more(seed: int) -> None:
    first, second = both(seed, discrete=False)
    found = kolmogorov_smirnov(*counted(first, second)).statistic
    exact = stats.ks_2samp(first, second, method="asymp").statistic
    step = 1 / (VALUES - 1) + 1 / len(first) if len(first) > VALUES else 0.0
    assert exact - step - 1e-9 <= found <= exact + 1e-9


@given(SEEDS)
def test_values_between_those_of_training_are_seen(seed: int) -> None:
    first = np.repeat([0.0, 1.0], [10, 90])
    second = np.full(100, np.random.default_rng(seed).uniform(0.01, 0.99))
    assert kolmogorov_smirnov(*counted(first, second)).statistic == pytest.approx(0.9)
    assert psi(*binned(of_numbers(first).values, *_pair(first, second))) > 1


def _pair(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    cells, others = counted(first, second)
    return cells, [others]


@settings(max_examples=25)
@given(SEEDS, st.booleans())
def test_bins_are_deciles_and_lose_no_row(seed: int, discrete: bool) -> None:
    first, second = both(seed, discrete)
    cells, others = _pair(first, second)
    old, new = binned(of_numbers(first).values, cells, others)
    assert (old.sum(), new.sum()) == (len(first), len(second))
    assert len(old) == len(new) <= BINS + 1
    if not discrete and len(first) > 1_000:
        assert len(old) == BINS
        assert old / len(first) == pytest.approx(1 / BINS, abs=1 / VALUES + 1e-3)
    edges = np.quantile(first, np.arange(1, BINS) / BINS, method="inverted_cdf")
    if len(first) <= VALUES and len(np.unique(first)) > BINS:
        expected = np.bincount(np.searchsorted(np.unique(edges), second, "left"), minlength=1)
        assert new[new > 0].tolist() == expected[expected > 0].tolist()


@pytest.mark.parametrize("values", [[3.0], [0.0, 1.0], [1.0, 2.0, 3.0]])
def test_few_values_have_a_bin_each(values: list[float]) -> None:
    first = np.repeat(values, 30)
    cells, others = _pair(first, first - 1)
    old, new = binned(np.array(values), cells, others)
    assert old.tolist() == [30] * len(values) + [0]
    assert new[-1] == 30


@given(COUNTS)
def test_psi_of_the_same_is_nothing(counts: list[int]) -> None:
    assert psi(counts, counts) == 0
    tripled = [3 * count for count in counts]
    assert psi(counts, tripled) == pytest.approx(0)


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), min_size=2, max_size=30))
def test_psi_is_the_same_both_ways_and_never_negative(pairs: list[tuple[int, int]]) -> None:
    first, second = (list(counts) for counts in zip(*pairs, strict=True))
    assert psi(first, second) == pytest.approx(psi(second, first))
    assert psi(first, second) >= 0


def test_psi_is_that_of_the_books() -> None:
    expected = (0.6 - 0.5) * np.log(0.6 / 0.5) + (0.4 - 0.5) * np.log(0.4 / 0.5)
    assert psi([50, 50], [600, 400]) == pytest.approx(expected)
    all_new = (1 - EPSILON) * np.log(1 / EPSILON) * 2
    assert psi([100, 0], [0, 7]) == pytest.approx(all_new)


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(30, 500), st.integers(30, 500)), min_size=2, max_size=12))
def test_chi_squared_of_many_rows_is_scipys(pairs: list[tuple[int, int]]) -> None:
    first, second = (np.array(counts) for counts in zip(*pairs, strict=True))
    expected = stats.chi2_contingency(np.array([first, second]), correction=False)
    found, back = chi_squared(first, second), chi_squared(second, first)
    assert found.statistic == pytest.approx(expected.statistic)
    assert found.p == pytest.approx(expected.pvalue) == pytest.approx(back.p)


@settings(max_examples=8)
@given(SEEDS)
def test_rare_categories_raise_no_alarm(seed: int) -> None:
    """With the rare ones merged, p is below 5 % about as often as it says, not far more."""
    rng = np.random.default_rng(seed)
    shares = 1 / np.arange(1, 200) ** 1.5
    shares /= shares.sum()
    tests = [
        chi_squared(rng.multinomial(20_000, shares), rng.multinomial(100, shares)).p
        for _ in range(60)
    ]
    assert np.mean(np.array(tests) < 0.05) < 0.25


NOTHING, SOME, CONSTANT = np.zeros(3, int), np.array([4, 5, 6]), np.array([0, 9, 0])


@pytest.mark.parametrize(
    "pair",
    [(NOTHING, SOME), (SOME, NOTHING), (NOTHING, NOTHING), (CONSTANT, 7 * CONSTANT)],
)
def test_where_nothing_is_to_be_tested_there_is_no_p(pair: tuple[np.ndarray, np.ndarray]) -> None:
    for found in (chi_squared(*pair), kolmogorov_smirnov(*pair)):
        assert np.isnan([found.statistic, found.p]).all()


def test_categories_that_are_too_rare_are_not_tested() -> None:
    assert np.isnan(chi_squared(np.array([1, 0]), np.array([0, 1])).p)


@pytest.mark.parametrize("rates", [((0, 0), (3, 5)), ((0, 100), (0, 50)), ((9, 9), (5, 5))])
def test_rates_that_cannot_differ_are_not_tested(
    rates: tuple[tuple[int, int], tuple[int, int]],
) -> None:
    assert np.isnan(rates_differ(*rates))
    assert np.isnan(rates_differ(*reversed(rates)))


@settings(max_examples=20)
@given(st.integers(10, 40), st.integers(51, 400), st.integers(10, 40), st.integers(51, 400))
def test_rates_of_many_rows_are_compared_by_their_z(a: int, n: int, b: int, m: int) -> None:
    found, back = rates_differ((a, n), (b, m)), rates_differ((b, m), (a, n))
    pooled = (a + b) / (n + m)
    z = (a / n - b / m) / np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
    assert found == pytest.approx(back)
    if min(pooled, 1 - pooled) * min(n, m) >= 5:
        assert found == pytest.approx(2 * stats.norm.sf(abs(z)))


def test_rates_of_few_rows_are_compared_exactly() -> None:
    found = rates_differ((0, 20), (3, 20))
    assert found == pytest.approx(stats.fisher_exact([[0, 20], [3, 17]]).pvalue)
    assert found > 0.1


@given(st.lists(st.floats(0, 1), max_size=20))
def test_adjusted_is_benjamini_and_hochbergs(p: list[float]) -> None:
    found = adjusted(p)
    order = sorted(range(len(p)), key=lambda at: p[at])
    smallest = 1.0
    for rank, at in reversed(list(enumerate(order, start=1))):
        smallest = min(smallest, p[at] * len(p) / rank)
        assert found[at] == pytest.approx(smallest)


@given(st.lists(st.floats(0, 1) | st.just(float("nan")), max_size=20))
def test_what_is_no_test_does_not_weigh_on_those_that_are(p: list[float]) -> None:
    found = np.array(adjusted(p))
    tested = ~np.isnan(p)
    assert np.isnan(found[~tested]).all()
    assert found[tested].tolist() == adjusted(np.array(p)[tested].tolist())
