"""Models that are a weighted sum of the columns."""

from typing import Any

import numpy as np

from serving.graph import Graph


def regressor(estimator: Any, graph: Graph, matrix: str) -> str:
    """The sum and the intercept, (n, 1)."""
    return graph.affine(matrix, np.ravel(estimator.coef_)[:, None], np.ravel(estimator.intercept_))


def decision(estimator: Any, graph: Graph, matrix: str) -> str:
    """A linear classifier's `decision_function`, (n, 1) or (n, k)."""
    return graph.affine(matrix, np.atleast_2d(estimator.coef_).T, np.ravel(estimator.intercept_))


def logistic_regression(estimator: Any, graph: Graph, matrix: str) -> str:
    """The softmax of the decisions, and of two classes the sigmoid."""
    scores = decision(estimator, graph, matrix)
    if len(estimator.classes_) == 2:
        return graph.logistic(scores)
    return graph.op("Softmax", scores, axis=1)
