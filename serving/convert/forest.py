"""scikit-learn's trees and forests: they compare in single precision with double thresholds."""

from typing import Any

import numpy as np

from serving.convert.trees import LEQ, Tree, add_trees, for_doubles
from serving.graph import Graph


def regressor(estimator: Any, graph: Graph, matrix: str) -> str:
    """The mean of the trees' leaves, (n, 1)."""
    members = _members(estimator)
    trees = [_tree(each, each.value[:, 0, 0] / len(members)) for each in members]
    return add_trees(trees, 1, graph, matrix)


def classifier(estimator: Any, graph: Graph, matrix: str) -> str:
    """The mean of the trees' class frequencies."""
    members = _members(estimator)
    classes = len(estimator.classes_)
    shares = [each.value[:, 0, :] / each.value[:, 0, :].sum(axis=1)[:, None] for each in members]
    if classes == 1:
        return graph.repeated(np.ones(1), matrix)
    if classes == 2:
        trees = [
            _tree(each, share[:, 1] / len(members))
            for each, share in zip(members, shares, strict=True)
        ]
        return graph.binary(add_trees(trees, 1, graph, matrix))
    trees = [_tree(each, share / len(members)) for each, share in zip(members, shares, strict=True)]
    return add_trees(trees, classes, graph, matrix)


def _members(estimator: Any) -> list[Any]:
    return [member.tree_ for member in getattr(estimator, "estimators_", [estimator])]


def _tree(tree: Any, value: np.ndarray) -> Tree:
    return Tree(
        feature=tree.feature.astype(np.int64),
        threshold=for_doubles(tree.threshold),
        mode=np.full(tree.node_count, LEQ),
        missing=tree.missing_go_to_left.astype(bool),
        true=tree.children_left.astype(np.int64),
        false=tree.children_right.astype(np.int64),
        value=value,
    )
