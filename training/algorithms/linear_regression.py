"""Least squares with or without a penalty; on classes, the least-squares classifier."""

from typing import Any

from training.algorithms.base import (
    CALIBRATED_TYPES,
    Algorithm,
    Params,
    Space,
    calibrated,
    class_weights,
    pipeline,
    standardised_target,
    unweighted,
    weight,
)
from training.preprocess import SCALED_TYPES, scaled
from training.problem import Problem

_PENALTIES = ("none", "ridge", "lasso", "elastic_net")


def _build(problem: Problem, params: Params, threads: int) -> Any:
    from sklearn.linear_model import RidgeClassifier

    if problem.classification:
        ridge = RidgeClassifier(
            alpha=params["alpha"] * problem.rows,
            class_weight=weight(params),
            copy_X=False,  # it is what `scaled` has made
        )
        return pipeline(scaled(problem), calibrated(ridge))
    return pipeline(scaled(problem), standardised_target(_regressor(problem, params)))


def _regressor(problem: Problem, params: Params) -> Any:
    from sklearn.linear_model import ElasticNet, Lasso, LinearRegression, Ridge

    alpha = params["alpha"]
    if params["penalty"] == "none":
        return LinearRegression()
    if params["penalty"] == "ridge":
        # scikit-learn divides the loss by the rows for lasso and elastic net, not for ridge.
        return Ridge(alpha=alpha * problem.rows)
    if params["penalty"] == "lasso":
        return Lasso(alpha=alpha, max_iter=2_000)
    return ElasticNet(alpha=alpha, l1_ratio=params["l1_ratio"], max_iter=2_000)


def _space(problem: Problem) -> Space:
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    alpha = {"alpha": FloatDistribution(1e-6, 10.0, log=True)}
    if problem.classification:
        return {**alpha, **class_weights(problem)}
    return {
        "penalty": CategoricalDistribution(_PENALTIES),
        **alpha,
        "l1_ratio": FloatDistribution(0.05, 0.95),
    }


def _defaults(problem: Problem) -> list[Params]:
    if problem.classification:
        return [{"alpha": alpha, **unweighted(problem)} for alpha in (1e-3, 1e-1)]
    return [
        {"penalty": "ridge", "alpha": 1e-3, "l1_ratio": 0.5},
        {"penalty": "none", "alpha": 1e-3, "l1_ratio": 0.5},
        {"penalty": "lasso", "alpha": 1e-2, "l1_ratio": 0.5},
        {"penalty": "elastic_net", "alpha": 1e-2, "l1_ratio": 0.5},
    ]


ALGORITHM = Algorithm(
    name="linear_regression",
    build=_build,
    space=_space,
    defaults=_defaults,
    trusted_types=(*SCALED_TYPES, *CALIBRATED_TYPES),
    rows_per_class=3,
    large="sparse",
)
