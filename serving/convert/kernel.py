"""Machines with a Gaussian kernel, exact and by Nystroem features."""

from itertools import combinations
from typing import Any

import numpy as np

from serving.convert import NotConvertible
from serving.graph import Graph


def svr(estimator: Any, graph: Graph, matrix: str) -> str:
    """A weighted sum of the kernel to the support vectors, (n, 1)."""
    similar = _kernel(estimator, estimator.support_vectors_, graph, matrix)
    return graph.affine(similar, estimator.dual_coef_.T, estimator.intercept_)


def nystroem(estimator: Any, graph: Graph, matrix: str) -> str:
    """The kernel to a sample of rows, whitened."""
    similar = _kernel(estimator, estimator.components_, graph, matrix)
    return graph.affine(similar, estimator.normalization_.T, 0.0)


def svc_decision(estimator: Any, graph: Graph, matrix: str) -> str:
    """SVC's `decision_function`: (n, 1) for two classes, else one against the rest (n, k)."""
    similar = _kernel(estimator, estimator.support_vectors_, graph, matrix)
    classes = len(estimator.classes_)
    if classes == 2:
        return graph.affine(similar, estimator.dual_coef_.T, estimator.intercept_)
    if estimator.decision_function_shape != "ovr":
        raise NotConvertible("SVC of decision_function_shape 'ovo' is not compiled")
    pairs = list(combinations(range(classes), 2))
    weights = np.zeros((len(estimator.support_vectors_), len(pairs)))
    ends = np.concatenate([[0], np.cumsum(estimator.n_support_)])
    for pair, (one, other) in enumerate(pairs):
        # libsvm keeps a class's coefficients against the others in order, itself left out.
        ours, theirs = slice(ends[one], ends[one + 1]), slice(ends[other], ends[other + 1])
        weights[ours, pair] = estimator.dual_coef_[other - 1, ours]
        weights[theirs, pair] = estimator.dual_coef_[one, theirs]
    decisions = graph.affine(similar, weights, estimator.intercept_)
    first, second = np.zeros((len(pairs), classes)), np.zeros((len(pairs), classes))
    for pair, (one, other) in enumerate(pairs):
        first[pair, one] = second[pair, other] = 1.0
    lost = graph.cast(graph.op("Less", decisions, graph.constant(0.0)), np.float64)
    votes = graph.affine(lost, second - first, first.sum(axis=0))
    trust = graph.op("MatMul", decisions, graph.constant(first - second))
    size = graph.op("Add", graph.op("Abs", trust), graph.constant(1.0))
    return graph.op(
        "Add", votes, graph.op("Div", trust, graph.op("Mul", size, graph.constant(3.0)))
    )


def _kernel(estimator: Any, vectors: Any, graph: Graph, matrix: str) -> str:
    """`exp(-gamma * |x - v|²)` for each row x and vector v."""
    if estimator.kernel != "rbf":
        raise NotConvertible(f"the kernel {estimator.kernel!r} is not compiled")
    gamma = float(getattr(estimator, "_gamma", estimator.gamma))
    vectors = np.asarray(vectors.toarray() if hasattr(vectors, "toarray") else vectors, np.float64)
    own = graph.op("ReduceSumSquare", matrix, graph.constant([1], np.int64), keepdims=1)
    weights = graph.constant(2.0 * gamma * vectors.T)
    cross = graph.op("Gemm", matrix, weights, graph.constant(-gamma * (vectors**2).sum(axis=1)))
    distance = graph.op("Sub", cross, graph.op("Mul", own, graph.constant(gamma)))
    return graph.op("Exp", graph.op("Min", distance, graph.constant(0.0)))
