"""The paired bootstrap against the metrics themselves, and what a difference says."""

import numpy as np
import pytest

from registry import confusion
from registry.scores import allowed, difference, gain, paired, point, scorer
from training.evaluate import METRICS

_ROWS, _SAMPLES = 200, 120


def problem(task: str) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    if task == "regression":
        values = 1e4 + rng.normal(size=_ROWS)
        return values, values + rng.normal(size=_ROWS)
    classes = 2 if task == "binary" else 4
    y = rng.integers(0, classes, _ROWS)
    p = rng.dirichlet(np.ones(classes), _ROWS) + 0.5 * np.eye(classes)[y]
    p = np.round(p / p.sum(axis=1, keepdims=True), 2)  # ties
    return y, p / p.sum(axis=1, keepdims=True)


_CASES = [(name, task) for name, item in METRICS.items() for task in item.tasks]


@pytest.mark.parametrize(("metric", "task"), _CASES)
def test_bootstrap_is_the_metric_on_resampled_rows(metric: str, task: str) -> None:
    y, own = problem(task)
    other = np.roll(own, 3, axis=0)
    ours = paired(metric, y, [own, other], 1, _SAMPLES)
    rng = np.random.default_rng(2)
    theirs = np.empty((2, _SAMPLES))
    for at in range(_SAMPLES):
        drawn = rng.integers(0, _ROWS, _ROWS)
        for place, prediction in enumerate((own, other)):
            theirs[place, at] = METRICS[metric].score(y[drawn], prediction[drawn], None)
    for one, reference in zip(ours, theirs, strict=True):
        error = reference.std()
        assert abs(one.mean() - reference.mean()) < 0.45 * error
        assert abs(one.std() / error - 1) < 0.35
    # Paired: the difference has the variance of paired samples, not of two alone.
    assert abs((ours[0] - ours[1]).std() / (theirs[0] - theirs[1]).std() - 1) < 0.35


@pytest.mark.parametrize(("metric", "task"), _CASES)
def test_point_is_the_metric(metric: str, task: str) -> None:
    y, own = problem(task)
    expected = METRICS[metric].score(y, own, None)
    assert point(metric, y, own) == pytest.approx(expected, rel=1e-9)


_WEIGHTED = [(name, task) for name, task in _CASES if name not in confusion.METRICS]


@pytest.mark.parametrize(("metric", "task"), _WEIGHTED)
def test_weighted_score_is_the_metric_of_repeated_rows(metric: str, task: str) -> None:
    y, own = problem(task)
    drawn = np.bincount(np.random.default_rng(3).integers(0, _ROWS, _ROWS), minlength=_ROWS)
    rows = np.repeat(np.arange(_ROWS), drawn)
    expected = METRICS[metric].score(y[rows], own[rows], None)
    assert scorer(metric, y, own)(drawn.astype(float)) == pytest.approx(expected, rel=1e-9)


def test_confusion_has_one_cell_a_kind_of_row() -> None:
    """Rows all alike give the same score in every sample."""
    y = np.ones(50, int)
    (samples,) = confusion.paired("accuracy", y, [y], 2, 0, 100)
    assert (samples == 1).all()


def test_gain_is_better_whatever_the_metric() -> None:
    assert gain("roc_auc", 0.9, 0.8) == pytest.approx(0.1)
    assert gain("rmse", 9.0, 10.0) == pytest.approx(1.0)
    assert allowed("roc_auc", 0.01, 0.8) == pytest.approx(0.01)
    assert allowed("rmse", 0.01, 200.0) == pytest.approx(2.0)


def test_difference_knows_which_is_better() -> None:
    y, own = problem("regression")
    worse = y + 3 * (own - y)
    found = difference("rmse", y, own, worse, 0, 300)
    assert found.gain > 0
    assert found.low > 0
    assert found.probability == 1
    reverse = difference("rmse", y, worse, own, 0, 300)
    assert reverse.gain == pytest.approx(-found.gain)
    assert (reverse.low, reverse.high) == pytest.approx((-found.high, -found.low))
    same = difference("rmse", y, own, own, 0, 300)
    assert (same.gain, same.low, same.high, same.probability) == (0, 0, 0, 0.5)


def test_interval_covers_the_true_difference() -> None:
    """Of two equally good models, some 95 % of the intervals hold zero."""
    covered = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        y = rng.normal(size=200)
        found = difference("rmse", y, y + rng.normal(size=200), y + rng.normal(size=200), seed, 200)
        covered += found.low <= 0 <= found.high
    assert 88 <= covered <= 100
