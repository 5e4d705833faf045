"""CatBoost with native categories, those of many levels too.

A category of few levels is asked for one of them, others for how often the rows of their level had
which target: CatBoost's ordered statistics. Combinations of categories are left out: what is known
of one column's level is a table, which `serving/convert` can write down.

Of a large table the pipeline's cross-fitted target encoding stands in for these statistics. There
it is as good, and CatBoost takes a third as long a tree.
"""

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
from training.preprocess import code_positions, ordinal
from training.problem import Problem
from training.schema import MAX_LEVELS

#: CatBoost's time a tree is an order above the other engines'.
_MOST = 1_000
#: Up to this many rows categories of any number of levels are native. At 300,000, CatBoost's
#: statistics took three times as long a fit (49 s of CPU, not 16) for no better a score (ROC AUC
#: 0.8304, not 0.8308).
NATIVE_ROWS = 100_000
#: Up to so many levels a split asks for one of them, beyond for their statistics.
_ONE_HOT_LEVELS = 10
#: What `with_levels` makes of a missing category.
MISSING = -1
#: Up to this many rows an array of objects is faster than a frame, beyond it is larger and slower.
_FEW_ROWS = 64


def with_levels(X: np.ndarray, codes: list[int]) -> Any:
    """Rows in a form that CatBoost takes categories in: as whole numbers, which it reads as words.

    Parameters
    ----------
    X : ndarray of float64, (n, p)
    codes : list of int
        The columns that are codes of categories; NaN there becomes `MISSING`.

    Returns
    -------
    ndarray of object or, of many rows, DataFrame of float32 and int32, (n, p)
    """
    whole = np.where(np.isnan(X[:, codes]), MISSING, X[:, codes]).astype(np.int32)
    if len(X) <= _FEW_ROWS:
        cells = X.astype(object)
        cells[:, codes] = whole
        return cells
    import pandas as pd

    columns: dict[int, Any] = {at: X[:, at].astype(np.float32) for at in range(X.shape[1])}
    columns.update(zip(codes, whole.T, strict=True))
    return pd.DataFrame(columns, copy=False)


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
        "max_ctr_complexity": 1,
        "one_hot_max_size": _ONE_HOT_LEVELS,
        "verbose": False,
        "allow_writing_files": False,
    }
    if problem.classification:
        balanced = params.get("class_weight") == "balanced"
        weights = {"auto_class_weights": "Balanced"} if balanced else {}
        model = CatBoostClassifier(**shared, **weights)
    else:
        model = standardised_target(CatBoostRegressor(**shared))
    return pipeline(_preprocess(problem), model)


def _preprocess(problem: Problem) -> Any:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    prepared = ordinal(problem, _native(problem))
    codes = code_positions(problem, _native(problem))
    if not codes:
        return prepared
    return make_pipeline(prepared, FunctionTransformer(with_levels, kw_args={"codes": codes}))


def _native(problem: Problem) -> int:
    """The most levels that a native category has."""
    return MAX_LEVELS if problem.rows <= NATIVE_ROWS else _ONE_HOT_LEVELS


def _boost(model: Any, X: Any, y: Any, X_eval: Any, y_eval: Any, fit_params: Params) -> int:
    model.fit(
        X,
        y,
        eval_set=(X_eval, y_eval),
        early_stopping_rounds=PATIENCE,
        use_best_model=True,
        **fit_params,
    )
    return int(model.tree_count_) or 1


def _fit_params(problem: Problem, params: Params, y: np.ndarray) -> dict[str, Any]:
    # Not for the constructor, which keeps a copy: scikit-learn refuses to clone such an estimator.
    codes = code_positions(problem, _native(problem))
    return {"cat_features": codes} if codes else {}


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
    fit_params=_fit_params,
    trusted_types=(
        "catboost.core.CatBoostClassifier",
        "catboost.core.CatBoostRegressor",
        "training.algorithms.gradient_boosting.catboost.with_levels",
    ),
)
