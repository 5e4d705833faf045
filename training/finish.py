"""The last step of a candidate: refit on all training rows, then the test rows, once."""

import json
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from training.algorithms import Algorithm, Params
from training.evaluate import METRICS, all_scores, bootstrap, interval, score
from training.fit import Fitted, fit, predict
from training.problem import Problem, example_rows, fold_rows, take

#: A list of [feature, mean, standard deviation], the most important first.
IMPORTANCE_FILE = "importance.json"
_LEARNING_SHARES = (0.1, 0.3)
_IMPORTANCE_REPEATS = 3
_IMPORTANCE_SECONDS = 1.0
_IMPORTANCE_ROWS = 1_000
_IMPORTANCE_CALL = 5_000  # rows


@dataclass(frozen=True)
class Finish:
    """Refit on all training rows, evaluate on the test rows, draw, save into `folder`."""

    params: Params
    predictions: dict[int, np.ndarray]
    folder: Path
    limit: int | None = None


@dataclass(frozen=True)
class Finished:
    """A tuned and tested candidate. Its files are in the folder the caller named.

    Attributes
    ----------
    params : dict
        The configuration, `iterations` included for boosting.
    fold_scores : dict of metric name to list of float
        Every metric on each fold's validation rows.
    test_scores : dict of metric name to float
    test_low, test_high : float
        95 % bootstrap interval of the selection metric.
    samples : ndarray
        The bootstrap samples behind the interval (see `evaluate.bootstrap`).
    test_prediction : ndarray of float64
    sample_prediction : ndarray of float64
        On the first training rows, as many as the model's input example has.
    present : list of int or None
        Class codes the pipeline knows, in the order of its probabilities.
    fit_seconds, predict_seconds_per_row : float
        The refit; the median of one-row predictions.
    model_bytes : int
    seconds : dict of str to float
        Where the time went: refit, test, learning, importance, plots, save.
    """

    params: Params
    fold_scores: dict[str, list[float]]
    test_scores: dict[str, float]
    test_low: float
    test_high: float
    samples: np.ndarray
    test_prediction: np.ndarray
    sample_prediction: np.ndarray
    present: list[int] | None
    fit_seconds: float
    predict_seconds_per_row: float
    model_bytes: int
    seconds: dict[str, float] = field(default_factory=dict)


def finish(request: Finish, algorithm: Algorithm, problem: Problem, threads: int) -> Finished:
    """Refit, evaluate, explain, draw and save one candidate."""
    clock = _Clock()
    fitted = fit(algorithm, problem, request.params, threads=threads)
    clock.lap("refit")
    prediction = predict(fitted, problem.X_test, problem.classes)
    y_test = np.asarray(problem.y_test)
    samples = bootstrap(problem.metric, y_test, prediction, problem.seed)
    low, high = interval(samples)
    test_scores = all_scores(problem.task, y_test, prediction)
    per_row = one_row_seconds(lambda row: predict(fitted, row, problem.classes), problem)
    clock.lap("test")
    learning = _learning_curve(request, algorithm, problem, threads)
    clock.lap("learning")
    importance = permutation_importance(
        lambda rows: predict(fitted, rows, problem.classes), problem, prediction
    )
    clock.lap("importance")
    request.folder.mkdir(parents=True, exist_ok=True)
    (request.folder / IMPORTANCE_FILE).write_text(json.dumps(importance, ensure_ascii=False))
    model_bytes = _save(fitted.pipeline, algorithm, request.folder / "pipeline.skops")
    clock.lap("save")
    draw_plots(
        problem, algorithm.candidate, prediction, request.folder, importance, learning, fitted
    )
    clock.lap("plots")
    return Finished(
        params=request.params,
        fold_scores=fold_scores(problem, request.predictions),
        test_scores=test_scores,
        test_low=low,
        test_high=high,
        samples=samples,
        test_prediction=prediction,
        sample_prediction=predict(fitted, example_rows(problem), problem.classes),
        present=None if fitted.present is None else [int(code) for code in fitted.present],
        fit_seconds=clock.laps["refit"],
        predict_seconds_per_row=per_row,
        model_bytes=model_bytes,
        seconds=clock.laps,
    )


def fold_scores(problem: Problem, predictions: dict[int, np.ndarray]) -> dict[str, list[float]]:
    """Every metric on each predicted fold's validation rows; NaN where they leave it undefined."""
    y = np.asarray(problem.y)
    by_fold = [
        all_scores(problem.task, y[np.asarray(problem.folds[fold][1])], prediction.astype(float))
        for fold, prediction in sorted(predictions.items())
    ]
    names = dict.fromkeys(name for scores in by_fold for name in scores)
    return {name: [scores.get(name, np.nan) for scores in by_fold] for name in names}


def one_row_seconds(predict_one: Any, problem: Problem, seconds: float = 0.3) -> float:
    """The median time of predicting one test row, over at most 20 rows."""
    times: list[float] = []
    for i in range(min(20, len(problem.y_test))):
        row = take(problem.X_test, np.array([i]))
        start = time.perf_counter()
        predict_one(row)
        times.append(time.perf_counter() - start)
        if sum(times) > seconds:
            break
    return float(np.median(times))


