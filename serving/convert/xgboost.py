"""XGBoost: rows and thresholds in single precision."""

import json
from typing import Any

import numpy as np

from serving.convert import NotConvertible
from serving.convert.join import joined
from serving.convert.links import probabilities
from serving.convert.trees import LEQ, Tree, add_trees, for_doubles
from serving.graph import Graph


def regressor(estimator: Any, graph: Graph, matrix: str) -> str:
    """The sum of the trees, (n, 1)."""
    sums, start, _ = _sums(estimator, graph, matrix)
    return graph.op("Add", sums, graph.constant(start))


def classifier(estimator: Any, graph: Graph, matrix: str) -> str:
    """The sigmoid or the softmax of the sums."""
    sums, start, targets = _sums(estimator, graph, matrix)
    if targets == 1:
        start = np.log(start / (1 - start))  # it is kept as a probability
    return probabilities(sums, targets, start, graph)


def _sums(estimator: Any, graph: Graph, matrix: str) -> tuple[str, np.ndarray, int]:
    learner = json.loads(estimator.get_booster().save_raw("json"))["learner"]
    booster = learner["gradient_booster"]
    if booster["name"] != "gbtree":
        raise NotConvertible(f"XGBoost's booster {booster['name']!r} is not compiled")
    parameters = learner["learner_model_param"]
    targets = max(1, int(parameters["num_class"]))
    start = np.asarray(json.loads(parameters["base_score"]), np.float32).astype(np.float64).ravel()
    model = booster["model"]
    trees = [
        _tree(tree, target) for tree, target in zip(model["trees"], model["tree_info"], strict=True)
    ]
    return add_trees(joined(trees), targets, graph, matrix), start, targets


def _tree(tree: dict[str, Any], target: int) -> Tree:
    if any(tree["split_type"]):
        raise NotConvertible("XGBoost's splits on categories are not compiled")
    left = np.asarray(tree["left_children"], np.int64)
    condition = np.asarray(tree["split_conditions"], np.float32).astype(np.float64)
    return Tree(
        feature=np.asarray(tree["split_indices"], np.int64),
        threshold=for_doubles(condition, strict=True),
        mode=np.full(len(left), LEQ),
        missing=np.asarray(tree["default_left"], bool),
        true=left,
        false=np.asarray(tree["right_children"], np.int64),
        value=condition,  # of a leaf, this is its value
        target=target,
    )
