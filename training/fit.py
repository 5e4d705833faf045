"""One fit: rows in, a fitted pipeline out. The same for a fold, a learning curve and the refit."""

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from training.algorithms import Algorithm, Params
from training.binning import snap
from training.chunks import CHUNK, chunks, fit_transform
from training.problem import Problem, take

EARLY_STOPPING_SHARE = 0.1


@dataclass(frozen=True)
class Fitted:
    """A fitted pipeline and what belongs to it.

    Attributes
    ----------
    pipeline : Pipeline
        Predicts positions in `present`, or numbers for regression.
    present : ndarray of int64 or None
        The class codes the fit has seen, ascending; None for regression.
    iterations : int or None
        The number of trees early stopping chose.
    """

    pipeline: Any
    present: np.ndarray | None
    iterations: int | None = None


def fit(
    algorithm: Algorithm,
    problem: Problem,
    params: Params,
    rows: np.ndarray | None = None,
    threads: int = 1,
) -> Fitted:
    """Fit an algorithm's pipeline on some of a problem's training rows.

    Parameters
    ----------
    algorithm : Algorithm
    problem : Problem
    params : dict
        A point of the algorithm's space. With `iterations` in it a boosting model grows that
        many trees; without, it stops early on a held-out tenth of `rows`.
    rows : ndarray of int, optional
        Positions into `problem.X`; all rows if not given.
    threads : int, default 1

    Returns
    -------
    Fitted
    """
    rows = np.arange(problem.rows) if rows is None else np.asarray(rows)
    present: np.ndarray | None = None
    y = np.asarray(problem.y)
    if problem.classification:
        kept = _enough_of_each_class(y, rows, algorithm.rows_per_class)
        rows, too_few = (kept, False) if len(kept) else (rows, True)
        present = np.unique(y[rows])
        y = np.searchsorted(present, y)
        if too_few:
            return Fitted(_constant(problem, rows, y), present)
    if not (_varies(y[rows]) and _any_varies(problem.X, rows)):
        return Fitted(_constant(problem, rows, y), present)
    pipeline = algorithm.build(replace(problem, fitted=y[rows]), params, threads)
    with warnings.catch_warnings():
        # Convergence and rare-class warnings of single trials would bury what the user should read.
        warnings.simplefilter("ignore")
        if algorithm.boost is None or "iterations" in params:
            extra = _fit_params(algorithm, problem, params, y[rows])
            steps = {f"model__{name}": value for name, value in extra.items()}
            if algorithm.large and len(rows) > CHUNK and not hasattr(problem.X, "iloc"):
                X = _made_of_large(algorithm.large, pipeline, problem.X, rows, y[rows])
                pipeline[-1].fit(X, y[rows], **extra)
            else:
                pipeline.fit(_filled(take(problem.X, rows)), y[rows], **steps)
            if algorithm.boost is None and hasattr(pipeline[-1], "n_jobs"):
                # Threads are for the fit: to predict a row, a pool of them takes longer than one.
                pipeline[-1].set_params(n_jobs=None)
            return Fitted(pipeline, present)
        iterations = _fit_early(algorithm, problem, params, pipeline, rows, y)
    return Fitted(pipeline, present, iterations)


def predict(fitted: Fitted, X: Any, classes: int) -> np.ndarray:
    """Predict numbers (n,), or probabilities (n, classes) with 0 for classes never seen."""
    return member_prediction(fitted.pipeline, fitted.present, X, classes)


def member_prediction(
    pipeline: Any, present: np.ndarray | None, X: Any, classes: int
) -> np.ndarray:
    if len(X) > CHUNK:  # a wide table's one-hot columns are many times its size
        parts = (take(X, chunk) for chunk in chunks(len(X)))
        return np.concatenate(
            [member_prediction(pipeline, present, part, classes) for part in parts]
        )
    with warnings.catch_warnings():
        # LightGBM names the columns it was given as an array and then warns of missing names.
        warnings.filterwarnings("ignore", message="X does not have valid feature names")
        # A level that a fold has not seen, or that is new, is what the encoder is made for.
        warnings.filterwarnings("ignore", message="Found unknown categories in columns")
        if present is None:
            return np.asarray(pipeline.predict(X), dtype=np.float64).ravel()
        seen = np.asarray(pipeline.predict_proba(X), dtype=np.float64)
    if len(present) == classes:
        return seen
    probabilities = np.zeros((len(seen), classes))
    probabilities[:, present] = seen
    return probabilities


def _made_of_large(
    large: str, pipeline: Any, X: np.ndarray, rows: np.ndarray, y: np.ndarray
) -> Any:
    """What the model step is fitted on, with nothing else of a table's size left in memory."""
    made = fit_transform(pipeline[0], X, rows, y, large == "sparse")
    if large == "unscaled":
        snap(made)
    return made


