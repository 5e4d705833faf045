"""Fewer trees with the same sum, and engines' trees on the borders of their splits."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.convert import convert, join
from serving.convert.join import AT_ONCE, MOST_LEAVES, _flat, _Split, joined
from serving.convert.trees import GT, LEQ, MEMBER, Tree, add_trees
from serving.graph import Graph

BORDERS = (-1.0, 0.0, 0.5, 3.0)
COMPARED = st.builds(
    _Split,
    feature=st.integers(0, 2),
    threshold=st.sampled_from(BORDERS),
    mode=st.sampled_from([LEQ, GT]),
    missing=st.booleans(),
    members=st.just(()),
)
CHOSEN = st.builds(
    _Split,
    feature=st.integers(3, 4),
    threshold=st.just(0.0),
    mode=st.just(MEMBER),
    missing=st.booleans(),
    members=st.sampled_from([(), (0.0,), (1.0, 3.0), (0.0, 2.0)]),
)
#: Leaves whose sums are exact in whatever order.
LEAVES = st.integers(-1_000, 1_000).map(float)
TREES = st.recursive(
    LEAVES, lambda inner: st.tuples(COMPARED | CHOSEN, inner, inner), max_leaves=16
)

Fit = Callable[[np.ndarray, np.ndarray], tuple[Any, np.ndarray]]


def rows_around(borders: Any, width: int, codes: int = 0, seed: int = 0) -> np.ndarray:
    """Rows of numbers on borders and next to them, in either precision, of gaps, and of codes."""
    rng = np.random.default_rng(seed)
    border = np.unique(np.asarray(borders, np.float64))
    border = border[
        np.abs(border) < 3e38
    ]  # of gaps some libraries ask by a border beyond all numbers
    single = border.astype(np.float32)
    # Where the nearest number of single precision changes from one to the other.
    halves = [(single + np.nextafter(single, np.float32(end))) / 2.0 for end in (-np.inf, np.inf)]
    found = [border, *halves, single]
    found += [np.nextafter(each, end) for each in found for end in (-np.inf, np.inf)]
    numbers = np.append(np.concatenate(found, dtype=np.float64), [np.nan] * len(border))
    rows = rng.choice(numbers, (600, width))
    choices = [np.nan, *range(5)]
    return np.column_stack([rows, rng.choice(choices, (600, codes))]) if codes else rows


def run(graph: Graph, output: str, rows: np.ndarray) -> np.ndarray:
    model = graph.model(output, rank=2).SerializeToString()
    return np.asarray(onnxruntime.InferenceSession(model).run(None, {Graph.INPUT: rows})[0])


def sums(trees: list[Tree], rows: np.ndarray, targets: int = 1) -> np.ndarray:
    """What ONNX Runtime makes of trees."""
    graph = Graph(rows.shape[1])
    return run(graph, add_trees(trees, targets, graph, Graph.INPUT), rows)


def random_tree(depth: int, seed: int, features: int = 4, target: int = 0) -> Tree:
    rng = np.random.default_rng(seed)

    def grow(depth: int) -> Any:
        if not depth:
            return float(rng.integers(-1_000, 1_000))
        split = _Split(int(rng.integers(features)), float(rng.normal()), LEQ, False, ())
        return split, grow(depth - 1), grow(depth - 1)

    return _flat(grow(depth), target)


@settings(max_examples=40, deadline=None)
@given(st.lists(TREES, min_size=1, max_size=6))
def test_joined_trees_have_the_same_sum(nodes: list[Any]) -> None:
    trees = [_flat(node, 0) for node in nodes]
    rows = rows_around(BORDERS, 3, codes=2)
    found = joined(trees)
    assert len(found) <= len(trees)
    np.testing.assert_array_equal(sums(found, rows), sums(trees, rows))


def test_what_is_known_is_not_asked_again() -> None:
    trees = [
        _flat((_Split(0, border, mode, mode == GT, ()), float(10**at), 0.0), 0)
        for at, (border, mode) in enumerate([(1.0, LEQ), (1.0, GT), (2.0, LEQ), (3.0, GT)])
    ]
    (tree,) = joined(trees)
    assert sorted(tree.threshold[tree.true >= 0]) == [1.0, 2.0, 3.0]


def test_trees_grow_to_a_size_and_larger_ones_stay() -> None:
    small, large = [random_tree(4, seed) for seed in range(40)], random_tree(8, 0)
    found = joined([*small, large])
    sizes = [int((tree.true < 0).sum()) for tree in found]
    assert len(found) < 25
    assert max(size for tree, size in zip(found, sizes, strict=True) if tree is not large) <= (
        MOST_LEAVES
    )
    assert large in found
    rows = np.random.default_rng(0).normal(size=(300, 4))
    np.testing.assert_array_equal(sums(found, rows), sums([*small, large], rows))


def test_trees_that_share_nothing_are_left_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    trees = [random_tree(6, seed, features=200) for seed in range(80)]
    added, count = join._sum, list[Any]()

    def counted(*args: Any) -> Any:
        count.append(args[0])
        return added(*args)

    monkeypatch.setattr(join, "_sum", counted)
    found = joined(trees)
    assert len(found) == len(trees)
    rows = np.random.default_rng(0).normal(size=(200, 200))
    np.testing.assert_array_equal(sums(found, rows), sums(trees, rows))
    assert 0 < len(count) < 200 * len(trees)  # were all tried, it would be twice as often


def test_targets_stay_apart() -> None:
    trees = [random_tree(3, seed, target=seed % 3) for seed in range(12)]
    rows = np.random.default_rng(0).normal(size=(300, 4))
    found = joined(trees)
    assert {tree.target for tree in found} == {0, 1, 2}
    np.testing.assert_array_equal(sums(found, rows, 3), sums(trees, rows, 3))


def test_of_many_trees_the_near_ones_are_joined() -> None:
    """All to one would take a time that grows with the square of their number."""
    width = AT_ONCE // 100
    trees = [_flat((_Split(width - 1, 0.0, LEQ, False, ()), 1.0, 2.0), 0)] * 201
    found = joined(trees)
    assert len(found) == 3
    rows = np.repeat([[-1.0], [1.0]], width, axis=1)
    np.testing.assert_array_equal(sums(found, rows), sums(trees, rows))


def _catboost(x: np.ndarray, y: np.ndarray) -> tuple[Any, np.ndarray]:
    from catboost import CatBoostClassifier

    model = CatBoostClassifier(
        iterations=60, depth=4, verbose=False, thread_count=1, allow_writing_files=False
    ).fit(x, y)
    return model, np.concatenate(list(model.get_borders().values()))


def _xgboost(x: np.ndarray, y: np.ndarray) -> tuple[Any, np.ndarray]:
    from xgboost import XGBClassifier

    model = XGBClassifier(n_estimators=60, max_depth=4, n_jobs=1).fit(x, y)
    return model, model.get_booster().trees_to_dataframe()["Split"].dropna().to_numpy()


def _lightgbm(x: np.ndarray, y: np.ndarray) -> tuple[Any, np.ndarray]:
    from lightgbm import LGBMClassifier

    model = LGBMClassifier(n_estimators=60, num_leaves=8, n_jobs=1, verbose=-1).fit(x, y)
    borders = model.booster_.trees_to_dataframe()["threshold"].dropna()
    return model, borders.to_numpy(np.float64)


def _histogram(x: np.ndarray, y: np.ndarray) -> tuple[Any, np.ndarray]:
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(max_iter=60, max_leaf_nodes=8).fit(x, y)
    nodes = np.concatenate([tree.nodes for (tree,) in model._predictors])
    return model, nodes["num_threshold"][nodes["is_leaf"] == 0]


def _forest(x: np.ndarray, y: np.ndarray) -> tuple[Any, np.ndarray]:
    from sklearn.ensemble import RandomForestClassifier

    model = RandomForestClassifier(20, max_depth=5, random_state=0).fit(x, y)
    trees = [tree.tree_ for tree in model.estimators_]
    return model, np.concatenate([tree.threshold[tree.feature >= 0] for tree in trees])


@pytest.mark.parametrize("fit", [_catboost, _xgboost, _lightgbm, _histogram, _forest])
@pytest.mark.parametrize("gaps", [0.0, 0.2])
def test_numbers_on_the_borders_of_splits_and_next_to_them(fit: Fit, gaps: float) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 3)) * [1e-3, 1.0, 1e5]
    y = (x[:, 0] * 1e3 + np.sin(3 * x[:, 1]) + x[:, 2] / 1e5 > 0).astype(int)
    x[rng.random(x.shape) < gaps] = np.nan
    model, borders = fit(x, y)
    assert len(borders) > 50
    rows = rows_around(borders, 3)
    graph = Graph(3)
    found = run(graph, convert(model, graph, Graph.INPUT), rows)
    # XGBoost adds in single precision; a row on the other side of a split is away by far more.
    np.testing.assert_allclose(found, model.predict_proba(rows), rtol=2e-6, atol=1e-7)


def test_joined_boosters_are_much_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half the trees and more of each engine are gone: that is what the joining is for."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 3))
    y = (x.sum(axis=1) > 0).astype(int)
    counts: list[tuple[int, int]] = []

    def counted(trees: list[Tree]) -> list[Tree]:
        found = joined(trees)
        counts.append((len(found), len(trees)))
        return found

    for module in ("catboost", "xgboost", "lightgbm", "histogram"):
        monkeypatch.setattr(f"serving.convert.{module}.joined", counted)
    for fit in (_catboost, _xgboost, _lightgbm, _histogram):
        convert(fit(x, y)[0], Graph(3), Graph.INPUT)
    assert len(counts) == 4
    assert all(fewer * 2 <= many for fewer, many in counts), counts
