"""XGBoost with histogram trees."""

from typing import Any

import numpy as np

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


def _build(problem: Problem, params: Params, threads: int) -> Any:
    from xgboost import XGBClassifier, XGBRegressor

    kind = XGBClassifier if problem.classification else XGBRegressor
    model = kind(
        n_estimators=iterations(params),
        learning_rate=params["learning_rate"],
        max_depth=params["max_depth"],
        min_child_weight=params["min_child_weight"],
        subsample=params["subsample"],
        colsample_bytree=params["colsample"],
        reg_lambda=params["l2"],
        reg_alpha=params["l1"],
        tree_method="hist",
        n_jobs=threads,
        random_state=problem.seed,
    )
    if not problem.classification:
        model = standardised_target(model)
    return pipeline(ordinal(problem), model)


def _boost(model: Any, X: Any, y: Any, X_eval: Any, y_eval: Any, fit_params: Params) -> int:
    model.set_params(early_stopping_rounds=PATIENCE)
    model.fit(X, y, eval_set=[(X_eval, y_eval)], verbose=False, **fit_params)
    return int(model.best_iteration) + 1


def _fit_params(problem: Problem, params: Params, y: np.ndarray) -> dict[str, Any]:
    from sklearn.utils.class_weight import compute_sample_weight

    if params.get("class_weight") != "balanced":
        return {}
    return {"sample_weight": compute_sample_weight("balanced", y)}


def _space(problem: Problem) -> Space:
    from optuna.distributions import FloatDistribution, IntDistribution

    return {
        "learning_rate": FloatDistribution(0.01, 0.3, log=True),
        "max_depth": IntDistribution(2, 10),
        "min_child_weight": FloatDistribution(0.5, 50.0, log=True),
        "subsample": FloatDistribution(0.5, 1.0),
        "colsample": FloatDistribution(0.4, 1.0),
        "l2": FloatDistribution(1e-2, 10.0, log=True),
        "l1": FloatDistribution(1e-6, 5.0, log=True),
        **class_weights(problem),
    }


def _defaults(problem: Problem) -> list[Params]:
    shared = {"min_child_weight": 1.0, "l2": 1.0, "l1": 1e-6, **unweighted(problem)}
    return [
        {"learning_rate": 0.1, "max_depth": 6, "subsample": 1.0, "colsample": 1.0, **shared},
        {"learning_rate": 0.05, "max_depth": 4, "subsample": 0.8, "colsample": 0.8, **shared},
    ]


ALGORITHM = Algorithm(
    name="gradient_boosting",
    engine="xgboost",
    build=_build,
    space=_space,
    defaults=_defaults,
    boost=_boost,
    fit_params=_fit_params,
    trusted_types=(
        "xgboost.core.Booster",
        "xgboost.sklearn.XGBClassifier",
        "xgboost.sklearn.XGBRegressor",
    ),
)
