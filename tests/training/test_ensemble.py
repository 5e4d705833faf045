"""The greedy average: its weights, its honest score, and what happens when it fails."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from tests.training.problems import problem_of
from training.ensemble import average, cross_fitted, select
from training.evaluate import METRICS, score


def candidates(
    seed: int, count: int = 3, rows: int = 80
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    rng = np.random.default_rng(seed)
    y = rng.normal(size=rows)
    return y, {f"c{i}": y + rng.normal(0.1 * i, 0.5 + 0.2 * i, rows) for i in range(count)}


@pytest.mark.parametrize("seed", range(5))
def test_weights_are_near_the_best_of_all_weights(seed: int) -> None:
    y, predictions = candidates(seed)
    weights = select("rmse", y, predictions)
    assert sum(weights.values()) == pytest.approx(1)
    assert all(weight > 0 for weight in weights.values())
    found = score("rmse", y, average(weights, predictions))
    names, steps = list(predictions), range(21)
    best = min(
        score(
            "rmse", y, average({n: p / 20 for n, p in zip(names, parts, strict=True)}, predictions)
        )
        for parts in product(steps, repeat=3)
        if sum(parts) == 20
    )
    assert found <= best * 1.02
    assert found <= min(score("rmse", y, p) for p in predictions.values()) + 1e-12


def test_a_candidate_that_is_perfect_stands_alone() -> None:
    y, predictions = candidates(0)
    assert select("rmse", y, predictions | {"perfect": y}) == {"perfect": 1.0}


@pytest.mark.parametrize("metric", ["roc_auc", "log_loss"])
def test_the_average_of_classes_is_no_worse_than_the_best(metric: str) -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 100)
    predictions = {}
    for name in "abc":
        p = 1 / (1 + np.exp(-(2 * y - 1 + 1.5 * rng.normal(size=100))))
        predictions[name] = np.column_stack([1 - p, p])
    sign = 1 if METRICS[metric].greater_is_better else -1
    weights = select(metric, y, predictions)
    combined = sign * score(metric, y, average(weights, predictions))
    assert combined >= max(sign * score(metric, y, p) for p in predictions.values()) - 1e-12


@pytest.mark.parametrize("task", ["regression", "multiclass"])
def test_no_fold_chooses_its_own_weights(task: str) -> None:
    problem = problem_of("numeric", task)
    rng = np.random.default_rng(0)
    width = (problem.classes,) if problem.classification else ()
    predictions = {
        name: {
            fold: rng.uniform(0.1, 1, (len(valid), *width))
            for fold, (_, valid) in enumerate(problem.folds)
        }
        for name in "ab"
    }
    weights, held_out = cross_fitted(problem, predictions)
    assert sum(weights.values()) == pytest.approx(1)
    # What fold 0 holds says nothing about the weights that are used on it.
    y = problem.y.copy()
    y[problem.folds[0][1]] = y[problem.folds[0][1]][::-1]
    _, again = cross_fitted(replace(problem, y=y), predictions)
    assert (again[0] == held_out[0]).all()
    for fold, (_, valid) in enumerate(problem.folds):
        assert held_out[fold].shape == (len(valid), *width)
