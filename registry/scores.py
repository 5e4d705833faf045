"""How much better one version scores than another on the same rows, and how sure that is."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from registry import confusion
from training.evaluate import METRICS, RankedAuc, interval, score

#: A metric as a function of how often each row was drawn.
_Scorer = Callable[[np.ndarray], float]


@dataclass(frozen=True)
class Difference:
    """A candidate against Production on the same rows.

    Attributes
    ----------
    candidate, production : float
        Their scores.
    gain : float
        How much better the candidate is: positive is better, whatever the metric.
    low, high : float
        Ends of the 95 % interval of the gain (paired bootstrap, percentiles).
    error : float
        The gain's standard error, by the same bootstrap.
    probability : float
        Share of the resamples in which the candidate is better; a tie counts half.
    """

    candidate: float
    production: float
    gain: float
    low: float
    high: float
    error: float
    probability: float


def gain(metric: str, candidate: float, production: float) -> float:
    """How much better the candidate's score is than Production's."""
    difference = candidate - production
    return difference if METRICS[metric].greater_is_better else -difference


def allowed(metric: str, margin: float, production: float) -> float:
    """The loss that a margin allows, in units of the metric.

    Scores where more is better have 1 at the top, and the margin is in their units; a loss has
    units of its own, or is near 0 where a model is good, and the margin is a share of it.
    """
    return margin if METRICS[metric].greater_is_better else margin * abs(production)


def difference(
    metric: str,
    y: np.ndarray,
    candidate: np.ndarray,
    production: np.ndarray,
    seed: int,
    resamples: int,
) -> Difference:
    """Compare predictions on the same rows by a paired bootstrap.

    Parameters
    ----------
    metric : str
    y : ndarray, (n,)
        Values, or class codes.
    candidate, production : ndarray, (n,) or (n, k)
    seed, resamples : int
    """
    own, other = score(metric, y, candidate), score(metric, y, production)
    samples = paired(metric, y, [candidate, production], seed, resamples)
    sign = 1.0 if METRICS[metric].greater_is_better else -1.0
    gains = sign * (samples[0] - samples[1])
    gains = gains[np.isfinite(gains)]
    low, high = interval(gains)
    return Difference(
        candidate=own,
        production=other,
        gain=gain(metric, own, other),
        low=low,
        high=high,
        error=float(gains.std(ddof=1)) if len(gains) > 1 else float("nan"),
        probability=float(((gains > 0) + 0.5 * (gains == 0)).mean()) if len(gains) else 0.5,
    )


def paired(
    metric: str, y: np.ndarray, predictions: list[np.ndarray], seed: int, resamples: int
) -> list[np.ndarray]:
    """A metric on bootstrap samples of the rows (Efron, 1979), the same for all predictions.

    Returns
    -------
    list of ndarray, (resamples,)
        One for each of the predictions; NaN where a sample leaves the metric undefined.
    """
    y = np.asarray(y)
    if metric in confusion.METRICS:
        labels = [prediction.argmax(axis=1) for prediction in predictions]
        classes = max(prediction.shape[1] for prediction in predictions)
        return confusion.paired(metric, y, labels, classes, seed, resamples)
    scorers = [scorer(metric, y, prediction) for prediction in predictions]
    rng = np.random.default_rng(seed)
    n = len(y)
    found = np.empty((len(scorers), resamples))
    for at in range(resamples):
        drawn = np.bincount(rng.integers(0, n, n), minlength=n).astype(np.float64)
        for place, item in enumerate(scorers):
            found[place, at] = item(drawn)
    return list(found)


def point(metric: str, y: np.ndarray, prediction: np.ndarray) -> float:
    """A metric on the rows as they are; NaN where they leave it undefined.

    As `training.evaluate.score`, without scikit-learn, whose import takes longer than a comparison.
    """
    if metric in confusion.METRICS:
        return confusion.once(metric, y, prediction.argmax(axis=1), prediction.shape[1])
    return scorer(metric, y, prediction)(np.ones(len(y)))


def scorer(metric: str, y: np.ndarray, prediction: np.ndarray) -> _Scorer:
    """A metric as a function of the rows' weights; all that they do not change is done once."""
    if metric == "roc_auc":
        return RankedAuc(y, prediction).score
    if metric == "roc_auc_ovr":
        return _one_against_the_rest(y, prediction)
    if metric == "average_precision":
        return _average_precision(y, prediction)
    if metric == "median_absolute_error":
        return _median(np.abs(y - prediction))
    if metric == "r2":
        return _r2(y, prediction)
    if metric == "rmse":
        mean = _mean((y - prediction) ** 2)
        return lambda weights: float(np.sqrt(mean(weights)))
    return _mean(_ROWS[metric](y, prediction))


def _log_losses(y: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    chosen = prediction[np.arange(len(y)), y] / prediction.sum(axis=1)
    return np.asarray(-np.log(np.clip(chosen, 1e-15, 1.0)))


#: Metrics that are the mean over rows of something.
_ROWS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "mse": lambda y, prediction: (y - prediction) ** 2,
    "mae": lambda y, prediction: np.abs(y - prediction),
    "brier_score": lambda y, prediction: (prediction[:, 1] - y) ** 2,
    "log_loss": _log_losses,
}


def _mean(values: np.ndarray) -> _Scorer:
    # Not by BLAS, whose threads wait for each other longer than this takes.
    return lambda weights: float(np.einsum("i,i->", weights, values) / weights.sum())


def _r2(y: np.ndarray, prediction: np.ndarray) -> _Scorer:
    centred = y - y.mean()  # or squares of large targets would leave no digits
    error, first, second = _mean((y - prediction) ** 2), _mean(centred), _mean(centred**2)

    def score(weights: np.ndarray) -> float:
        spread = second(weights) - first(weights) ** 2
        return 1 - error(weights) / spread if spread > 0 else float("nan")

    return score


def _median(errors: np.ndarray) -> _Scorer:
    order = np.argsort(errors, kind="stable")
    ranked = errors[order]

    def score(weights: np.ndarray) -> float:
        ends = np.cumsum(weights[order])
        low = np.searchsorted(ends, ends[-1] / 2, side="left")
        high = np.searchsorted(ends, ends[-1] / 2, side="right")
        return float((ranked[low] + ranked[min(high, len(ranked) - 1)]) / 2)

    return score


def _one_against_the_rest(y: np.ndarray, prediction: np.ndarray) -> _Scorer:
    ranked = [
        RankedAuc((y == code).astype(int), np.column_stack([1 - column, column]))
        for code, column in enumerate(prediction.T)
    ]

    def score(weights: np.ndarray) -> float:
        areas = np.array([item.score(weights) for item in ranked])
        return float(np.nanmean(areas)) if np.isfinite(areas).any() else float("nan")

    return score


def _average_precision(y: np.ndarray, prediction: np.ndarray) -> _Scorer:
    _, place = np.unique(-prediction[:, 1], return_inverse=True)  # the highest first
    positive, places = y == 1, int(place.max()) + 1

    def score(weights: np.ndarray) -> float:
        hits = np.bincount(place, np.where(positive, weights, 0.0), minlength=places)
        rows = np.cumsum(np.bincount(place, weights, minlength=places))
        found = np.cumsum(hits)
        if found[-1] == 0:
            return float("nan")
        precision = np.divide(found, rows, out=np.zeros(places), where=rows > 0)
        return float(np.einsum("i,i->", hits, precision) / found[-1])

    return score
