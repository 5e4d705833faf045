"""Every algorithm: its search space, its fits, and its pipeline saved and loaded without pickle."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io

from tests.training.problems import KINDS, TASKS, problem_of, quick
from training.algorithms import TABLE, find, select
from training.errors import UserError
from training.fit import Fitted, fit, predict
from training.problem import Problem, take
from training.scoring import load_pipeline

CASES = [
    (candidate, task)
    for candidate in TABLE
    for task in TASKS
    if task not in find(candidate).not_applicable
]


@cache
def problem(kind: str, task: str, rows: int = 120) -> Problem:
    return problem_of(kind, task, rows)


def without(problem: Problem, column: int) -> Problem:
    """The problem with a feature that has no value in any training row."""
    X = problem.X.copy()
    if hasattr(X, "iloc"):
        X.isetitem(column, np.nan)
    else:
        X[:, column] = np.nan
    return replace(problem, X=X)


def merged(problem: Problem) -> Problem:
    """The problem with one class of three missing from the training rows."""
    return replace(problem, y=np.where(problem.y == 2, 1, problem.y))


def saved(candidate: str, fitted: Fitted, path: Path) -> tuple[set[str], Fitted]:
    """The types in the saved pipeline that skops asks about, and the pipeline read back."""
    file = path / "pipeline.skops"
    skops.io.dump(fitted.pipeline, file)
    untrusted = set(skops.io.get_untrusted_types(file=file))
    return untrusted, replace(fitted, pipeline=load_pipeline(file, candidate))


def check(candidate: str, problem: Problem, path: Path) -> set[str]:
    """Fit, predict, save, load, predict the same. Returns the types that must be trusted."""
    fitted = fit(find(candidate), problem, quick(find(candidate), problem))
    prediction = predict(fitted, problem.X_test, problem.classes)
    rows = len(problem.y_test)
    assert np.isfinite(prediction).all()
    if problem.classification:
        assert prediction.shape == (rows, problem.classes)
        assert prediction.min() >= 0
        np.testing.assert_allclose(prediction.sum(axis=1), 1, atol=1e-6)
    else:
        assert prediction.shape == (rows,)
    types, loaded = saved(candidate, fitted, path)
    assert (predict(loaded, problem.X_test, problem.classes) == prediction).all()
    return types


@pytest.mark.parametrize(("candidate", "task"), CASES)
def test_defaults_lie_in_the_space(candidate: str, task: str) -> None:
    for rows in (20, 120, 1_000):
        small = problem("numeric", task, rows)
        space, defaults = find(candidate).space(small), find(candidate).defaults(small)
        assert defaults
        for params in defaults:
            assert params.keys() == space.keys()
            for name, value in params.items():
                inside = space[name]._contains(space[name].to_internal_repr(value))
                assert inside, f"{name}={value} with {rows} rows"


def test_defaults_lie_in_the_space_of_a_large_table() -> None:
    for task in TASKS:
        large = replace(problem("numeric", task), y=np.zeros(300_000))
        for candidate in TABLE:
            space = find(candidate).space(large)
            for params in find(candidate).defaults(large):
                assert params.keys() == space.keys()
                for name, value in params.items():
                    assert space[name]._contains(space[name].to_internal_repr(value))


@pytest.mark.parametrize(("candidate", "task"), CASES)
def test_numbers_are_learnt_and_survive_saving(candidate: str, task: str, tmp_path: Path) -> None:
    check(candidate, problem("numeric", task), tmp_path)


@pytest.mark.parametrize("kind", KINDS[1:])
@pytest.mark.parametrize("candidate", TABLE)
def test_features_of_every_kind_survive_saving(candidate: str, kind: str, tmp_path: Path) -> None:
    task = {"missing": "regression", "text": "multiclass"}.get(kind, "binary")
    if task in find(candidate).not_applicable:
        task = "binary"
    check(candidate, problem(kind, task), tmp_path)


@pytest.mark.parametrize("candidate", TABLE)
def test_exactly_the_types_that_occur_are_trusted(candidate: str, tmp_path: Path) -> None:
    """Over all tasks and kinds of features: no type is missing and none is there in vain."""
    seen: set[str] = set()
    for task in TASKS:
        if task not in find(candidate).not_applicable:
            seen |= check(candidate, problem("all", task), tmp_path)
    seen |= check(candidate, problem("numeric", "binary"), tmp_path)
    seen |= check(candidate, without(problem("missing", "binary"), 0), tmp_path)
    seen |= check(candidate, merged(problem("high_cardinality", "multiclass")), tmp_path)
    assert seen == set(find(candidate).trusted_types)


@pytest.mark.parametrize("task", TASKS)
def test_a_large_tables_svm_survives_saving(task: str, tmp_path: Path) -> None:
    """Above `svm.KERNEL_ROWS` it is another machine, of other types."""
    small = problem("all", task)
    times = 5_000 // small.rows
    rows = np.tile(np.arange(small.rows), times)
    large = replace(small, X=take(small.X, rows), y=small.y[rows])
    assert check("svm", large, tmp_path) <= set(find("svm").trusted_types)


@pytest.mark.parametrize("penalty", ["none", "ridge", "lasso", "elastic_net"])
def test_each_penalty_of_linear_regression_survives_saving(penalty: str, tmp_path: Path) -> None:
    small, algorithm = problem("all", "regression"), find("linear_regression")
    params = {"penalty": penalty, "alpha": 0.01, "l1_ratio": 0.5}
    fitted = fit(algorithm, small, params)
    types, loaded = saved("linear_regression", fitted, tmp_path)
    assert types <= set(algorithm.trusted_types)
    assert (predict(loaded, small.X_test, 0) == predict(fitted, small.X_test, 0)).all()


@pytest.mark.parametrize("candidate", TABLE)
def test_balanced_classes_lift_the_rare_ones_probability(candidate: str) -> None:
    algorithm = find(candidate)
    rng = np.random.default_rng(0)
    small = problem("numeric", "binary", 400)
    # A rare class that the features say little about.
    y = ((rng.random(small.rows) < 0.03) | (np.arange(small.rows) % 40 == 0)).astype(np.int64)
    small = replace(small, y=y)
    plain = quick(algorithm, small) | ({"min_samples_leaf": 20} if "forest" in candidate else {})
    means = [
        predict(fit(algorithm, small, plain | {"class_weight": weight}), small.X_test, 2)[
            :, 1
        ].mean()
        for weight in ("none", "balanced")
    ]
    calibrated = candidate in ("linear_regression", "svm")  # which calibration takes back
    assert calibrated or means[1] > means[0] * 1.2


@pytest.mark.parametrize("candidate", TABLE)
def test_a_model_beats_the_mean(candidate: str) -> None:
    task = "binary" if candidate == "logistic_regression" else "regression"
    small, algorithm = problem("numeric", task, 300), find(candidate)
    params: dict[str, Any] = algorithm.defaults(small)[0]
    if algorithm.boost:
        params = params | {"iterations": 40}
    prediction = predict(fit(algorithm, small, params), small.X_test, small.classes)
    if task == "binary":
        assert ((prediction[:, 1] > 0.5) == small.y_test).mean() > 0.75
    else:
        assert ((prediction - small.y_test) ** 2).mean() < 0.5 * small.y_test.var()


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_a_large_tables_catboost_survives_saving(
    task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its categories of more than ten levels are target-encoded, the others native."""
    monkeypatch.setattr("training.algorithms.gradient_boosting.catboost.NATIVE_ROWS", 50)
    candidate = "gradient_boosting:catboost"
    large, algorithm = problem("all", task), find(candidate)
    types = check(candidate, large, tmp_path)
    assert any("with_levels" in name for name in types)
    assert "TargetEncoder" in repr(algorithm.build(large, quick(algorithm, large), 1))
    assert types <= set(find(candidate).trusted_types)


