"""A large table's linear models are fitted by chunks, and are what they would be at once."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training.problems import problem_of
from training import problem as problems
from training.algorithms import find
from training.algorithms.svm import SAMPLE_ROWS
from training.fit import Fitted, fit, predict
from training.problem import Problem
from training.scoring import load_pipeline

CASES = [
    ("linear_regression", "regression"),
    ("linear_regression", "multiclass"),
    ("logistic_regression", "binary"),
    ("svm", "regression"),
    ("svm", "binary"),
    ("decision_tree", "binary"),
    ("random_forest", "regression"),
]
KINDS = ("numeric", "missing", "categorical", "high_cardinality", "datetime")


def by_chunks(candidate: str, problem: Problem, monkeypatch: pytest.MonkeyPatch) -> Fitted:
    with monkeypatch.context() as patch:
        for module in ("training.chunks", "training.fit"):
            patch.setattr(f"{module}.CHUNK", 70)
        algorithm = find(candidate)
        return fit(algorithm, problem, algorithm.defaults(problem)[0])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("candidate", "task"), CASES)
def test_chunks_change_nothing(
    candidate: str, task: str, kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = problem_of(kind, task, 300)
    problems.save(made, tmp_path / "problem")
    mapped = problems.load(tmp_path / "problem")
    algorithm = find(candidate)
    whole = fit(algorithm, made, algorithm.defaults(made)[0])
    fitted = by_chunks(candidate, mapped, monkeypatch)
    expected = predict(whole, made.X_test, made.classes)
    found = predict(fitted, made.X_test, made.classes)
    spread = max(1.0, float(np.std(expected)))
    np.testing.assert_allclose(found, expected, atol=2e-3 * spread)


def test_rows_predicted_by_chunks_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    made = problem_of("all", "multiclass", 300)
    fitted = fit(find("logistic_regression"), made, {"C": 1.0, "class_weight": "none"})
    whole = predict(fitted, made.X, made.classes)
    for module in ("training.chunks", "training.fit"):
        monkeypatch.setattr(f"{module}.CHUNK", 70)
    np.testing.assert_allclose(predict(fitted, made.X, made.classes), whole, atol=1e-12)


@pytest.mark.parametrize("task", ["regression", "binary"])
def test_an_svm_of_samples_survives_saving(task: str, tmp_path: Path) -> None:
    import skops.io

    small, algorithm = problem_of("missing", task, 300), find("svm")
    rows = np.tile(np.arange(small.rows), SAMPLE_ROWS // small.rows + 10)
    large = replace(small, X=small.X[rows], y=small.y[rows])
    params = algorithm.defaults(large)[0] | {"components": 10}
    fitted = fit(algorithm, large, params)
    skops.io.dump(fitted.pipeline, tmp_path / "pipeline.skops")
    loaded = replace(fitted, pipeline=load_pipeline(tmp_path / "pipeline.skops", "svm"))
    expected = predict(fitted, small.X_test, small.classes)
    assert (predict(loaded, small.X_test, small.classes) == expected).all()
