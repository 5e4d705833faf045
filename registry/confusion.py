"""Scores of predicted labels from confusion matrices, many matrices at a time."""

from collections.abc import Callable

import numpy as np

#: Matrices at a time: enough for NumPy, few enough for memory with many classes.
_CELLS = 5_000_000

Score = Callable[[np.ndarray, np.ndarray], np.ndarray]


def _accuracy(matrices: np.ndarray, _: np.ndarray) -> np.ndarray:
    return _hits(matrices).sum(axis=1) / matrices.sum(axis=(1, 2))


def _balanced_accuracy(matrices: np.ndarray, _: np.ndarray) -> np.ndarray:
    support = matrices.sum(axis=2)
    recalls = np.where(support > 0, _share(_hits(matrices), support), np.nan)
    return np.asarray(np.nanmean(recalls, axis=1))


def _matthews(matrices: np.ndarray, _: np.ndarray) -> np.ndarray:
    rows = matrices.sum(axis=(1, 2))
    support, predicted = matrices.sum(axis=2), matrices.sum(axis=1)
    covariance = _hits(matrices).sum(axis=1) * rows - (support * predicted).sum(axis=1)
    spread = (rows**2 - (predicted**2).sum(axis=1)) * (rows**2 - (support**2).sum(axis=1))
    return _share(covariance, np.sqrt(spread))


def _f1(matrices: np.ndarray) -> np.ndarray:
    return _share(2 * _hits(matrices), matrices.sum(axis=1) + matrices.sum(axis=2))


def _precision(matrices: np.ndarray) -> np.ndarray:
    return _share(_hits(matrices), matrices.sum(axis=1))


def _recall(matrices: np.ndarray) -> np.ndarray:
    return _share(_hits(matrices), matrices.sum(axis=2))


def _of_class_1(by_class: Callable[[np.ndarray], np.ndarray]) -> Score:
    return lambda matrices, _: by_class(matrices)[:, 1]


def _macro(by_class: Callable[[np.ndarray], np.ndarray]) -> Score:
    """The mean over the classes that occur, as labels or as predictions, in the rows resampled."""
    return lambda matrices, occurs: by_class(matrices)[:, occurs].mean(axis=1)


_SCORES: dict[str, Score] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "matthews_corrcoef": _matthews,
    "f1": _of_class_1(_f1),
    "precision": _of_class_1(_precision),
    "recall": _of_class_1(_recall),
    "f1_macro": _macro(_f1),
    "precision_macro": _macro(_precision),
    "recall_macro": _macro(_recall),
}
#: The metrics that need no more than a confusion matrix.
METRICS = frozenset(_SCORES)


def paired(
    metric: str,
    y: np.ndarray,
    predictions: list[np.ndarray],
    classes: int,
    seed: int,
    resamples: int,
) -> list[np.ndarray]:
    """A metric on bootstrap samples of the rows, the same samples for all predictions.

    How often each combination of label and predictions is drawn is multinomial, so no row is
    drawn by itself: the cost hardly depends on the number of rows.

    Parameters
    ----------
    metric : str
        One of `METRICS`.
    y : ndarray of int, (n,)
    predictions : list of ndarray of int, (n,)
        Predicted codes.
    classes : int
    seed, resamples : int

    Returns
    -------
    list of ndarray, (resamples,)
        One for each of the predictions.
    """
    cells, counts = np.unique(np.stack([y, *predictions]), axis=1, return_counts=True)
    rng = np.random.default_rng(seed)
    at_once = max(1, _CELLS // max(classes**2, len(counts)))
    found: list[list[np.ndarray]] = [[] for _ in predictions]
    for start in range(0, resamples, at_once):
        drawn = rng.multinomial(
            len(y), counts / len(y), size=min(at_once, resamples - start)
        ).astype(np.float64)
        for at in range(len(predictions)):
            place = cells[0] * classes + cells[at + 1]
            matrices = np.zeros((len(drawn), classes**2))
            for cell in np.unique(place):
                matrices[:, cell] = drawn[:, place == cell].sum(axis=1)
            occurs = np.isin(np.arange(classes), cells[[0, at + 1]])
            square = matrices.reshape(-1, classes, classes)
            found[at].append(_SCORES[metric](square, occurs))
    return [np.concatenate(parts) for parts in found]


def once(metric: str, y: np.ndarray, predicted: np.ndarray, classes: int) -> float:
    """A metric on the rows as they are.

    Parameters
    ----------
    metric : str
        One of `METRICS`.
    y, predicted : ndarray of int, (n,)
    classes : int
    """
    cells = np.bincount(y * classes + predicted, minlength=classes**2).astype(np.float64)
    occurs = np.isin(np.arange(classes), np.concatenate([y, predicted]))
    return float(_SCORES[metric](cells.reshape(1, classes, classes), occurs)[0])


def _hits(matrices: np.ndarray) -> np.ndarray:
    return np.asarray(np.diagonal(matrices, axis1=1, axis2=2))


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Part of whole; 0 where there is no whole."""
    return np.divide(part, whole, out=np.zeros(np.shape(part)), where=whole > 0)
