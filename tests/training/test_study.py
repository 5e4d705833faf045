"""The order of configurations, and what is known of them."""

import math
import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from tests.training.problems import problem_of
from training.algorithms import Algorithm
from training.errors import UserError
from training.study import SEARCHES, Promise, Study, Trial, check_search, draw_by_promise
from training.worker import FoldResult

PROBLEM = problem_of("numeric", "binary", 60)
FOLDS = len(PROBLEM.folds)
ALGORITHM = Algorithm(
    name="toy",
    build=lambda problem, params, threads: None,
    space=lambda problem: {
        "x": FloatDistribution(0.0, 1.0),
        "kind": CategoricalDistribution(("a", "b")),
    },
    defaults=lambda problem: [{"x": 0.5, "kind": "a"}, {"x": 0.1, "kind": "b"}],
)


def study_of(search: str, greater: bool = True, seed: int = 0) -> Study:
    return Study(ALGORITHM, replace(PROBLEM, seed=seed), search, greater)


def result(score: float) -> FoldResult:
    return FoldResult(score, 0.5, 7, np.ones(3, np.float32))


def run(study: Study, trials: int, score: Any = lambda params: params["x"]) -> list[dict[str, Any]]:
    """Answer up to so many trials on all their folds; their parameters."""
    seen = []
    for _ in range(trials):
        trial = study.next()
        if trial is None:
            break
        seen.append(trial.params)
        for fold in range(FOLDS):
            if study.add(trial, fold, result(score(trial.params))) != "running":
                break
    return seen


def test_none_tries_the_first_default_only() -> None:
    study = study_of("none")
    assert run(study, 5) == [{"x": 0.5, "kind": "a"}]
    assert study.best is study.trials[0]
    assert study.next() is None


@pytest.mark.parametrize("search", ["tpe", "random", "grid"])
def test_defaults_come_first(search: str) -> None:
    study = study_of(search)
    seen = run(study, 6)
    assert seen[:2] == ALGORITHM.defaults(PROBLEM)
    assert len(seen) == 6
    assert [row["default"] for row in study.table()] == [True, True, False, False, False, False]


def test_the_grid_ends_with_every_point_tried_once() -> None:
    study = study_of("grid")
    seen = run(study, 100)[2:]
    assert len(seen) == 6
    points = {(round(params["x"], 6), params["kind"]) for params in seen}
    assert points == {(x, kind) for x in (0.166667, 0.5, 0.833333) for kind in "ab"}
    assert study.next() is None


def test_a_grid_of_whole_numbers_and_logarithms_stays_inside() -> None:
    space = {
        "leaves": IntDistribution(1, 2, log=True),
        "depth": IntDistribution(2, 30),
        "C": FloatDistribution(1e-4, 1e4, log=True),
    }
    study = Study(replace(ALGORITHM, space=lambda problem: space, defaults=lambda problem: []),
                  PROBLEM, "grid", True)  # fmt: skip
    seen = run(study, 100, lambda params: params["C"])
    assert len(seen) == 2 * 3 * 3
    assert {params["leaves"] for params in seen} == {1, 2}
    assert sorted({params["depth"] for params in seen}) == [7, 16, 25]
    assert all(1e-4 <= params["C"] <= 1e4 for params in seen)


@pytest.mark.parametrize("search", ["tpe", "random", "grid"])
def test_the_same_seed_gives_the_same_configurations(search: str) -> None:
    assert run(study_of(search), 8) == run(study_of(search), 8)
    if search != "grid":
        assert run(study_of(search), 8) != run(study_of(search, seed=1), 8)


def test_tpe_goes_to_where_it_is_good() -> None:
    def score(params: dict[str, Any]) -> float:
        return -((params["x"] - 0.8) ** 2)

    late = run(study_of("tpe"), 40, score)[25:]
    assert abs(np.mean([params["x"] for params in late]) - 0.8) < 0.25


@pytest.mark.parametrize("greater", [True, False])
def test_the_best_is_kept_with_its_predictions_and_the_others_without(greater: bool) -> None:
    study = study_of("random", greater)
    run(study, 10)
    means = [trial.mean for trial in study.trials]
    assert study.best is not None
    assert study.best.mean == (max(means) if greater else min(means))
    for trial in study.trials:
        kept = {len(fold.prediction) for fold in trial.folds.values()}
        assert kept == ({3} if trial is study.best else {0})
        assert trial.seconds == pytest.approx(0.5 * len(trial.folds))


def test_hopeless_trials_are_pruned_and_never_the_best() -> None:
    study = study_of("random")
    for _ in range(5):
        trial = study.next()
        assert trial is not None
        for fold in range(FOLDS):
            study.add(trial, fold, result(0.9))
    best, trial = study.best, study.next()
    assert trial is not None
    assert study.add(trial, 0, result(0.1)) == "pruned"
    assert study.states[-1] == "pruned"
    assert study.best is best
    assert study.table()[-1]["folds"] == 1


def test_defaults_are_never_pruned() -> None:
    study = study_of("random")
    for score in (0.9, 0.1):
        trial = study.next()
        assert trial is not None
        states = [study.add(trial, fold, result(score)) for fold in range(FOLDS)]
        assert states == ["running"] * (FOLDS - 1) + ["complete"]


@pytest.mark.parametrize("search", ["tpe", "random", "grid"])
def test_trials_that_fail_are_given_up(search: str) -> None:
    study = study_of(search)
    for _ in range(8):
        trial = study.next()
        if trial is not None:
            study.fail(trial)
    assert set(study.states) == {"failed"}
    assert study.best is None
    assert [row["state"] for row in study.table()] == ["failed"] * 8
    if search == "grid":
        assert study.next() is None


@pytest.mark.parametrize("search", SEARCHES)
def test_a_score_that_is_not_defined_is_no_best(search: str) -> None:
    study = study_of(search)
    run(study, 4, lambda params: math.nan)
    assert study.best is None
    assert set(study.states) == {"failed"}


def test_a_fold_without_a_score_is_left_out_of_the_mean() -> None:
    trial = Trial({}, True, folds={0: result(0.5), 1: result(math.nan), 2: result(0.7)})
    assert trial.mean == pytest.approx(0.6)
    assert trial.std == pytest.approx(0.1)


def test_a_wrong_search_is_refused() -> None:
    for name in SEARCHES:
        check_search(name)
    with pytest.raises(UserError, match="expected a search, got 'gird'; did you mean 'grid'"):
        check_search("gird")


def test_the_budget_goes_to_what_is_cheap_and_near() -> None:
    cheap, dear = Promise(), Promise()
    for promise, seconds in ((cheap, 1.0), (dear, 10.0)):
        promise.spent += seconds
        promise.improved(0.0)
        promise.spent += seconds
        promise.improved(0.05)
    assert cheap.cost(0.0) < dear.cost(0.0)
    assert cheap.cost(0.1) > cheap.cost(0.0)
    rng = random.Random(0)
    drawn = [draw_by_promise([cheap.cost(0), dear.cost(0)], rng) for _ in range(200)]
    assert drawn.count(0) > 150
    assert Promise().cost(0.0) > 0
