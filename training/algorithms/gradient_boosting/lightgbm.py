"""LightGBM with native categories."""

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
    weight,
)
from training.algorithms.gradient_boosting import PATIENCE, iterations
from training.preprocess import code_positions, ordinal
from training.problem import Problem


def _build(problem: Problem, params: Params, threads: int) -> Any:
    from lightgbm import LGBMClassifier, LGBMRegressor

    shared = {
        "n_estimators": iterations(params),
        "learning_rate": params["learning_rate"],
        "num_leaves": params["num_leaves"],
        "min_child_samples": params["min_child_samples"],
        "subsample": params["subsample"],
        "subsample_freq": 1,
        "colsample_bytree": params["colsample"],
        "reg_lambda": params["l2"],
        "n_jobs": threads,
        "deterministic": True,
        "force_col_wise": True,
        "random_state": problem.seed,
        "verbosity": -1,
    }
    if problem.classification:
        model = LGBMClassifier(class_weight=weight(params), **shared)
    else:
        model = standardised_target(LGBMRegressor(**shared))
    return pipeline(ordinal(problem), model)


def _boost(model: Any, X: Any, y: Any, X_eval: Any, y_eval: Any, fit_params: Params) -> int:
    from lightgbm import early_stopping

    model.fit(
        X,
        y,
        eval_set=[(X_eval, y_eval)],
        callbacks=[early_stopping(PATIENCE, verbose=False)],
        **fit_params,
    )
    return int(model.best_iteration_ or model.n_estimators)


def _fit_params(problem: Problem, params: Params, y: np.ndarray) -> dict[str, Any]:
    codes = code_positions(problem)
    return {"categorical_feature": codes} if codes else {}


def _space(problem: Problem) -> Space:
    from optuna.distributions import FloatDistribution, IntDistribution

    return {
        "learning_rate": FloatDistribution(0.01, 0.3, log=True),
        "num_leaves": IntDistribution(4, 128, log=True),
        "min_child_samples": IntDistribution(2, 100, log=True),
        "subsample": FloatDistribution(0.5, 1.0),
        "colsample": FloatDistribution(0.4, 1.0),
        "l2": FloatDistribution(1e-6, 10.0, log=True),
        **class_weights(problem),
    }


def _defaults(problem: Problem) -> list[Params]:
    shared = {"l2": 1e-6, **unweighted(problem)}
    return [
        {
            "learning_rate": 0.1,
            "num_leaves": 31,
            "min_child_samples": 20,
            "subsample": 1.0,
            "colsample": 1.0,
            **shared,
        },
        {
            "learning_rate": 0.05,
            "num_leaves": 8,
            "min_child_samples": 10,
            "subsample": 0.8,
            "colsample": 0.8,
            **shared,
        },
    ]


ALGORITHM = Algorithm(
    name="gradient_boosting",
    engine="lightgbm",
    build=_build,
    space=_space,
    defaults=_defaults,
    boost=_boost,
    fit_params=_fit_params,
    trusted_types=(
        "collections.OrderedDict",
        "lightgbm.basic.Booster",
        "lightgbm.sklearn.LGBMClassifier",
        "lightgbm.sklearn.LGBMRegressor",
    ),
)
