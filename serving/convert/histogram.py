"""scikit-learn's histogram gradient boosting."""

from typing import Any

import numpy as np

from serving.convert import convert
from serving.convert.join import joined
from serving.convert.links import probabilities
from serving.convert.trees import LEQ, MEMBER, Tree, add_trees
from serving.graph import Graph


def regressor(estimator: Any, graph: Graph, matrix: str) -> str:
    """The sum of the trees, (n, 1)."""
    sums = _sums(estimator, graph, matrix)
    return graph.op("Add", sums, graph.constant(np.ravel(estimator._baseline_prediction)))


def classifier(estimator: Any, graph: Graph, matrix: str) -> str:
    """The sigmoid or the softmax of the sums."""
    sums = _sums(estimator, graph, matrix)
    targets = estimator.n_trees_per_iteration_
    return probabilities(sums, targets, estimator._baseline_prediction, graph)


def _sums(estimator: Any, graph: Graph, matrix: str) -> str:
    if estimator._preprocessor is not None:  # puts categories first
        matrix = convert(estimator._preprocessor, graph, matrix)
    trees = [
        _tree(predictor, target)
        for predictors in estimator._predictors
        for target, predictor in enumerate(predictors)
    ]
    return add_trees(joined(trees), estimator.n_trees_per_iteration_, graph, matrix)


def _tree(predictor: Any, target: int) -> Tree:
    nodes = predictor.nodes
    leaf = nodes["is_leaf"].astype(bool)
    members = {
        int(node): _members(predictor.raw_left_cat_bitsets[nodes["bitset_idx"][node]])
        for node in np.flatnonzero(nodes["is_categorical"].astype(bool) & ~leaf)
    }
    return Tree(
        feature=nodes["feature_idx"].astype(np.int64),
        threshold=nodes["num_threshold"].astype(np.float64),
        mode=np.where(nodes["is_categorical"].astype(bool), MEMBER, LEQ),
        missing=nodes["missing_go_to_left"].astype(bool),
        true=np.where(leaf, -1, nodes["left"].astype(np.int64)),
        false=np.where(leaf, -1, nodes["right"].astype(np.int64)),
        value=nodes["value"].astype(np.float64),
        target=target,
        members=members,
    )


def _members(bitset: np.ndarray) -> list[float]:
    """The categories that go left: bits of eight numbers of 32."""
    bits = np.unpackbits(bitset.astype("<u4").view(np.uint8), bitorder="little")
    return np.flatnonzero(bits).astype(float).tolist()