def permutation_importance(
    predict_rows: Any, problem: Problem, prediction: np.ndarray
) -> list[tuple[str, float, float]]:
    """How much worse the selection metric gets when a feature's test values are shuffled.

    Breiman (2001), with as many of the test rows as a second of predictions allows.

    Returns
    -------
    list of (feature, mean, standard deviation)
        The most important first.
    """
    names = [feature.name for feature in problem.features]
    y = np.asarray(problem.y_test)
    rng = np.random.default_rng(problem.seed)
    order = rng.permutation(len(y))
    start = time.perf_counter()
    probe = order[:100]
    predict_rows(take(problem.X_test, probe))
    per_row = (time.perf_counter() - start) / len(probe)
    affordable = int(_IMPORTANCE_SECONDS / (per_row * len(names) * _IMPORTANCE_REPEATS))
    rows = order[: max(50, min(_IMPORTANCE_ROWS, affordable))]
    X, y = take(problem.X_test, rows), y[rows]
    sign = 1.0 if METRICS[problem.metric].greater_is_better else -1.0
    base = score(problem.metric, y, prediction[rows])
    drops = np.empty((len(names), _IMPORTANCE_REPEATS))
    # As many shuffles in one call as there are rows for: a call costs more than its rows.
    at_once = max(1, _IMPORTANCE_CALL // len(y))
    every = [(column, repeat) for column in range(len(names)) for repeat in range(drops.shape[1])]
    for begin in range(0, len(every), at_once):
        cells = every[begin : begin + at_once]
        predicted = predict_rows(_stacked([_shuffled(X, column, rng) for column, _ in cells]))
        for cell, part in zip(cells, np.split(predicted, len(cells)), strict=True):
            drops[cell] = sign * (base - score(problem.metric, y, part))
    found = [
        (name, float(mean), float(std))
        for name, mean, std in zip(names, drops.mean(axis=1), drops.std(axis=1), strict=True)
        if np.isfinite(mean)
    ]
    return sorted(found, key=lambda item: -item[1])


def _stacked(parts: list[Any]) -> Any:
    if hasattr(parts[0], "iloc"):
        import pandas as pd

        return pd.concat(parts, ignore_index=True)
    return np.concatenate(parts)


def _shuffled(X: Any, column: int, rng: np.random.Generator) -> Any:
    changed = X.copy()
    if hasattr(changed, "iloc"):
        name = changed.columns[column]
        changed[name] = rng.permutation(changed[name].to_numpy())
    else:
        changed[:, column] = rng.permutation(changed[:, column])
    return changed


def _learning_curve(
    request: Finish, algorithm: Algorithm, problem: Problem, threads: int
) -> list[tuple[int, float, float]]:
    """Score on the first fold's validation rows after fitting on a share of its rows."""
    fold = min(request.predictions)
    rows, valid = fold_rows(problem, fold, request.limit)
    X, y = take(problem.X, valid), np.asarray(problem.y)[valid]
    points = []
    for share in _LEARNING_SHARES:
        part, _ = fold_rows(problem, fold, max(10, int(len(rows) * share)))
        if len(part) < len(rows):
            # What all rows allow, a tenth of them may not: a point less, not a candidate less.
            with suppress(Exception):
                fitted = fit(algorithm, problem, request.params, part, threads)
                points.append((len(part), predict(fitted, X, problem.classes)))
    points.append((len(rows), request.predictions[fold].astype(float)))
    curve = []
    for size, prediction in points:
        spread = bootstrap(problem.metric, y, prediction, problem.seed, resamples=30)
        value = score(problem.metric, y, prediction)
        if np.isfinite(value):
            curve.append((size, value, float(np.nanstd(spread))))
    return curve


def _save(pipeline: Any, algorithm: Algorithm, path: Path) -> int:
    from zipfile import ZIP_DEFLATED

    import skops.io

    skops.io.dump(pipeline, path, compression=ZIP_DEFLATED, compresslevel=1)
    unknown = sorted(set(skops.io.get_untrusted_types(file=path)) - set(algorithm.trusted_types))
    if unknown:
        raise TypeError(
            f"the pipeline holds types that {algorithm.candidate} does not list as trusted: "
            + ", ".join(unknown)
        )
    return path.stat().st_size


def draw_plots(
    problem: Problem,
    candidate: str,
    prediction: np.ndarray,
    folder: Path,
    importance: list[tuple[str, float, float]] | None = None,
    learning: list[tuple[int, float, float]] | None = None,
    fitted: Fitted | None = None,
) -> None:
    """Draw every plot that the task and the given parts allow into `folder`/plots."""
    from training.explain import coefficients
    from training.plots import draw
    from training.plots.data import PlotData

    plots = folder / "plots"
    plots.mkdir(parents=True, exist_ok=True)
    data = PlotData(
        candidate=candidate,
        task=problem.task,
        classes=list(problem.labels),
        y=np.asarray(problem.y_test),
        prediction=prediction,
        importance=importance or [],
        coefficients=coefficients(fitted.pipeline, problem) if fitted else None,
        learning=learning or [],
        metric=problem.metric,
    )
    draw(data, plots)


class _Clock:
    """Seconds between laps."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name] = now - self._last
        self._last = now
