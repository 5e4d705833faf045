"""CatBoost, its categories target-encoded by the pipeline.

CatBoost takes native categories as strings only, and no exporter takes a model that has them; the
pipeline's cross-fitted target encoding stands in for CatBoost's own ordered statistics.
"""

from typing import Any

from training.algorithms.base import (
    Algorithm,
    Params,
    Space,
    class_weights,
    pipeline,
    standardised_target,
    unweighted,
)
from training.algorithms.gradient_boosting import PATIENCE, iterations
from training.preprocess import ordinal
from training.problem import Problem

#: CatBoost's time a tree is an order above the other engines'.
_MOST = 1_000


def _build(problem: Problem, params: Params, threads: int) -> Any:
    from catboost import CatBoostClassifier, CatBoostRegressor

    shared = {
        "iterations": min(_MOST, iterations(params)),
        "learning_rate": params["learning_rate"],
        "depth": params["depth"],
        "l2_leaf_reg": params["l2"],
        "random_strength": params["random_strength"],
        "thread_count": threads,
        "random_seed": problem.seed,
        "boosting_type": "Plain",  # CatBoost's ordered default takes three times as long
        "verbose": False,
        "allow_writing_files": False,
    }
    if problem.classification:
        balanced = params.get("class_weight") == "balanced"
        weights = {"auto_class_weights": "Balanced"} if balanced else {}
        model = CatBoostClassifier(**shared, **weights)
    else:
        model = standardised_target(CatBoostRegressor(**shared))
    return pipeline(ordinal(problem, native=False), model)


def _boost(model: Any, X: Any, y: Any, X_eval: Any, y_eval: Any, fit_params: Params) -> int:
    model.fit(X, y, eval_set=(X_eval, y_eval), early_stopping_rounds=PATIENCE, use_best_model=True)
    return int(model.tree_count_) or 1


def _space(problem: Problem) -> Space:
    from optuna.distributions import FloatDistribution, IntDistribution

    return {
        "learning_rate": FloatDistribution(0.01, 0.3, log=True),
        "depth": IntDistribution(3, 8),
        "l2": FloatDistribution(0.1, 30.0, log=True),
        "random_strength": FloatDistribution(1e-3, 5.0, log=True),
        **class_weights(problem),
    }


def _defaults(problem: Problem) -> list[Params]:
    shared = {"l2": 3.0, "random_strength": 1.0, **unweighted(problem)}
    return [
        {"learning_rate": 0.1, "depth": 4, **shared},
        {"learning_rate": 0.05, "depth": 6, **shared},
    ]


ALGORITHM = Algorithm(
    name="gradient_boosting",
    engine="catboost",
    build=_build,
    space=_space,
    defaults=_defaults,
    boost=_boost,
    trusted_types=(
        "catboost.core.CatBoostClassifier",
        "catboost.core.CatBoostRegressor",
    ),
)
