"""scikit-learn's histogram gradient boosting."""

from typing import Any

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
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    shared = {
        "learning_rate": params["learning_rate"],
        "max_leaf_nodes": params["max_leaf_nodes"],
        "min_samples_leaf": params["min_samples_leaf"],
        "l2_regularization": params["l2"],
        "max_features": params["max_features"],
        "max_iter": iterations(params),
        "early_stopping": False,
        "n_iter_no_change": PATIENCE,
        "categorical_features": code_positions(problem) or None,
        "random_state": problem.seed,
    }
    if problem.classification:
        model = HistGradientBoostingClassifier(class_weight=weight(params), **shared)
    else:
        model = standardised_target(HistGradientBoostingRegressor(**shared))
    return pipeline(ordinal(problem), model)


def _boost(model: Any, X: Any, y: Any, X_eval: Any, y_eval: Any, fit_params: Params) -> int:
    model.set_params(early_stopping=True)
    model.fit(X, y, X_val=X_eval, y_val=y_eval, **fit_params)
    return max(1, int(model.n_iter_) - PATIENCE)


def _space(problem: Problem) -> Space:
    from optuna.distributions import FloatDistribution, IntDistribution

    return {
        "learning_rate": FloatDistribution(0.01, 0.3, log=True),
        "max_leaf_nodes": IntDistribution(4, 128, log=True),
        "min_samples_leaf": IntDistribution(2, 100, log=True),
        "l2": FloatDistribution(1e-6, 10.0, log=True),
        "max_features": FloatDistribution(0.4, 1.0),
        **class_weights(problem),
    }


def _defaults(problem: Problem) -> list[Params]:
    shared = {"l2": 1e-6, "max_features": 1.0, **unweighted(problem)}
    return [
        {"learning_rate": 0.1, "max_leaf_nodes": 31, "min_samples_leaf": 20, **shared},
        {"learning_rate": 0.05, "max_leaf_nodes": 8, "min_samples_leaf": 10, **shared},
    ]


ALGORITHM = Algorithm(
    name="gradient_boosting",
    engine="sklearn",
    build=_build,
    space=_space,
    defaults=_defaults,
    boost=_boost,
    trusted_types=(
        # It passes numbers by categories through a `FunctionTransformer` of `check_array`.
        "functools.partial",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.utils.validation.check_array",
    ),
)
