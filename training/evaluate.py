"""Metrics, their bootstrap, and which candidates cannot be told apart."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.errors import UserError, nearest

_EPSILON = 1e-15


@dataclass(frozen=True)
class Metric:
    """A figure of merit.

    Attributes
    ----------
    tasks : tuple of str
        The tasks it is defined on.
    greater_is_better : bool
    score : callable (y, prediction, weights or None) -> float
        `prediction` is (n,) for regression, probabilities (n, k) for classes.
    """

    tasks: tuple[str, ...]
    greater_is_better: bool
    score: Callable[[np.ndarray, np.ndarray, np.ndarray | None], float]


def _rmse(y: np.ndarray, p: np.ndarray, w: np.ndarray | None) -> float:
    return float(np.sqrt(np.average((y - p) ** 2, weights=w)))


def _mse(y: np.ndarray, p: np.ndarray, w: np.ndarray | None) -> float:
    return float(np.average((y - p) ** 2, weights=w))


def _mae(y: np.ndarray, p: np.ndarray, w: np.ndarray | None) -> float:
    return float(np.average(np.abs(y - p), weights=w))


def _median_absolute_error(y: np.ndarray, p: np.ndarray, w: np.ndarray | None) -> float:
    from sklearn.metrics import median_absolute_error

    return float(median_absolute_error(y, p, sample_weight=w))


def _r2(y: np.ndarray, p: np.ndarray, w: np.ndarray | None) -> float:
    spread = np.average((y - np.average(y, weights=w)) ** 2, weights=w)
    return float(1 - _mse(y, p, w) / spread) if spread > 0 else float("nan")


def _log_loss(y: np.ndarray, p: np.ndarray, w: np.ndarray | None) -> float:
    rows = p / p.sum(axis=1, keepdims=True)
    chosen = np.clip(rows[np.arange(len(y)), y], _EPSILON, 1.0)
    return float(np.average(-np.log(chosen), weights=w))


def _brier(y: np.ndarray, p: np.ndarray, w: np.ndarray | None) -> float:
    return float(np.average((p[:, 1] - y) ** 2, weights=w))


def _accuracy(y: np.ndarray, p: np.ndarray, w: np.ndarray | None) -> float:
    return float(np.average(p.argmax(axis=1) == y, weights=w))


def _roc_auc(y: np.ndarray, p: np.ndarray, w: np.ndarray | None) -> float:
    if w is not None:
        return RankedAuc(y, p).score(w)
    positive = np.asarray(y) == 1
    above, below = np.sort(p[positive, 1]), np.sort(p[~positive, 1])
    pairs = len(above) * len(below)
    if not pairs:
        return float("nan")
    won = sum(int(np.searchsorted(below, above, side).sum()) for side in ("left", "right"))
    return won / (2 * pairs)


def _average_precision(y: np.ndarray, p: np.ndarray, w: np.ndarray | None) -> float:
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(y, p[:, 1], sample_weight=w)) if y.any() else float("nan")


def _roc_auc_ovr(y: np.ndarray, p: np.ndarray, w: np.ndarray | None) -> float:
    """Macro average of one against the rest, over the classes that have rows on both sides."""
    scores = [
        _roc_auc((y == code).astype(int), np.column_stack([1 - p[:, code], p[:, code]]), w)
        for code in range(p.shape[1])
    ]
    return float(np.nanmean(scores)) if np.isfinite(scores).any() else float("nan")


def _of_labels(name: str, **options: Any) -> Callable[..., float]:
    """A metric of scikit-learn's on predicted classes."""

    def score(y: np.ndarray, p: np.ndarray, w: np.ndarray | None) -> float:
        import warnings

        from sklearn import metrics

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return float(getattr(metrics, name)(y, p.argmax(axis=1), sample_weight=w, **options))

    return score


_BINARY, _MULTICLASS, _REGRESSION = ("binary",), ("multiclass",), ("regression",)
_CLASSES = _BINARY + _MULTICLASS

#: Every metric that is logged, by the name it has in MLflow after `cv_` or `test_`.
METRICS = {
    "rmse": Metric(_REGRESSION, False, _rmse),
    "mse": Metric(_REGRESSION, False, _mse),
    "mae": Metric(_REGRESSION, False, _mae),
    "median_absolute_error": Metric(_REGRESSION, False, _median_absolute_error),
    "r2": Metric(_REGRESSION, True, _r2),
    "roc_auc": Metric(_BINARY, True, _roc_auc),
    "average_precision": Metric(_BINARY, True, _average_precision),
    "brier_score": Metric(_BINARY, False, _brier),
    "log_loss": Metric(_CLASSES, False, _log_loss),
    "accuracy": Metric(_CLASSES, True, _accuracy),
    "balanced_accuracy": Metric(_CLASSES, True, _of_labels("balanced_accuracy_score")),
    "matthews_corrcoef": Metric(_CLASSES, True, _of_labels("matthews_corrcoef")),
    "f1": Metric(_BINARY, True, _of_labels("f1_score", zero_division=0)),
    "precision": Metric(_BINARY, True, _of_labels("precision_score", zero_division=0)),
    "recall": Metric(_BINARY, True, _of_labels("recall_score", zero_division=0)),
    "roc_auc_ovr": Metric(_MULTICLASS, True, _roc_auc_ovr),
    "f1_macro": Metric(_MULTICLASS, True, _of_labels("f1_score", average="macro", zero_division=0)),
    "precision_macro": Metric(
        _MULTICLASS, True, _of_labels("precision_score", average="macro", zero_division=0)
    ),
    "recall_macro": Metric(
        _MULTICLASS, True, _of_labels("recall_score", average="macro", zero_division=0)
    ),
}

