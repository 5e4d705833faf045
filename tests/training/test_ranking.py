"""The ranking behind ROC and precision-recall, held against scikit-learn's."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from training.ranking import rank


@pytest.mark.parametrize("levels", [2, 7, 10**9])
@pytest.mark.parametrize("rows", [2, 3, 50, 5000])
def test_areas_are_scikit_learns(rows: int, levels: int) -> None:
    rng = np.random.default_rng(rows + levels)
    score = rng.integers(0, levels, rows) / (levels - 1)
    positive = rng.random(rows) < 0.3
    positive[:2] = True, False

    ranking = rank(score, positive)

    assert ranking is not None
    assert ranking.auc == pytest.approx(roc_auc_score(positive, score))
    assert ranking.average_precision == pytest.approx(average_precision_score(positive, score))


def test_curve_has_scikit_learns_points() -> None:
    positive = np.array([True, False, True, True, False, False])
    score = np.array([0.9, 0.9, 0.8, 0.3, 0.3, 0.0])

    ranking = rank(score, positive)

    assert ranking is not None
    x, y, _ = roc_curve(positive, score, drop_intermediate=False)
    np.testing.assert_allclose(ranking.false_alarms, x)
    np.testing.assert_allclose(ranking.recall, y)
    np.testing.assert_allclose(ranking.precision, [1, 1 / 2, 2 / 3, 3 / 5, 1 / 2])


def test_long_curve_is_thinned_and_stays_where_it_was() -> None:
    rng = np.random.default_rng(0)
    positive = rng.random(200_000) < 0.01
    score = 1 / (1 + np.exp(-rng.normal(2.5 * positive, 1)))

    ranking = rank(score, positive)

    assert ranking is not None
    assert len(ranking.tp) <= 302
    assert (ranking.tp[0], ranking.fp[0]) == (0, 0)
    assert (ranking.recall[-1], ranking.false_alarms[-1]) == (1, 1)
    x, y, _ = roc_curve(positive, score)
    grid = np.linspace(0, 1, 500)
    thinned = np.interp(grid, ranking.false_alarms, ranking.recall)
    np.testing.assert_allclose(thinned, np.interp(grid, x, y), atol=0.02)
    assert ranking.auc == pytest.approx(roc_auc_score(positive, score))


def test_negative_zero_ties_with_zero_and_outliers_are_cut() -> None:
    ranking = rank(np.array([-0.0, 0.0, 1.0 + 1e-9, 1.0]), np.array([True, False, True, False]))

    assert ranking is not None
    assert ranking.tp.tolist() == [0, 1, 2]
    assert ranking.auc == 0.5


@pytest.mark.parametrize("positive", [[True, True], [False, False]])
def test_one_kind_of_rows_has_no_ranking(positive: list[bool]) -> None:
    assert rank(np.array([0.1, 0.9]), np.array(positive)) is None


def test_single_precision_scores() -> None:
    score = np.array([0.2, 0.7, 0.4, 0.9], np.float32)

    ranking = rank(score, np.array([False, True, False, True]))

    assert ranking is not None
    assert ranking.auc == 1
