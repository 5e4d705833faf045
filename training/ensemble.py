"""Greedy weighted average of the candidates' predictions (Caruana et al., ICML 2004)."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from training.aside import call_aside
from training.evaluate import METRICS, all_scores, bootstrap, interval, score
from training.finish import Finished, draw_plots, fold_scores, one_row_seconds
from training.fit import member_prediction
from training.problem import Problem, example_rows, load
from training.scoring import load_pipeline

NAME = "ensemble"

_ROUNDS = 30
_PATIENCE = 5
_ROWS = 10_000


@dataclass(frozen=True)
class Member:
    """A candidate in the average."""

    candidate: str
    weight: float
    path: Path
    present: list[int] | None
    fit_seconds: float


def select(metric: str, y: np.ndarray, predictions: dict[str, np.ndarray]) -> dict[str, float]:
    """Choose the members and their weights.

    Starts from the best candidate and adds, with replacement, whichever candidate improves the
    average most, until none has for five rounds.

    Parameters
    ----------
    metric : str
    y : ndarray, (n,)
    predictions : dict of candidate to ndarray, (n,) or (n, k)
        Out-of-fold predictions on the same rows.

    Returns
    -------
    dict of candidate to weight
        Weights are positive and sum to 1.
    """
    sign = 1.0 if METRICS[metric].greater_is_better else -1.0
    chosen: list[str] = []
    total: Any = 0.0
    best, best_count = -np.inf, 0
    for count in range(1, _ROUNDS + 1):
        values = {
            name: sign * score(metric, y, (total + prediction) / count)
            for name, prediction in predictions.items()
        }
        name = max(values, key=lambda item: values[item])
        chosen.append(name)
        total = total + predictions[name]
        if values[name] > best + 1e-9:
            best, best_count = values[name], count
        elif count - best_count >= _PATIENCE:
            break
    kept = Counter(chosen[: max(1, best_count)])
    return {name: times / kept.total() for name, times in kept.items()}


def average(weights: dict[str, float], predictions: dict[str, np.ndarray]) -> np.ndarray:
    """The weighted average of some candidates' predictions on the same rows."""
    return np.asarray(
        sum(weight * predictions[name] for name, weight in weights.items()), dtype=np.float64
    )


def cross_fitted(
    problem: Problem, predictions: dict[str, dict[int, np.ndarray]]
) -> tuple[dict[str, float], dict[int, np.ndarray]]:
    """Weights from all folds, and predictions on each fold with weights from the others.

    Parameters
    ----------
    problem : Problem
    predictions : dict of candidate to dict of fold to ndarray
        Out-of-fold predictions of candidates that have all folds.

    Returns
    -------
    weights : dict of candidate to float
    held_out : dict of fold to ndarray
        For an honest cross-validation score: no fold has chosen its own weights.
    """
    folds = range(len(problem.folds))
    weights = _select_on(problem, predictions, list(folds))
    held_out = {}
    for fold in folds:
        others = [other for other in folds if other != fold]
        chosen = _select_on(problem, predictions, others) if others else weights
        held_out[fold] = average(
            chosen, {name: by_fold[fold].astype(float) for name, by_fold in predictions.items()}
        )
    return weights, held_out


def _select_on(
    problem: Problem, predictions: dict[str, dict[int, np.ndarray]], folds: list[int]
) -> dict[str, float]:
    valid = np.concatenate([np.asarray(problem.folds[fold][1]) for fold in folds])
    rows = np.random.default_rng(problem.seed).permutation(len(valid))[:_ROWS]
    joined = {
        name: np.concatenate([by_fold[fold] for fold in folds])[rows].astype(float)
        for name, by_fold in predictions.items()
    }
    return select(problem.metric, np.asarray(problem.y)[valid][rows], joined)


def in_own_process(
    problem_folder: Path,
    members: list[Member],
    held_out: dict[int, np.ndarray],
    test_predictions: dict[str, np.ndarray],
    folder: Path,
) -> Finished:
    """Evaluate an ensemble of finished candidates as if it were one.

    In a process of its own, since it loads every member's library.

    Parameters
    ----------
    problem_folder : Path
        Where `problem.save` wrote the problem.
    members : list of Member
    held_out : dict of fold to ndarray
        See `cross_fitted`.
    test_predictions : dict of candidate to ndarray
        Of the members.
    folder : Path
        Where the plots go.
    """
    given = (problem_folder, members, held_out, test_predictions, folder)
    finished: Finished = call_aside("training.ensemble:evaluate", *given)
    return finished


def evaluate(
    problem_folder: Path,
    members: list[Member],
    held_out: dict[int, np.ndarray],
    test_predictions: dict[str, np.ndarray],
    folder: Path,
) -> Finished:
    """Evaluate an ensemble here (see `in_own_process`)."""
    problem = load(problem_folder)
    weights = {member.candidate: member.weight for member in members}
    prediction = average(weights, test_predictions)
    y_test = np.asarray(problem.y_test)
    samples = bootstrap(problem.metric, y_test, prediction, problem.seed)
    low, high = interval(samples)
    pipelines = [load_pipeline(member.path, member.candidate) for member in members]

    def predict_rows(X: Any) -> np.ndarray:
        rows = {
            member.candidate: member_prediction(pipeline, _codes(member), X, problem.classes)
            for member, pipeline in zip(members, pipelines, strict=True)
        }
        return average(weights, rows)

    draw_plots(problem, NAME, prediction, folder)
    return Finished(
        params={f"weight.{name}": round(weight, 4) for name, weight in weights.items()},
        fold_scores=fold_scores(problem, held_out),
        test_scores=all_scores(problem.task, y_test, prediction),
        test_low=low,
        test_high=high,
        samples=samples,
        test_prediction=prediction,
        sample_prediction=predict_rows(example_rows(problem)),
        present=None,
        fit_seconds=sum(member.fit_seconds for member in members),
        predict_seconds_per_row=one_row_seconds(predict_rows, problem),
        model_bytes=sum(member.path.stat().st_size for member in members),
    )


def _codes(member: Member) -> np.ndarray | None:
    return None if member.present is None else np.asarray(member.present)
