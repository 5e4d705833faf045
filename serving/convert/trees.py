"""Trees of any library, in one form, as one operator of a graph."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from serving.graph import ML, Graph

#: How a node compares: ONNX's numbers for `x <= threshold`, `x < threshold` and so on.
LEQ, GT, MEMBER = 0, 3, 6


@dataclass(frozen=True)
class Tree:
    """One tree; node 0 is the root, arrays have an entry a node, leaves included.

    Attributes
    ----------
    feature : ndarray of int
    threshold : ndarray of float64
    mode : ndarray of int
        `LEQ`, `GT` or `MEMBER`; of a leaf anything.
    missing : ndarray of bool
        Whether NaN goes to the child `true`.
    true, false : ndarray of int
        The children where the comparison holds and where not; -1 in a leaf.
    value : ndarray of float64, (nodes,) or (nodes, k)
        What a leaf adds: to one target, or to each.
    target : int
        Where `value` has one column: the target that it is of.
    members : mapping of node to sequence of float
        What a node of mode `MEMBER` compares with.
    """

    feature: np.ndarray
    threshold: np.ndarray
    mode: np.ndarray
    missing: np.ndarray
    true: np.ndarray
    false: np.ndarray
    value: np.ndarray
    target: int = 0
    members: Mapping[int, Sequence[float]] = field(default_factory=dict)


def add_trees(trees: list[Tree], targets: int, graph: Graph, matrix: str) -> str:
    """The sum of all trees' leaves, (n, targets).

    Parameters
    ----------
    trees : list of Tree
    targets : int
    graph : Graph
    matrix : str
    """
    if trees[0].value.ndim == 1:
        return _ensemble(trees, targets, graph, matrix)
    # The operator's leaves add to one target: let each tree find its leaf, and look up the rest.
    table = np.concatenate([tree.value for tree in trees])
    begins = np.cumsum([0, *(len(tree.value) for tree in trees[:-1])])
    numbered = [
        replace(tree, value=np.arange(len(tree.value)) + float(begin), target=number)
        for number, (tree, begin) in enumerate(zip(trees, begins.tolist(), strict=True))
    ]
    leaves = graph.cast(_ensemble(numbered, len(trees), graph, matrix), np.int64)
    values = graph.op("Gather", graph.constant(table), leaves, axis=0)
    return graph.op("ReduceSum", values, graph.constant([1], np.int64), keepdims=0)


@np.errstate(over="ignore")  # a neighbour of the largest number is infinite, which is right
def for_doubles(thresholds: np.ndarray, strict: bool = False) -> np.ndarray:
    """Thresholds for numbers as they are, of a library that rounds these to single precision.

    Parameters
    ----------
    thresholds : ndarray
    strict : bool, default False
        They are compared by `<` and not by `<=`.

    Returns
    -------
    ndarray of float64
        `x <= found` wherever `float32(x) <= threshold`, or `float32(x) < threshold`.
    """
    given = np.asarray(thresholds, np.float64)
    least = given.astype(np.float32)
    above = least >= given if strict else least > given
    least = np.where(above, np.nextafter(least, np.float32(-np.inf)), least)
    following = np.nextafter(least, np.float32(np.inf)).astype(np.float64)
    middle = (least + following) / 2  # which rounds to the one of the two that is even
    is_even = least.view(np.uint32) % 2 == 0
    return np.where(is_even, middle, np.nextafter(middle, -np.inf))


def _ensemble(trees: list[Tree], targets: int, graph: Graph, matrix: str) -> str:
    from onnx import numpy_helper

    def tensor(name: str, values: Any, dtype: Any) -> Any:
        return numpy_helper.from_array(np.asarray(values, dtype), name)

    nodes = _Columns(
        "feature", "mode", "split", "missing", "true", "true_leaf", "false", "false_leaf"
    )
    leaf_target: list[np.ndarray] = []
    leaf_value: list[np.ndarray] = []
    members: list[float] = []
    roots: list[int] = []
    begun = leaves = 0
    for tree in map(_with_a_split, trees):
        leaf = tree.true < 0
        # A node's number among the nodes that split, or among the leaves.
        place = np.where(leaf, np.cumsum(leaf) - 1 + leaves, np.cumsum(~leaf) - 1 + begun)
        inner = np.flatnonzero(~leaf)
        roots.append(begun)
        nodes.add(
            feature=tree.feature[inner],
            mode=tree.mode[inner],
            split=np.where(tree.mode[inner] == MEMBER, 0.0, tree.threshold[inner]),
            missing=tree.missing[inner],
            true=place[tree.true[inner]],
            true_leaf=leaf[tree.true[inner]],
            false=place[tree.false[inner]],
            false_leaf=leaf[tree.false[inner]],
        )
        for node in inner[tree.mode[inner] == MEMBER].tolist():
            # A set of none, which only missing values match, is not allowed: no code is -1.
            members += [*(tree.members[node] or [-1.0]), np.nan]
        leaf_value.append(tree.value[leaf])
        leaf_target.append(np.full(int(leaf.sum()), tree.target))
        begun += len(inner)
        leaves += int(leaf.sum())
    found = nodes.joined()
    attributes: dict[str, Any] = {
        "nodes_featureids": found["feature"].tolist(),
        "nodes_modes": tensor("modes", found["mode"], np.uint8),
        "nodes_splits": tensor("splits", found["split"], np.float64),
        "nodes_missing_value_tracks_true": found["missing"].astype(int).tolist(),
        "nodes_truenodeids": found["true"].tolist(),
        "nodes_trueleafs": found["true_leaf"].astype(int).tolist(),
        "nodes_falsenodeids": found["false"].tolist(),
        "nodes_falseleafs": found["false_leaf"].astype(int).tolist(),
        "leaf_targetids": np.concatenate(leaf_target).tolist(),
        "leaf_weights": tensor("weights", np.concatenate(leaf_value), np.float64),
        "tree_roots": roots,
        "n_targets": targets,
        "aggregate_function": 1,  # the sum
        "post_transform": 0,  # none
    }
    if members:
        attributes["membership_values"] = tensor("members", members, np.float64)
    return graph.op("TreeEnsemble", matrix, domain=ML, **attributes)


def _with_a_split(tree: Tree) -> Tree:
    """A tree that is one leaf, as a split between two leaves that are alike."""
    if tree.true[0] >= 0:
        return tree
    return Tree(
        feature=np.zeros(3, np.int64),
        threshold=np.zeros(3),
        mode=np.full(3, LEQ),
        missing=np.zeros(3, bool),
        true=np.array([1, -1, -1]),
        false=np.array([2, -1, -1]),
        value=np.repeat(tree.value[:1], 3, axis=0),
        target=tree.target,
    )


class _Columns:
    """Columns that grow by pieces."""

    def __init__(self, *names: str) -> None:
        self._pieces: dict[str, list[np.ndarray]] = {name: [] for name in names}

    def add(self, **pieces: np.ndarray) -> None:
        for name, piece in pieces.items():
            self._pieces[name].append(piece)

    def joined(self) -> dict[str, np.ndarray]:
        return {name: np.concatenate(pieces) for name, pieces in self._pieces.items()}
