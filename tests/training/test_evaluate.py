"""Metrics against scikit-learn's, the bootstrap, and who is told apart."""

import numpy as np
import pytest
from sklearn import metrics as reference

from training.errors import UserError
from training.evaluate import (
    METRICS,
    all_scores,
    bootstrap,
    choose_metric,
    interval,
    score,
    tied,
)

ROWS = 200


def regression() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = rng.normal(size=ROWS)
    return y, y + rng.normal(size=ROWS)


def classes(count: int, rows: int = ROWS) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(count)
    y = rng.integers(0, count, rows)
    # Rounded, so that some predictions are the same.
    raw = (rng.random((rows, count)) + 0.6 * np.eye(count)[y]).round(1) + 0.05
    return y, raw / raw.sum(axis=1, keepdims=True)


REFERENCE = {
    "rmse": lambda y, p: reference.root_mean_squared_error(y, p),
    "mse": lambda y, p: reference.mean_squared_error(y, p),
    "mae": lambda y, p: reference.mean_absolute_error(y, p),
    "median_absolute_error": lambda y, p: reference.median_absolute_error(y, p),
    "r2": lambda y, p: reference.r2_score(y, p),
    "roc_auc": lambda y, p: reference.roc_auc_score(y, p[:, 1]),
    "average_precision": lambda y, p: reference.average_precision_score(y, p[:, 1]),
    "brier_score": lambda y, p: reference.brier_score_loss(y, p[:, 1]),
    "log_loss": lambda y, p: reference.log_loss(y, p, labels=range(p.shape[1])),
    "accuracy": lambda y, p: reference.accuracy_score(y, p.argmax(axis=1)),
    "balanced_accuracy": lambda y, p: reference.balanced_accuracy_score(y, p.argmax(axis=1)),
    "matthews_corrcoef": lambda y, p: reference.matthews_corrcoef(y, p.argmax(axis=1)),
    "f1": lambda y, p: reference.f1_score(y, p.argmax(axis=1)),
    "precision": lambda y, p: reference.precision_score(y, p.argmax(axis=1)),
    "recall": lambda y, p: reference.recall_score(y, p.argmax(axis=1)),
    "roc_auc_ovr": lambda y, p: reference.roc_auc_score(y, p, multi_class="ovr"),
    "f1_macro": lambda y, p: reference.f1_score(y, p.argmax(axis=1), average="macro"),
    "precision_macro": lambda y, p: reference.precision_score(y, p.argmax(axis=1), average="macro"),
    "recall_macro": lambda y, p: reference.recall_score(y, p.argmax(axis=1), average="macro"),
}
ROWS_OF = {"regression": regression, "binary": lambda: classes(2), "multiclass": lambda: classes(4)}


def test_every_metric_has_a_reference() -> None:
    assert METRICS.keys() == REFERENCE.keys()


@pytest.mark.parametrize(
    ("name", "task"), [(name, task) for name, item in METRICS.items() for task in item.tasks]
)
def test_a_metric_is_scikit_learns(name: str, task: str) -> None:
    y, prediction = ROWS_OF[task]()
    assert score(name, y, prediction) == pytest.approx(REFERENCE[name](y, prediction), rel=1e-12)
    assert all_scores(task, y, prediction)[name] == score(name, y, prediction)


@pytest.mark.parametrize(
    ("name", "task"), [(name, task) for name, item in METRICS.items() for task in item.tasks]
)
def test_the_bootstrap_is_the_metric_on_resampled_rows(name: str, task: str) -> None:
    y, prediction = ROWS_OF[task]()
    found = bootstrap(name, y, prediction, seed=5, resamples=8)
    rng = np.random.default_rng(5)
    for value in found:
        rows = rng.integers(0, len(y), len(y))
        if name == "median_absolute_error":  # scikit-learn's weighted median is not the plain one
            assert value == pytest.approx(REFERENCE[name](y[rows], prediction[rows]), rel=0.05)
        else:
            assert value == pytest.approx(REFERENCE[name](y[rows], prediction[rows]), rel=1e-9)


def test_the_bootstrap_is_paired() -> None:
    y, prediction = regression()
    one = bootstrap("rmse", y, prediction, seed=1)
    two = bootstrap("rmse", y, y + 2 * (prediction - y), seed=1)
    assert len(one) == 1_000
    np.testing.assert_allclose(two, 2 * one)
    assert not np.allclose(one, bootstrap("rmse", y, prediction, seed=2))


def test_fewer_resamples_of_many_rows() -> None:
    y = np.zeros(20_001)
    assert len(bootstrap("mae", y, y, seed=0)) == 300


def test_one_class_leaves_the_area_undefined() -> None:
    y, prediction = classes(2)
    for name in ("roc_auc", "average_precision"):
        assert np.isnan(score(name, np.zeros(ROWS, int), prediction))
        assert name not in all_scores("binary", np.zeros(ROWS, int), prediction)
    assert np.isnan(bootstrap("roc_auc", np.zeros(ROWS, int), prediction, 0, 5)).all()
    assert np.isnan(interval(np.full(5, np.nan))).all()
    assert score("roc_auc", y, prediction) > 0.5


def test_a_class_without_rows_is_left_out_of_the_mean_area() -> None:
    y, prediction = classes(4)
    y = np.where(y == 3, 0, y)
    each = [reference.roc_auc_score(y == code, prediction[:, code]) for code in range(3)]
    assert score("roc_auc_ovr", y, prediction) == pytest.approx(np.mean(each))


def test_a_probability_of_zero_costs_much_and_stays_finite() -> None:
    wrong = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert 30 < score("log_loss", np.array([1, 0]), wrong) < 40


def test_r2_of_a_constant_target_is_left_out() -> None:
    y = np.full(10, 3.0)
    assert np.isnan(score("r2", y, y))
    assert "r2" not in all_scores("regression", y, y)


def test_a_candidate_is_tied_unless_the_interval_excludes_zero() -> None:
    y, near = regression()
    rng = np.random.default_rng(9)
    best = bootstrap("rmse", y, near, 0)
    assert tied(best, best)
    assert tied(bootstrap("rmse", y, y + rng.permutation(near - y), 0), best)
    assert not tied(bootstrap("rmse", y, near + 3, 0), best)
    assert not tied(bootstrap("rmse", y, y, 0), best)


@pytest.mark.parametrize(
    ("task", "metric"), [("binary", "roc_auc"), ("multiclass", "log_loss"), ("regression", "rmse")]
)
def test_the_metric_chosen_by_default(task: str, metric: str) -> None:
    assert choose_metric("auto", task) == metric
    assert choose_metric(metric, task) == metric


@pytest.mark.parametrize(
    ("metric", "task", "hint"),
    [
        ("roc_acu", "binary", "did you mean 'roc_auc'"),
        ("rmse", "binary", "valid: "),
        ("roc_auc", "multiclass", "'roc_auc_ovr'"),
        ("", "regression", "rmse"),
    ],
)
def test_a_wrong_metric_is_answered_with_the_nearest(metric: str, task: str, hint: str) -> None:
    with pytest.raises(UserError, match=f"expected a {task} metric, got '{metric}'") as caught:
        choose_metric(metric, task)
    assert hint in str(caught.value)
