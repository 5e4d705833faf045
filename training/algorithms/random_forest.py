"""A forest of trees on bootstrap samples (Breiman, 2001)."""

from typing import Any

from training.algorithms.base import (
    Algorithm,
    Params,
    Space,
    class_weights,
    pipeline,
    unweighted,
    weight,
)
from training.preprocess import ordinal
from training.problem import Problem

#: Above this many rows a tree's bootstrap sample is no larger: the forest stays of a size that
#: can be stored and served, and its trees differ more.
SAMPLE_ROWS = 50_000


def _build(problem: Problem, params: Params, threads: int) -> Any:
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    rows = len(problem.y_fitted)
    shared = {
        "n_estimators": params["n_estimators"],
        "max_features": params["max_features"],
        "min_samples_leaf": params["min_samples_leaf"],
        "max_samples": min(1.0, SAMPLE_ROWS / rows),
        "n_jobs": threads,
        "random_state": problem.seed,
    }
    if problem.classification:
        forest = RandomForestClassifier(class_weight=weight(params), **shared)
    else:
        forest = RandomForestRegressor(**shared)
    return pipeline(ordinal(problem), forest)


def _space(problem: Problem) -> Space:
    from optuna.distributions import FloatDistribution, IntDistribution

    return {
        "n_estimators": IntDistribution(50, 400, log=True),
        "max_features": FloatDistribution(0.1, 1.0),
        "min_samples_leaf": IntDistribution(1, max(2, min(50, problem.rows // 20)), log=True),
        **class_weights(problem),
    }


def _defaults(problem: Problem) -> list[Params]:
    root = len(problem.features) ** -0.5
    share = max(0.1, root) if problem.classification else max(0.33, root)
    leaf = 1 if problem.rows <= 20_000 else 2 if problem.rows <= 100_000 else 10
    return [
        {
            "n_estimators": count,
            "max_features": min(1.0, share),
            "min_samples_leaf": min(leaf, max(2, problem.rows // 20)),
            **unweighted(problem),
        }
        for count in (100, 300)
    ]


ALGORITHM = Algorithm(
    name="random_forest",
    build=_build,
    space=_space,
    defaults=_defaults,
    trusted_types=("sklearn.tree._tree.Tree",),
    large="unscaled",
    sample_rows=SAMPLE_ROWS,
)
