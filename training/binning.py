"""A large table's columns on few values: a tree sorts them in linear time, and splits as well."""

import numpy as np

#: Values that a column is left with: as many bins as the boosting libraries take by default.
VALUES = 256


def snap(X: np.ndarray) -> None:
    """Move each number to the nearest of its column's quantiles; few distinct values stay.

    Between two neighbouring values a tree puts its threshold half-way, which is where one stops
    being the nearest: each row goes the same way by its own number as by the one it was moved to.

    Parameters
    ----------
    X : ndarray of float, (n, p)
        Is changed. NaN stays NaN.
    """
    for column in range(X.shape[1]):
        values = X[:, column]
        known = ~np.isnan(values)
        numbers = values[known]
        kept = _quantiles(numbers)
        if kept is not None:
            middles = (kept[1:].astype(np.float64) + kept[:-1]) / 2
            values[known] = kept[np.searchsorted(middles, numbers)]


def _quantiles(numbers: np.ndarray) -> np.ndarray | None:
    """`VALUES` quantiles of a column, without repetitions; None where it has no more values."""
    ordered = np.sort(numbers)
    distinct = 1 + np.count_nonzero(ordered[1:] != ordered[:-1])
    if distinct <= VALUES:
        return None
    return np.unique(ordered[np.linspace(0, len(ordered) - 1, VALUES).round().astype(np.int64)])