def _fit_early(
    algorithm: Algorithm,
    problem: Problem,
    params: Params,
    pipeline: Any,
    rows: np.ndarray,
    y: np.ndarray,
) -> int:
    from sklearn.frozen import FrozenEstimator

    kept, held = _hold_out(problem, rows, y)
    if not _stands_for(y[kept], y[rows], problem):
        kept, held = _any_tenth(problem, rows, y)
    if not _stands_for(y[kept], y[rows], problem):
        kept, held = rows, rows[: max(1, len(rows) // 10)]
    preprocess, model = pipeline[:-1], pipeline[-1]
    X = preprocess.fit_transform(_filled(take(problem.X, kept)), y[kept])
    X_held = preprocess.transform(take(problem.X, held))
    assert algorithm.boost is not None
    extra = _fit_params(algorithm, problem, params, y[kept])
    if problem.classification:
        return algorithm.boost(model, X, y[kept], X_held, y[held], extra)
    scale = model.transformer.fit(y[kept, None])
    z, z_held = (scale.transform(y[part, None]).ravel() for part in (kept, held))
    iterations = algorithm.boost(model.regressor, X, z, X_held, z_held, extra)
    model.set_params(regressor=FrozenEstimator(model.regressor)).fit(X, y[kept])
    return iterations


def _hold_out(problem: Problem, rows: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split rows for early stopping: the last in time, whole groups, or a stratified tenth."""
    if problem.forward:
        size = max(1, int(len(rows) * EARLY_STOPPING_SHARE))
        return rows[:-size], rows[-size:]
    if problem.groups is not None:
        rng = np.random.default_rng(problem.seed)
        groups = np.asarray(problem.groups)[rows]
        names, sizes = np.unique(groups, return_counts=True)
        # One that has most of the rows is to be learnt from.
        order = rng.permutation(names[sizes <= len(rows) / 2])
        held = np.isin(groups, order[: max(1, int(len(names) * EARLY_STOPPING_SHARE))])
        if held.any():
            return rows[~held], rows[held]
    return _any_tenth(problem, rows, y)


def _any_tenth(problem: Problem, rows: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Hold a tenth of the rows out, of each class where there are classes."""
    size = max(1, int(len(rows) * EARLY_STOPPING_SHARE))
    rng = np.random.default_rng(problem.seed)
    if not problem.classification:
        shuffled = rng.permutation(rows)
        return np.sort(shuffled[size:]), np.sort(shuffled[:size])
    # Every tenth row of each class, so that a rare class is on both sides wherever it can be.
    shuffled = rng.permutation(rows)
    by_class = shuffled[np.argsort(y[shuffled], kind="stable")]
    counts = np.bincount(y[by_class])
    place = np.arange(len(by_class)) - np.repeat(np.cumsum(counts) - counts, counts)
    held = place % 10 == 1
    if not held.any():
        held[-1] = True
    return np.sort(by_class[~held]), np.sort(by_class[held])


def _stands_for(kept: np.ndarray, y: np.ndarray, problem: Problem) -> bool:
    """Whether some of the rows can be learnt from as well as all: no class lost, not constant."""
    if problem.classification:
        return len(np.unique(kept)) == len(np.unique(y))
    return _varies(kept)


def _enough_of_each_class(y: np.ndarray, rows: np.ndarray, least: int) -> np.ndarray:
    if least <= 1:
        return rows
    rare = np.flatnonzero(np.bincount(y[rows]) < least)
    return rows[~np.isin(y[rows], rare)]


def _constant(problem: Problem, rows: np.ndarray, y: np.ndarray) -> Any:
    """What there is to predict where nothing can be learnt: class frequencies, or the mean."""
    from sklearn.dummy import DummyClassifier, DummyRegressor

    from training.algorithms.base import pipeline

    model = DummyClassifier(strategy="prior") if problem.classification else DummyRegressor()
    return pipeline("passthrough", model).fit(take(problem.X, rows), y[rows])


def _varies(values: np.ndarray) -> bool:
    return len(values) > 0 and bool((values != values[0]).any())


def _any_varies(X: Any, rows: np.ndarray) -> bool:
    """Whether any feature has two values in these rows; usually the first one has."""
    for column in range(X.shape[1]):
        values = np.asarray(X.iloc[rows, column] if hasattr(X, "iloc") else X[rows, column])
        if values.dtype == object:
            if _varies(values):
                return True
            continue
        gaps = np.isnan(values)
        if _varies(gaps) or (not gaps.all() and _varies(values[~gaps])):
            return True
    return False


def _filled(X: Any) -> Any:
    """Put 0 where a feature has no value in any row: scikit-learn's histograms fail on none.

    Parameters
    ----------
    X : ndarray or DataFrame
        A copy of some rows; is changed.
    """
    if not hasattr(X, "iloc"):
        X[:, np.isnan(X).all(axis=0)] = 0.0
        return X
    for place, dtype in enumerate(X.dtypes):
        if dtype.kind != "O" and X.iloc[:, place].isna().all():
            X.isetitem(place, 0.0)
    return X


def _fit_params(
    algorithm: Algorithm, problem: Problem, params: Params, y: np.ndarray
) -> dict[str, Any]:
    return algorithm.fit_params(problem, params, y) if algorithm.fit_params else {}
