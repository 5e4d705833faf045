"""Scores that are made probabilities by Platt's scaling."""

from typing import Any

import numpy as np

from serving.convert import NotConvertible
from serving.convert.combine import mean
from serving.convert.kernel import svc_decision
from serving.convert.linear import decision
from serving.graph import Graph

#: Classifiers whose `decision_function` is compiled.
_DECISIONS = {"RidgeClassifier": decision, "SGDClassifier": decision, "SVC": svc_decision}


def calibrated(estimator: Any, graph: Graph, matrix: str) -> str:
    """The mean of its calibrated classifiers' probabilities."""
    return mean(
        [_one(member, graph, matrix) for member in estimator.calibrated_classifiers_], graph
    )


def _one(member: Any, graph: Graph, matrix: str) -> str:
    name = type(member.estimator).__name__
    if name not in _DECISIONS or member.method != "sigmoid":
        raise NotConvertible(f"{name} calibrated by {member.method!r} has no compiled form")
    scores = _DECISIONS[name](member.estimator, graph, matrix)
    slopes = np.array([calibrator.a_ for calibrator in member.calibrators])
    shifts = np.array([calibrator.b_ for calibrator in member.calibrators])
    lines = graph.affine(scores, np.diag(-slopes), -shifts)
    if len(member.classes) == 2:
        return graph.logistic(lines)
    found = graph.op("Sigmoid", lines)
    total = graph.op("ReduceSum", found, graph.constant([1], np.int64), keepdims=1)
    even = graph.constant(1.0 / len(member.classes))
    none = graph.op("Equal", total, graph.constant(0.0))
    return graph.op("Where", none, even, graph.op("Div", found, total))
