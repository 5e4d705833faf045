"""What predicting without looking at the rows scores: the least a candidate must beat."""

from typing import Any

import numpy as np

from training.evaluate import bootstrap, interval, score
from training.problem import Problem


def baseline(problem: Problem) -> dict[str, Any]:
    """Scores of the class frequencies, or of the mean, of the rows fitted on.

    Returns
    -------
    dict
        `cv_mean`, `test`, `test_low`, `test_high` of the selection metric.
    """
    y, y_test = np.asarray(problem.y), np.asarray(problem.y_test)
    folds = [
        score(problem.metric, y[valid], _constant(problem, y[fit], len(valid)))
        for fit, valid in problem.folds
    ]
    prediction = _constant(problem, y, len(y_test))
    low, high = interval(bootstrap(problem.metric, y_test, prediction, problem.seed, 200))
    defined = [value for value in folds if np.isfinite(value)]
    return {
        "cv_mean": float(np.mean(defined)) if defined else None,
        "test": score(problem.metric, y_test, prediction),
        "test_low": low,
        "test_high": high,
    }


def _constant(problem: Problem, y: np.ndarray, rows: int) -> np.ndarray:
    if not problem.classification:
        return np.full(rows, y.mean())
    shares = np.bincount(y, minlength=problem.classes) / len(y)
    return np.tile(shares, (rows, 1))
