"""How well scores rank the rows of one class above all others: what ROC and precision-recall share.

A million rows are sorted once, and only a few hundred points of the curve are kept.
"""

from dataclasses import dataclass

import numpy as np

_POINTS = 300
_ONE = np.float64(1).view(np.uint64)


@dataclass(frozen=True)
class Ranking:
    """Counts at distinct scores, from the highest down, and the figures that sum them up.

    Attributes
    ----------
    tp, fp : ndarray of int64, shape (m,)
        Rows of the class, and other rows, with this score or a higher one; both begin with 0. Of a
        long curve, points at even distances.
    auc : float
        Area under the ROC curve, of all points.
    average_precision : float
        Mean precision over the rows of the class, of all points, not interpolated.
    """

    tp: np.ndarray
    fp: np.ndarray
    auc: float
    average_precision: float

    @property
    def prevalence(self) -> float:
        return float(self.tp[-1] / (self.tp[-1] + self.fp[-1]))

    @property
    def recall(self) -> np.ndarray:
        """Recall, the true positive rate, at each score."""
        return self.tp / self.tp[-1]

    @property
    def false_alarms(self) -> np.ndarray:
        """The false positive rate at each score."""
        return self.fp / self.fp[-1]

    @property
    def precision(self) -> np.ndarray:
        """Precision at each score; 1 before the first."""
        return np.append(1.0, self.tp[1:] / (self.tp[1:] + self.fp[1:]))


def rank(score: np.ndarray, positive: np.ndarray) -> Ranking | None:
    """Rank rows by score.

    Parameters
    ----------
    score : ndarray, shape (n,), n >= 1
        Probabilities; what lies outside 0…1 is cut off.
    positive : ndarray of bool, shape (n,)

    Returns
    -------
    Ranking or None
        None where the rows are all positive, or none is.
    """
    positives = int(np.count_nonzero(positive))
    negatives = len(positive) - positives
    if not positives or not negatives:
        return None
    # The bits of doubles from 0 to 1 sort like the doubles and leave the top bits free, so that the
    # label rides in the lowest one through a plain sort: a tenth of the time of argsort. Taken from
    # the bits of 1, the highest score comes first. Adding 0 turns -0.0 into 0.0.
    keys = _ONE - (np.clip(score.astype(np.float64), 0, 1) + 0.0).view(np.uint64)
    keys <<= np.uint64(1)
    keys |= positive
    keys.sort()
    hits = np.cumsum(keys.view(np.int64) & 1)
    keys >>= np.uint64(1)
    last = np.append(np.flatnonzero(keys[1:] != keys[:-1]), len(keys) - 1)
    hits = hits[last]
    tp, fp = np.append(0, hits), np.append(0, last + 1 - hits)
    auc = np.dot(np.diff(fp).astype(np.float64), tp[1:] + tp[:-1]) / (2 * positives * negatives)
    precision = np.dot(np.diff(tp), hits / (last + 1.0)) / positives
    kept = _evenly(tp / positives, fp / negatives)
    return Ranking(tp[kept], fp[kept], float(auc), float(precision))


def _evenly(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Positions of points at even distances along a rising curve, both ends included."""
    if len(x) <= _POINTS:
        return np.arange(len(x))
    kept = np.searchsorted(x + y, np.linspace(0, 2, _POINTS))
    return np.unique(np.append(np.minimum(kept, len(x) - 1), [0, len(x) - 1]))
