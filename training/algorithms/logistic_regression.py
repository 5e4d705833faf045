"""Logistic regression with an L2 penalty."""

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
from training.preprocess import SCALED_TYPES, scaled
from training.problem import Problem


def _build(problem: Problem, params: Params, threads: int) -> Any:
    from sklearn.linear_model import LogisticRegression

    return pipeline(
        scaled(problem),
        LogisticRegression(C=params["C"], class_weight=weight(params), max_iter=500),
    )


def _space(problem: Problem) -> Space:
    from optuna.distributions import FloatDistribution

    return {"C": FloatDistribution(1e-4, 1e3, log=True), **class_weights(problem)}


def _defaults(problem: Problem) -> list[Params]:
    return [{"C": C, **unweighted(problem)} for C in (1.0, 0.1)]


ALGORITHM = Algorithm(
    name="logistic_regression",
    build=_build,
    space=_space,
    defaults=_defaults,
    trusted_types=SCALED_TYPES,
    large="sparse",
    not_applicable={
        "regression": "logistic regression predicts classes; the target is a continuous number"
    },
)