def test_catboost_predicts_a_row_as_among_many() -> None:
    """Which come as arrays of objects and as frames."""
    small, algorithm = problem("categorical", "binary", 400), find("gradient_boosting:catboost")
    fitted = fit(algorithm, small, quick(algorithm, small) | {"iterations": 30})
    rows = small.X[np.isnan(small.X).any(axis=1).argsort()]  # those with gaps last
    together = predict(fitted, rows, 2)
    assert len(np.unique(together)) > 50
    for at in (*range(20), *range(len(rows) - 20, len(rows))):
        assert (predict(fitted, rows[at : at + 1], 2) == together[at]).all()


@pytest.mark.parametrize("candidate", TABLE)
def test_the_same_seed_gives_the_same_model(candidate: str) -> None:
    small, algorithm = problem("all", "binary"), find(candidate)
    params = quick(algorithm, small)
    one, two = (predict(fit(algorithm, small, params), small.X_test, 2) for _ in range(2))
    assert (one == two).all()


def test_select_all() -> None:
    assert select("all") == list(TABLE)
    assert select(" ALL ,svm") == list(TABLE)


def test_select_keeps_the_tables_order_and_names_each_once() -> None:
    chosen = select("gradient_boosting:xgboost, svm ,gradient_boosting,SVM")
    assert chosen == [name for name in TABLE if name.startswith("gradient") or name == "svm"]
    assert select("gradient_boosting:catboost") == ["gradient_boosting:catboost"]


@pytest.mark.parametrize(
    ("text", "came", "hint"),
    [
        ("randm_forest", "'randm_forest'", "random_forest"),
        ("gradient_boosting:xgbost", "'xgbost'", "xgboost"),
        ("svm:libsvm", "'libsvm'", "write svm alone"),
        (" , ", "none", "algorithms=all"),
        ("all,svm,nonsense", "'nonsense'", "svm"),
    ],
)
def test_select_says_what_is_wrong(text: str, came: str, hint: str) -> None:
    with pytest.raises(UserError) as caught:
        select(text)
    message = str(caught.value)
    assert came in message
    assert hint in message
    assert "\n" not in message


def test_every_candidate_is_named_as_its_algorithm_says() -> None:
    assert [find(name).candidate for name in TABLE] == list(TABLE)
