"""Support vector machines: with a kernel on small tables, with Nystroem features above.

A kernel machine's cost grows with the square of the rows. Above `KERNEL_ROWS` the kernel is
approximated by Nystroem features (Williams and Seeger, 2001) and the machine is linear, fitted by
stochastic gradient descent. These features take more memory than the table: above `SAMPLE_ROWS`
there are several such machines, each of its own sample of the rows, and their mean predicts.
"""

import math
from typing import Any

import numpy as np

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

KERNEL_ROWS = 4_000
SAMPLE_ROWS = 30_000
#: Classes with fewer rows in a sample might be left out of one.
_SAMPLE_CLASS_ROWS = 50


def _build(problem: Problem, params: Params, threads: int) -> Any:
    if problem.rows > KERNEL_ROWS:
        machine = _averaged(problem, _linear_machine(problem, params))
    elif problem.classification:
        machine = calibrated(_kernel_machine(problem, params))
    else:
        machine = _kernel_machine(problem, params)
    return pipeline(
        scaled(problem), machine if problem.classification else standardised_target(machine)
    )


def _averaged(problem: Problem, machine: Any) -> Any:
    """The mean of machines of samples, as many as it takes to use as many rows as there are."""
    from sklearn.ensemble import BaggingClassifier, BaggingRegressor

    y = problem.y_fitted
    if _sample(problem, y) == len(y):
        return machine
    shared = {
        "n_estimators": math.ceil(len(y) / SAMPLE_ROWS),
        "max_samples": SAMPLE_ROWS / len(y),
        "bootstrap": False,
        "random_state": problem.seed,
    }
    kind = BaggingClassifier if problem.classification else BaggingRegressor
    return kind(machine, **shared)


def _sample(problem: Problem, y: np.ndarray) -> int:
    """How many rows a machine is fitted on, of rows with these targets."""
    size = min(SAMPLE_ROWS, len(y))
    if problem.classification:
        rarest = np.unique(y, return_counts=True)[1].min()
        return size if rarest * size >= _SAMPLE_CLASS_ROWS * len(y) else len(y)
    return size


def _kernel_machine(problem: Problem, params: Params) -> Any:
    from sklearn.svm import SVC, SVR

    gamma = params["gamma"] / len(problem.features)
    if problem.classification:
        return SVC(C=params["C"], gamma=gamma, class_weight=weight(params), cache_size=500)
    return SVR(C=params["C"], gamma=gamma, epsilon=params["epsilon"], cache_size=500)


def _linear_machine(problem: Problem, params: Params) -> Any:
    from sklearn.kernel_approximation import Nystroem
    from sklearn.linear_model import SGDClassifier, SGDRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    features = Nystroem(
        gamma=params["gamma"] / len(problem.features),
        n_components=params["components"],
        random_state=problem.seed,
    )
    shared = {
        # Of the whole table: where a fold has few of its rows, C is to mean the same.
        "alpha": 1.0 / (params["C"] * _sample(problem, problem.y)),
        "average": True,
        "max_iter": 30,
        "n_iter_no_change": 3,
        "random_state": problem.seed,
    }
    if problem.classification:
        machine = calibrated(SGDClassifier(loss="hinge", class_weight=weight(params), **shared))
    else:
        machine = SGDRegressor(
            loss="epsilon_insensitive", epsilon=params["epsilon"], eta0=0.01, **shared
        )
    # Nystroem features are small and unequal; gradient descent wants them of one size.
    return make_pipeline(features, StandardScaler(copy=False), machine)


def _space(problem: Problem) -> Space:
    from optuna.distributions import FloatDistribution, IntDistribution

    space: Space = {
        "C": FloatDistribution(1e-2, 1e3, log=True),
        "gamma": FloatDistribution(1e-3, 10.0, log=True),
        **class_weights(problem),
    }
    if problem.rows > KERNEL_ROWS:
        space["C"] = FloatDistribution(1e-4, 1e1, log=True)
        space["components"] = IntDistribution(50, 300, log=True)
    if not problem.classification:
        space["epsilon"] = FloatDistribution(1e-3, 0.5, log=True)
    return space


def _defaults(problem: Problem) -> list[Params]:
    def configuration(C: float, gamma: float) -> Params:
        params = {"C": C, "gamma": gamma, **unweighted(problem)}
        if problem.rows > KERNEL_ROWS:
            params["C"] = C / 100
            params["components"] = 100
        if not problem.classification:
            params["epsilon"] = 0.1
        return params

    return [configuration(1.0, 1.0), configuration(10.0, 0.3)]


ALGORITHM = Algorithm(
    name="svm",
    build=_build,
    space=_space,
    defaults=_defaults,
    trusted_types=(*SCALED_TYPES, *CALIBRATED_TYPES),
    rows_per_class=3,
    large="single",
)
