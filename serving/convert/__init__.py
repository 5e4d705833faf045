"""What each fitted estimator is as part of an ONNX graph: one table, a file a family.

A converter reads what `fit` has learnt and writes the same computation. None of them is trusted:
`compile.py` compares each graph with its pipeline.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from serving.graph import Graph

Converter = Callable[[Any, Graph, str], str]

#: Estimator's class -> the module and function that write it. Transformers and regressors give a
#: matrix (n, k), regressors of one column; classifiers give probabilities (n, k).
CONVERTERS = {
    "Pipeline": "combine:pipeline",
    "FrozenEstimator": "combine:frozen",
    "TransformedTargetRegressor": "combine:transformed_target",
    "BaggingClassifier": "combine:bagging_classifier",
    "BaggingRegressor": "combine:bagging_regressor",
    "CalibratedClassifierCV": "calibrate:calibrated",
    "DummyClassifier": "combine:dummy_classifier",
    "DummyRegressor": "combine:dummy_regressor",
    "ColumnTransformer": "prepare:column_transformer",
    "SimpleImputer": "prepare:simple_imputer",
    "StandardScaler": "prepare:standard_scaler",
    "LinearRegression": "linear:regressor",
    "Ridge": "linear:regressor",
    "Lasso": "linear:regressor",
    "ElasticNet": "linear:regressor",
    "SGDRegressor": "linear:regressor",
    "LogisticRegression": "linear:logistic_regression",
    "SVR": "kernel:svr",
    "Nystroem": "kernel:nystroem",
    "DecisionTreeClassifier": "forest:classifier",
    "DecisionTreeRegressor": "forest:regressor",
    "RandomForestClassifier": "forest:classifier",
    "RandomForestRegressor": "forest:regressor",
    "HistGradientBoostingClassifier": "histogram:classifier",
    "HistGradientBoostingRegressor": "histogram:regressor",
    "XGBClassifier": "xgboost:classifier",
    "XGBRegressor": "xgboost:regressor",
    "LGBMClassifier": "lightgbm:classifier",
    "LGBMRegressor": "lightgbm:regressor",
    "FunctionTransformer": "catboost:levels",
    "CatBoostClassifier": "catboost:classifier",
    "CatBoostRegressor": "catboost:regressor",
}


class NotConvertible(ValueError):
    """An estimator, or something that it has learnt, has no converter; the message names it."""


def convert(estimator: Any, graph: Graph, matrix: str) -> str:
    """Write a fitted estimator's computation into a graph.

    Parameters
    ----------
    estimator : estimator
        A transformer, regressor or classifier of scikit-learn or an engine.
    graph : Graph
    matrix : str
        The value that it is given, (n, p).

    Returns
    -------
    str
        Its `transform`, `predict` as (n, 1), or `predict_proba`.

    Raises
    ------
    NotConvertible
    """
    name = type(estimator).__name__
    if name not in CONVERTERS:
        raise NotConvertible(f"{name} has no compiled form")
    module, _, function = CONVERTERS[name].partition(":")
    converter: Converter = getattr(import_module(f"serving.convert.{module}"), function)
    return converter(estimator, graph, matrix)