#: The selection metric by AMLB's convention (Gijsbers et al., JMLR 25, 2024).
SELECTION = {"binary": "roc_auc", "multiclass": "log_loss", "regression": "rmse"}


def choose_metric(metric: str, task: str) -> str:
    """The selection metric for a task: `auto` by convention, or the user's.

    Raises
    ------
    UserError
        For a metric that the task does not have, with the nearest that it has.
    """
    if metric == "auto":
        return SELECTION[task]
    valid = [name for name, item in METRICS.items() if task in item.tasks]
    if metric not in valid:
        raise UserError(f"expected a {task} metric, got {metric!r}; {nearest(metric, valid)}")
    return metric


def score(metric: str, y: np.ndarray, prediction: np.ndarray) -> float:
    """One metric on some rows; NaN where the rows leave it undefined."""
    if metric in ("roc_auc", "average_precision") and not np.any(y != y[:1]):
        return float("nan")
    return METRICS[metric].score(np.asarray(y), prediction, None)


def all_scores(task: str, y: np.ndarray, prediction: np.ndarray) -> dict[str, float]:
    """Every metric of a task that is defined on these rows."""
    scores = {
        name: score(name, y, prediction) for name, item in METRICS.items() if task in item.tasks
    }
    return {name: value for name, value in scores.items() if np.isfinite(value)}


def bootstrap(
    metric: str, y: np.ndarray, prediction: np.ndarray, seed: int, resamples: int | None = None
) -> np.ndarray:
    """A metric on bootstrap samples of the rows (Efron, 1979).

    The samples depend on the seed and the number of rows only: two candidates' arrays on the same
    rows are paired, and their difference is a paired bootstrap.

    Parameters
    ----------
    metric : str
    y, prediction : ndarray
        As for `score`, n rows.
    seed : int
    resamples : int, optional
        1,000 up to 20,000 rows, 300 above.

    Returns
    -------
    ndarray of float64, (resamples,)
    """
    n = len(y)
    count = resamples or (1_000 if n <= 20_000 else 300)
    rng = np.random.default_rng(seed)
    item = METRICS[metric]
    scorer: Callable[[np.ndarray], float | None]
    if metric == "roc_auc":
        scorer = RankedAuc(y, prediction).score
    else:
        target = np.asarray(y)

        def scorer(weights: np.ndarray) -> float:
            return item.score(target, prediction, weights)

    scores = np.empty(count)
    for i in range(count):
        weights = np.bincount(rng.integers(0, n, n), minlength=n).astype(np.float64)
        scores[i] = scorer(weights)
    return scores


def interval(samples: np.ndarray) -> tuple[float, float]:
    """The 95 % percentile interval of bootstrap samples."""
    defined = samples[np.isfinite(samples)]
    if not len(defined):
        return float("nan"), float("nan")
    low, high = np.percentile(defined, [2.5, 97.5])
    return float(low), float(high)


def tied(samples: np.ndarray, best: np.ndarray) -> bool:
    """Whether a paired bootstrap cannot tell a candidate from the best one (95 %)."""
    low, high = interval(samples - best)
    return not (low > 0 or high < 0)


class RankedAuc:
    """Area under the ROC curve for many weightings of the same rows, ranked once."""

    def __init__(self, y: np.ndarray, prediction: np.ndarray) -> None:
        self._order = np.argsort(prediction[:, 1])
        ranked = prediction[self._order, 1]
        self._positive = (np.asarray(y)[self._order] == 1).astype(np.float64)
        # Where each distinct score begins; None where all differ.
        begins = np.flatnonzero(np.append(True, ranked[1:] != ranked[:-1]))
        self._begins = begins if len(begins) < len(ranked) else None

    def score(self, weights: np.ndarray) -> float:
        ranked = weights[self._order]
        positive = ranked * self._positive
        negative = ranked - positive
        if self._begins is not None:
            positive = np.add.reduceat(positive, self._begins)
            negative = np.add.reduceat(negative, self._begins)
        below = np.cumsum(negative)
        pairs = positive.sum() * below[-1]
        if pairs == 0:
            return float("nan")
        # Not by BLAS, whose threads wait for each other longer than this takes.
        return float(np.einsum("i,i->", positive, below - 0.5 * negative) / pairs)
