"""A large table's columns, moved to few values, make trees that send rows the same way."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.training.problems import problem_of
from training.algorithms import find
from training.binning import VALUES, snap
from training.fit import fit

FLOATS = st.floats(width=32, allow_nan=True, allow_infinity=False)


def snapped(X: np.ndarray) -> np.ndarray:
    made = X.copy()
    snap(made)
    return made


@given(arrays(np.float32, st.tuples(st.integers(0, 40), st.integers(1, 3)), elements=FLOATS))
def test_few_values_stay(X: np.ndarray) -> None:
    assert np.array_equal(snapped(X), X, equal_nan=True)


@given(st.integers(0, 2**32 - 1), st.floats(0, 0.9), st.booleans())
def test_many_values_become_few_in_the_same_order(seed: int, share: float, heavy: bool) -> None:
    rng = np.random.default_rng(seed)
    column = np.exp(3 * rng.normal(size=1_000)).astype(np.float32)
    column[rng.random(1_000) < share / 2] = np.nan
    if heavy:
        column[rng.random(1_000) < share / 2] = 7.0
    made = snapped(column[:, None])[:, 0]
    known = ~np.isnan(column)
    assert (np.isnan(made) == np.isnan(column)).all()
    assert len(np.unique(made[known])) <= VALUES
    assert set(made[known]) <= set(column[known])
    assert (np.diff(made[known][np.argsort(column[known])]) >= 0).all()
    if (column == 7.0).sum() > 2 * len(column) / VALUES:  # what is frequent is nobody else's
        assert (made[column == 7.0] == 7.0).all()


@pytest.mark.parametrize("task", ["regression", "binary"])
def test_a_tree_sends_each_row_as_its_snapped_one(task: str) -> None:
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    rng = np.random.default_rng(0)
    X = rng.normal(size=(5_000, 6)).astype(np.float32)
    X[rng.random(X.shape) < 0.05] = np.nan
    y = np.nan_to_num(X[:, 0] * X[:, 1]) + rng.normal(size=5_000)
    made = snapped(X)
    tree = DecisionTreeRegressor(max_depth=9, random_state=0)
    if task == "binary":
        tree, y = DecisionTreeClassifier(max_depth=9, random_state=0), y > 0
    tree.fit(made, y)
    assert (tree.apply(X) == tree.apply(made)).all()


@pytest.mark.parametrize("candidate", ["decision_tree", "random_forest"])
def test_a_large_tables_trees_split_between_few_values(
    candidate: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.fit.CHUNK", 500)
    problem = problem_of("numeric", "binary", 2_000)
    algorithm = find(candidate)
    fitted = fit(algorithm, problem, algorithm.defaults(problem)[0] | {"min_samples_leaf": 1})
    model = fitted.pipeline[-1]
    tree = getattr(model, "estimators_", [model])[0].tree_
    for feature in range(problem.X.shape[1]):
        at = tree.threshold[tree.feature == feature]
        values = np.unique(snapped(problem.X.astype(np.float32))[:, feature])
        assert len(values) <= VALUES
        halves = (values[:, None].astype(np.float64) + values[None, :]) / 2
        assert np.isin(at, np.append(halves, -np.inf)).all()
