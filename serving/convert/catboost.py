"""CatBoost: trees whose nodes of one level all ask the same."""

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from serving.convert import NotConvertible
from serving.convert.links import probabilities
from serving.convert.trees import GT, Tree, add_trees
from serving.graph import Graph


def regressor(estimator: Any, graph: Graph, matrix: str) -> str:
    """The sum of the trees, (n, 1)."""
    sums, start, _ = _sums(estimator, graph, matrix)
    return graph.op("Add", sums, graph.constant(start))


def classifier(estimator: Any, graph: Graph, matrix: str) -> str:
    """The sigmoid or the softmax of the sums."""
    sums, start, targets = _sums(estimator, graph, matrix)
    return probabilities(sums, targets, start, graph)


def _sums(estimator: Any, graph: Graph, matrix: str) -> tuple[str, np.ndarray, int]:
    with tempfile.TemporaryDirectory(prefix="sixfold-catboost-") as folder:
        file = Path(folder) / "model.json"
        estimator.save_model(str(file), format="json")
        model = json.loads(file.read_text())
    if "oblivious_trees" not in model or model["features_info"].get("categorical_features"):
        raise NotConvertible("CatBoost's trees of this kind are not compiled")
    missing = {
        feature["feature_index"]: feature["nan_value_treatment"] == "AsTrue"
        for feature in model["features_info"]["float_features"]
    }
    flat = {
        feature["feature_index"]: feature["flat_feature_index"]
        for feature in model["features_info"]["float_features"]
    }
    scale, start = model["scale_and_bias"]
    start = np.ravel(start)
    targets = len(start)
    trees = [_tree(tree, scale, targets, missing, flat) for tree in model["oblivious_trees"]]
    single = graph.cast(graph.cast(matrix, np.float32), np.float64)
    return add_trees(trees, targets, graph, single), start, targets


def _tree(
    tree: dict[str, Any], scale: float, targets: int, missing: dict[int, bool], flat: dict[int, int]
) -> Tree:
    """A level a split; in a leaf's number bit i is whether the split i holds."""
    splits = tree["splits"] or []
    depth = len(splits)
    inner = 2**depth - 1
    level = np.floor(np.log2(np.arange(1, 2 * inner + 2))).astype(np.int64)
    # The leaves' level asks nothing.
    asked = [*splits, {"float_feature_index": 0, "border": 0.0}]
    if any("float_feature_index" not in split for split in asked):
        raise NotConvertible("CatBoost's splits on categories are not compiled")
    index = np.array([split["float_feature_index"] for split in asked])[level]
    border = np.array([split["border"] for split in asked], np.float32).astype(np.float64)[level]
    node = np.arange(2 * inner + 1)
    leaves = np.asarray(tree["leaf_values"], np.float64).reshape(2**depth, targets) * scale
    value = np.zeros((2 * inner + 1, targets))
    value[inner:] = leaves[_bits(depth)]
    leaf = node >= inner
    return Tree(
        feature=np.array([flat.get(int(each), 0) for each in index], np.int64),
        threshold=border,
        mode=np.full(len(node), GT),
        missing=np.array([missing.get(int(each), False) for each in index], bool),
        true=np.where(leaf, -1, 2 * node + 2),
        false=np.where(leaf, -1, 2 * node + 1),
        value=value[:, 0] if targets == 1 else value,
    )


def _bits(depth: int) -> np.ndarray:
    """For each place in the last level from the left, the leaf's number: its bits reversed."""
    places = np.arange(2**depth)
    found = np.zeros_like(places)
    for bit in range(depth):
        found |= ((places >> (depth - 1 - bit)) & 1) << bit
    return found
