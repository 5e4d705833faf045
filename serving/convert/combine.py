"""Estimators that are made of others, or of nothing."""

from typing import Any

import numpy as np

from serving.convert import NotConvertible, convert
from serving.graph import Graph


def pipeline(estimator: Any, graph: Graph, matrix: str) -> str:
    """Step by step."""
    for _, step in estimator.steps:
        if step not in ("passthrough", None):
            matrix = convert(step, graph, matrix)
    return matrix


def frozen(estimator: Any, graph: Graph, matrix: str) -> str:
    """What it holds."""
    return convert(estimator.estimator, graph, matrix)


def transformed_target(estimator: Any, graph: Graph, matrix: str) -> str:
    """Its regressor, in the target's units."""
    scaler = estimator.transformer_
    if type(scaler).__name__ != "StandardScaler":
        raise NotConvertible(f"a target transformed by {type(scaler).__name__} is not compiled")
    found = convert(estimator.regressor_, graph, matrix)
    return graph.affine(found, np.diag(scaler.scale_), scaler.mean_)


def bagging_classifier(estimator: Any, graph: Graph, matrix: str) -> str:
    """The mean of the members' probabilities."""
    if any(len(member.classes_) != estimator.n_classes_ for member in estimator.estimators_):
        raise NotConvertible("a member of a BaggingClassifier does not know all classes")
    return _mean(estimator, graph, matrix)


def bagging_regressor(estimator: Any, graph: Graph, matrix: str) -> str:
    """The mean of the members' predictions."""
    return _mean(estimator, graph, matrix)


def dummy_classifier(estimator: Any, graph: Graph, matrix: str) -> str:
    """The classes' frequencies."""
    if estimator.strategy != "prior":
        raise NotConvertible(f"DummyClassifier of strategy {estimator.strategy!r} is not compiled")
    return graph.repeated(estimator.class_prior_, matrix)


def dummy_regressor(estimator: Any, graph: Graph, matrix: str) -> str:
    """The mean."""
    return graph.repeated(np.ravel(estimator.constant_), matrix)


def mean(members: list[str], graph: Graph) -> str:
    """The mean of values of one shape."""
    return graph.weighted(members, [1 / len(members)] * len(members))


def _mean(estimator: Any, graph: Graph, matrix: str) -> str:
    members = []
    for member, features in zip(estimator.estimators_, estimator.estimators_features_, strict=True):
        whole = np.array_equal(features, np.arange(estimator.n_features_in_))
        given = matrix if whole else graph.columns(matrix, features)
        members.append(convert(member, graph, given))
    return mean(members, graph)
