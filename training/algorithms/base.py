"""What an algorithm is: how its pipeline is built, what is searched, what is tried first."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from training.problem import Problem

#: What skops is to trust of `calibrated`.
CALIBRATED_TYPES = (
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
)
Params = dict[str, Any]
#: Parameter names and their `optuna.distributions`.
Space = dict[str, Any]


@dataclass(frozen=True)
class Algorithm:
    """One algorithm with one engine: a candidate once it is tuned on a table.

    Attributes
    ----------
    name : str
        One of the six families, e.g. `gradient_boosting`.
    engine : str or None
        The library behind it where there is a choice.
    build : callable (problem, params, threads) -> Pipeline
        An unfitted scikit-learn pipeline with the steps `preprocess` and `model`. What depends on
        how many rows it is fitted on asks `problem.y_fitted`: a fold may have few of the table's.
    space : callable (problem) -> Space
        What is searched.
    defaults : callable (problem) -> list of Params
        Configurations tried before the search, the best guess first.
    trusted_types : tuple of str
        The types a saved pipeline may hold beyond what skops trusts; reviewed by hand.
    boost : callable or None
        For boosting: fit the model step with early stopping. Takes (model, X, y, X_eval, y_eval,
        fit parameters), returns the best number of iterations. The parameter `iterations` in
        `params` then fixes that number for the refit.
    fit_params : callable (problem, params, y) -> dict
        What the model step's `fit` is given besides rows.
    rows_per_class : int, default 1
        Classes with fewer rows are left out of a fit (calibration needs some of each).
    large : {'', 'sparse', 'single', 'unscaled'}
        What the model step takes of a large table: `preprocess.scaled`'s output as a sparse matrix,
        the same in single precision, or `preprocess.ordinal`'s in single precision and on few
        values (see `binning`).
    sample_rows : int or None
        Fits on more rows than this cost little more.
    not_applicable : mapping of task to reason
        Tasks on which the algorithm has no meaning.
    """

    name: str
    build: Callable[[Problem, Params, int], Any]
    space: Callable[[Problem], Space]
    defaults: Callable[[Problem], list[Params]]
    engine: str | None = None
    trusted_types: tuple[str, ...] = ()
    boost: Callable[..., int] | None = None
    fit_params: Callable[[Problem, Params, np.ndarray], dict[str, Any]] | None = None
    rows_per_class: int = 1
    large: str = ""
    sample_rows: int | None = None
    not_applicable: Mapping[str, str] = field(default_factory=dict)

    @property
    def candidate(self) -> str:
        """`gradient_boosting:xgboost`, or the name alone where there is one engine."""
        return f"{self.name}:{self.engine}" if self.engine else self.name


def pipeline(preprocess: Any, model: Any) -> Any:
    """The pipeline every candidate is."""
    from sklearn.pipeline import Pipeline

    return Pipeline([("preprocess", preprocess), ("model", model)])


def class_weights(problem: Problem) -> Space:
    """Class imbalance as a searched choice; nothing for regression."""
    from optuna.distributions import CategoricalDistribution

    if not problem.classification:
        return {}
    return {"class_weight": CategoricalDistribution(("none", "balanced"))}


def unweighted(problem: Problem) -> Params:
    """The default choice in `class_weights`' space."""
    return {"class_weight": "none"} if problem.classification else {}


def weight(params: Params) -> str | None:
    """scikit-learn's `class_weight` for a choice made in `class_weights`' space."""
    return "balanced" if params.get("class_weight") == "balanced" else None


def calibrated(classifier: Any) -> Any:
    """Give a classifier without probabilities Platt-scaled ones, fitted on held-out scores."""
    from sklearn.calibration import CalibratedClassifierCV

    return CalibratedClassifierCV(classifier, method="sigmoid", cv=3, ensemble=False)


def standardised_target(regressor: Any) -> Any:
    """Fit a regressor on a target of mean 0 and deviation 1; it predicts in the target's units."""
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.preprocessing import StandardScaler

    return TransformedTargetRegressor(regressor=regressor, transformer=StandardScaler())
