"""Fits on rows that a fold may hold: few, of one class, without values, grouped, in time."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.training.problems import frame_of, prepared_of, problem_of, quick
from training.algorithms import TABLE, find
from training.fit import fit, predict
from training.problem import Problem

BOOSTED = [name for name in TABLE if find(name).boost]
CLASSIFIERS = list(TABLE)
REGRESSORS = [name for name in TABLE if "regression" not in find(name).not_applicable]


def first(candidate: str, problem: Problem, early: bool = False) -> dict[str, Any]:
    """The first default, quick, or with early stopping as in a fold."""
    return find(candidate).defaults(problem)[0] if early else quick(find(candidate), problem)


def probabilities(candidate: str, problem: Problem, rows: np.ndarray, early: bool) -> np.ndarray:
    algorithm = find(candidate)
    fitted = fit(algorithm, problem, first(candidate, problem, early), rows)
    found = predict(fitted, problem.X_test, problem.classes)
    assert found.shape == (len(problem.y_test), problem.classes)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
    return found


@pytest.mark.parametrize("candidate", CLASSIFIERS)
def test_rows_of_one_class_give_that_class(candidate: str) -> None:
    problem = problem_of("all", "multiclass")
    rows = np.flatnonzero(problem.y == 1)[:12]
    found = probabilities(candidate, problem, rows, early=True)
    assert (found == [0, 1, 0]).all()


@pytest.mark.parametrize("candidate", CLASSIFIERS)
def test_a_class_that_no_row_has_gets_no_probability(candidate: str) -> None:
    problem = problem_of("all", "multiclass")
    rows = np.flatnonzero(problem.y != 1)
    found = probabilities(candidate, problem, rows, early=candidate in BOOSTED)
    assert (found[:, 1] == 0).all()
    assert (found[:, [0, 2]] > 0).any()


@pytest.mark.parametrize("candidate", CLASSIFIERS)
@pytest.mark.parametrize("fewest", [1, 3])
def test_rare_classes_survive(candidate: str, fewest: int) -> None:
    problem = problem_of("numeric", "multiclass")
    rare = np.flatnonzero(problem.y == 2)
    rows = np.setdiff1d(np.arange(problem.rows), rare[fewest:])
    found = probabilities(candidate, problem, rows, early=candidate in BOOSTED)
    assert (found.argmax(axis=1) < 2).any()


@pytest.mark.parametrize("candidate", [name for name in TABLE if "catboost" not in name])
@pytest.mark.parametrize("each", [1, 2])
def test_many_classes_of_one_or_two_rows_survive(candidate: str, each: int) -> None:
    """As in the tenth of a fold that a learning curve begins with: too few to calibrate on."""
    rows = 12 * each
    frame = frame_of("numeric", "regression", 240)
    frame["c"] = np.random.default_rng(0).choice(["red", "green"], 240)
    frame["y"] = [f"class {i % 12}" for i in range(240)]
    problem = prepared_of(frame).problem
    order = np.concatenate([np.flatnonzero(problem.y == code)[:each] for code in range(12)])
    assert len(order) == rows
    probabilities(candidate, problem, order, early=False)


@pytest.mark.parametrize("candidate", CLASSIFIERS)
def test_one_positive_in_a_hundred(candidate: str) -> None:
    frame = frame_of("numeric", "regression", 400)
    top = frame["y"].rank(ascending=False) <= 4
    frame["y"] = np.where(top, "yes", "no")
    problem = prepared_of(frame).problem
    rows, _ = problem.folds[0]
    probabilities(candidate, problem, np.asarray(rows), early=candidate in BOOSTED)


@pytest.mark.parametrize("candidate", TABLE)
@pytest.mark.parametrize("kind", ["all"])
def test_features_without_a_value_or_with_one(candidate: str, kind: str) -> None:
    """A fold's rows may have no value of a feature that the validation rows have."""
    task = "binary" if candidate == "logistic_regression" else "regression"
    problem = problem_of(kind, task)
    X = problem.X.copy()
    rows = np.arange(len(X) // 2)
    numbers = [i for i, feature in enumerate(problem.features) if feature.kind != "text"]
    for column, value in ((numbers[0], np.nan), (numbers[1], 7.0), (numbers[-1], np.nan)):
        if isinstance(X, pd.DataFrame):
            changed = X.iloc[:, column].to_numpy().copy()
            changed[rows] = value
            X.isetitem(column, changed)
        else:
            X[rows, column] = value
    before = X.copy()
    problem = replace(problem, X=X)
    params = first(candidate, problem, early=candidate in BOOSTED)
    fitted = fit(find(candidate), problem, params, rows)
    found = predict(fitted, problem.X_test, problem.classes)
    assert np.isfinite(found).all()
    assert pd.DataFrame(X).equals(pd.DataFrame(before)), "the problem's rows were changed"


@pytest.mark.parametrize("candidate", REGRESSORS)
def test_a_constant_target_is_predicted(candidate: str) -> None:
    problem = problem_of("numeric", "regression")
    rows = np.arange(30)
    y = problem.y.copy()
    y[rows] = 4.5
    for params in (first(candidate, problem), first(candidate, problem, early=True)):
        fitted = fit(find(candidate), replace(problem, y=y), params, rows)
        np.testing.assert_allclose(predict(fitted, problem.X_test, 0), 4.5, rtol=1e-5)


@pytest.mark.parametrize("candidate", TABLE)
def test_features_that_say_nothing_give_the_mean(candidate: str) -> None:
    task = "binary" if candidate == "logistic_regression" else "regression"
    problem = problem_of("numeric", task)
    problem = replace(problem, X=np.full_like(problem.X, 7.0))
    fitted = fit(find(candidate), problem, first(candidate, problem, early=True))
    found = predict(fitted, problem.X_test, problem.classes)
    found = found[:, 1] if found.ndim == 2 else found
    np.testing.assert_allclose(found, problem.y.mean(), rtol=1e-6)


@pytest.mark.parametrize("candidate", TABLE)
def test_twenty_rows_of_four_classes(candidate: str) -> None:
    """Fewer rows of each class than the parts that target encoding is cross-fitted in."""
    frame = frame_of("categorical", "regression", 20)
    frame["y"] = [f"class {i % 4}" for i in range(20)]
    problem = prepared_of(frame, folds=5, test_size=0.2).problem
    for rows, _ in problem.folds[:2]:
        probabilities(candidate, problem, np.asarray(rows), early=candidate in BOOSTED)


@pytest.mark.parametrize("candidate", TABLE)
def test_twenty_rows(candidate: str) -> None:
    tasks = ["binary"] if candidate == "logistic_regression" else ["binary", "regression"]
    for task in tasks:
        frame = frame_of("categorical", task, 20)
        problem = prepared_of(frame, folds=5, test_size=0.2).problem
        for rows, _ in problem.folds[:1]:
            params = first(candidate, problem, early=True)
            fitted = fit(find(candidate), problem, params, np.asarray(rows))
            assert np.isfinite(predict(fitted, problem.X_test, problem.classes)).all()


@pytest.mark.parametrize("candidate", BOOSTED)
@pytest.mark.parametrize("task", ["regression", "binary"])
@pytest.mark.parametrize("groups", [3, 8])
def test_early_stopping_with_groups(candidate: str, task: str, groups: int) -> None:
    frame = frame_of("numeric", task, 90)
    frame["group"] = [f"g{i % groups}" for i in range(90)]
    problem = prepared_of(frame, group="group", folds=2).problem
    assert problem.groups is not None
    for rows, _ in problem.folds:
        params = first(candidate, problem, early=True)
        fitted = fit(find(candidate), problem, params, np.asarray(rows))
        assert fitted.iterations
        assert np.isfinite(predict(fitted, problem.X_test, problem.classes)).all()


@pytest.mark.parametrize("candidate", BOOSTED)
def test_early_stopping_forward_in_time(candidate: str) -> None:
    frame = frame_of("numeric", "binary", 120)
    frame["when"] = pd.date_range("2024-01-01", periods=120).strftime("%Y-%m-%d")
    problem = prepared_of(frame, time="when").problem
    assert problem.forward
    for rows, _ in problem.folds:
        fitted = fit(find(candidate), problem, first(candidate, problem, True), np.asarray(rows))
        assert fitted.iterations


@pytest.mark.parametrize("candidate", BOOSTED)
@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
def test_early_stopping_stops_where_nothing_is_left_to_learn(candidate: str, task: str) -> None:
    problem = problem_of("numeric", task, 200)
    fitted = fit(find(candidate), problem, first(candidate, problem, early=True))
    assert fitted.iterations
    assert 1 <= fitted.iterations < 500


@pytest.mark.parametrize("candidate", BOOSTED)
def test_given_iterations_are_grown(candidate: str) -> None:
    problem = problem_of("numeric", "regression")
    params = first(candidate, problem)
    few = predict(fit(find(candidate), problem, params | {"iterations": 1}), problem.X_test, 0)
    many = predict(fit(find(candidate), problem, params | {"iterations": 30}), problem.X_test, 0)
    assert np.std(few) < np.std(many)


def test_texts_without_words_survive() -> None:
    frame = frame_of("numeric", "binary")
    marks = np.array(list("★☆♥!?…"))
    rng = np.random.default_rng(0)
    frame["t"] = [" ".join("".join(rng.choice(marks, 3)) for _ in range(5)) for _ in range(120)]
    problem = prepared_of(frame).problem
    assert [feature.kind for feature in problem.features].count("text") == 1
    for rows, _ in problem.folds:
        probabilities("logistic_regression", problem, np.asarray(rows), early=False)


def test_unknown_levels_are_no_news_to_the_user(recwarn: pytest.WarningsRecorder) -> None:
    problem = problem_of("categorical", "binary")
    place = [feature.kind for feature in problem.features].index("categorical")
    rows = np.flatnonzero(problem.X[:, place] != 2)
    probabilities("logistic_regression", problem, rows, early=False)
    assert not [str(item.message) for item in recwarn.list]


@pytest.mark.parametrize("candidate", BOOSTED)
def test_boosting_survives_a_target_far_from_zero(candidate: str) -> None:
    problem = problem_of("numeric", "regression")
    signal = 10 * np.sign(np.nan_to_num(problem.X[:, 0]))
    # XGBoost's predictions are in single precision, which has seven digits.
    problem = replace(problem, y=(1e7 if candidate.endswith("xgboost") else 1e9) + signal)
    algorithm = find(candidate)
    params = algorithm.defaults(problem)[0]
    early = fit(algorithm, problem, params, np.arange(problem.rows))
    whole = fit(algorithm, problem, params | {"iterations": early.iterations})
    for fitted in (early, whole):
        error = np.abs(predict(fitted, problem.X, 0) - problem.y).mean()
        assert error < np.abs(signal).mean() / 2


def test_a_forest_is_grown_by_threads_and_asked_by_one() -> None:
    problem = problem_of("numeric", "binary")
    algorithm = find("random_forest")
    fitted = fit(algorithm, problem, algorithm.defaults(problem)[0], threads=2)
    assert fitted.pipeline[-1].n_jobs is None


def large_problem(share: float) -> Problem:
    """240,000 rows, of which a class has that share."""
    rng = np.random.default_rng(0)
    small = problem_of("numeric", "binary")
    y = np.zeros(240_000, np.int64)
    y[rng.permutation(len(y))[: int(share * len(y))]] = 1
    return replace(small, X=rng.normal(size=(len(y), small.X.shape[1])), y=y)


def test_an_svm_of_few_rows_of_a_large_table_is_one_machine() -> None:
    """Samples of its 5,000 rows would have too few of a rare class."""
    problem, algorithm = large_problem(0.005), find("svm")
    rows = np.sort(np.random.default_rng(1).permutation(problem.rows)[:5_000])
    fitted = fit(algorithm, problem, quick(algorithm, problem), rows)
    assert predict(fitted, problem.X_test, 2).shape == (len(problem.y_test), 2)
    assert not hasattr(fitted.pipeline[-1], "estimators_")


def test_an_svms_samples_are_of_the_rows_that_are_fitted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.algorithms.svm.SAMPLE_ROWS", 3_000)
    problem, algorithm = large_problem(0.05), find("svm")
    rows = np.arange(9_000)
    bagging = fit(algorithm, problem, quick(algorithm, problem), rows).pipeline[-1]
    assert [len(sample) for sample in bagging.estimators_samples_] == [3_000] * 3


def test_a_forests_trees_take_as_many_of_few_rows_as_there_are() -> None:
    """A bootstrap sample is bounded by rows, not by a share of the table's."""
    problem, algorithm = large_problem(0.5), find("random_forest")
    fitted = fit(algorithm, problem, quick(algorithm, problem), np.arange(2_000))
    samples = fitted.pipeline[-1].estimators_samples_
    assert [len(sample) for sample in samples] == [2_000] * len(samples)
