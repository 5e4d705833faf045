"""LightGBM, with its splits on sets of categories."""

import math
from typing import Any

import numpy as np

from serving.convert import NotConvertible
from serving.convert.join import joined
from serving.convert.links import probabilities
from serving.convert.trees import LEQ, MEMBER, Tree, add_trees
from serving.graph import Graph

#: LightGBM takes a number no further from 0 than this for 0.
_ZERO = float(np.float32(1e-35))


def regressor(estimator: Any, graph: Graph, matrix: str) -> str:
    """The sum of the trees, (n, 1)."""
    sums, _ = _sums(estimator, graph, matrix, ("regression",))
    return sums


def classifier(estimator: Any, graph: Graph, matrix: str) -> str:
    """The sigmoid or the softmax of the sums."""
    sums, targets = _sums(estimator, graph, matrix, ("binary sigmoid:1", "multiclass"))
    return probabilities(sums, targets, np.zeros(targets), graph)


def _sums(
    estimator: Any, graph: Graph, matrix: str, objectives: tuple[str, ...]
) -> tuple[str, int]:
    model = estimator.booster_.dump_model()
    if not model["objective"].startswith(objectives) or model["average_output"]:
        raise NotConvertible(f"LightGBM's objective {model['objective']!r} is not compiled")
    targets = int(model["num_tree_per_iteration"])
    trees = [
        _tree(info["tree_structure"], number % targets)
        for number, info in enumerate(model["tree_info"])
    ]
    return add_trees(joined(trees), targets, graph, matrix), targets


def _tree(root: dict[str, Any], target: int) -> Tree:
    nodes = [root]
    children: list[tuple[int, int]] = []
    for node in nodes:  # grows while it is read
        if "left_child" in node:
            children.append((len(nodes), len(nodes) + 1))
            nodes += [node["left_child"], node["right_child"]]
        else:
            children.append((-1, -1))
    sets = {
        at: [float(code) for code in node["threshold"].split("||")]
        for at, node in enumerate(nodes)
        if node.get("decision_type") == "=="
    }
    ends = np.asarray(children, np.int64)
    return Tree(
        feature=np.array([node.get("split_feature", 0) for node in nodes], np.int64),
        threshold=np.array([0.0 if at in sets else _border(node) for at, node in enumerate(nodes)]),
        mode=np.array([MEMBER if at in sets else LEQ for at in range(len(nodes))]),
        missing=np.array([at not in sets and _missing(node) for at, node in enumerate(nodes)]),
        true=ends[:, 0],
        false=ends[:, 1],
        value=np.array([node.get("leaf_value", 0.0) for node in nodes]),
        target=target,
        members=sets,
    )


def _border(node: dict[str, Any]) -> float:
    """A threshold for numbers as they are."""
    threshold: float = node.get("threshold", 0.0)
    if -_ZERO <= threshold < 0:
        return math.nextafter(-_ZERO, -math.inf)
    return max(threshold, _ZERO) if threshold >= 0 else threshold


def _missing(node: dict[str, Any]) -> bool:
    """Whether a missing number goes left: where training saw none, it counts as 0."""
    if "threshold" not in node:
        return False
    if node["missing_type"] == "NaN":
        return bool(node["default_left"])
    if node["missing_type"] == "Zero":
        raise NotConvertible("LightGBM's zero_as_missing is not compiled")
    return bool(node["threshold"] >= 0)
