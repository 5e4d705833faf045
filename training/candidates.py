"""The candidates of a training: searched, refitted, tested, and each recorded when it is done."""

import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np

from training import ensemble, leaderboard, problem
from training.card import candidate_card
from training.contender import Options
from training.ensemble import Member
from training.finish import Finished
from training.model import Part
from training.predictions import write_predictions
from training.prepare import Prepared
from training.progress import Progress
from training.record import Recorder
from training.refit import refit
from training.search import Search, Tuned
from training.worker import Failure


@dataclass(frozen=True)
class Outcome:
    """A candidate's row of the leaderboard, and its results if it was trained.

    Attributes
    ----------
    row : dict
    tuned : Tuned or None
    finished : Finished or None
    pipeline : Path or None
        Its skops file.
    """

    row: dict[str, Any]
    tuned: Tuned | None = None
    finished: Finished | None = None
    pipeline: Path | None = None


def train_candidates(
    prepared: Prepared,
    candidates: list[str],
    folder: Path,
    options: Options,
    recorder: Recorder,
    progress: Progress,
) -> Iterator[Outcome]:
    """Search, refit and test the candidates; each is recorded as soon as it is done."""
    began = time.time()
    search = Search(candidates, prepared.problem, folder / problem.FOLDER, options, progress)
    try:
        progress.stage(
            f"searching {len(candidates)} candidates for {options.budget:g} s, "
            f"{options.slots} at a time"
        )
        progress.search(options.budget, prepared.problem.metric)
        # What the first model would wait for when it is logged. The search imports nothing itself:
        # modules that need each other must not be imported from two sides.
        importing = Thread(target=import_module, args=("mlflow.pyfunc",))
        importing.start()
        tuned = search.tune()
        importing.join()
        progress.searching_ends()
        progress.stage("refitting on all training rows, then testing, once each")
        for name, item in tuned.items():
            if isinstance(item, Failure):
                yield failed(name, item, recorder, began)
        for name, result in refit(search.contenders, tuned, options, folder / "candidates"):
            if isinstance(result, Failure):
                progress.failed(name, result.reason)
                yield failed(name, result, recorder, began)
            else:
                files = folder / "candidates" / name
                item = tuned[name]
                assert isinstance(item, Tuned)
                yield finished(name, item, result, files, prepared, recorder, began)
    finally:
        progress.searching_ends()
        search.close()


def failed(name: str, failure: Failure, recorder: Recorder, began: float) -> Outcome:
    """Record a candidate that failed."""
    run_id = recorder.failure(name, failure.reason, failure.detail, began)
    return Outcome(leaderboard.row(name, "failed", reason=failure.reason, run_id=run_id))


def finished(
    name: str,
    tuned: Tuned,
    result: Finished,
    files: Path,
    prepared: Prepared,
    recorder: Recorder,
    began: float,
    parts: list[Part] | None = None,
) -> Outcome:
    """Record a candidate that was trained, with all its files."""
    pipeline = files / "pipeline.skops"
    parts = parts or [Part(name, pipeline.rename(files.with_suffix(".skops")), result.present)]
    predictions = result.test_prediction
    write_predictions(
        files / "predictions.parquet", prepared.problem, tuned.predictions, predictions
    )
    leaderboard.write_trials(files / "search.csv", tuned.trials)
    schema = prepared.subject.schema
    row = leaderboard.finished_row(name, prepared.problem.metric, tuned, result)
    facts = {
        "task": schema.task,
        "metric": prepared.problem.metric,
        "rows": schema.rows,
        "target": schema.target.name,
        "fingerprint": schema.fingerprint,
        "run_id": recorder.run_id,
    }
    done, folds = len(tuned.predictions), len(prepared.problem.folds)
    if done < folds:
        row["reason"] = f"validated on {done} of {folds} folds only: the budget ended"
    card = candidate_card(row, facts, result.params, prepared.warnings)
    run_id, model_uri = recorder.candidate(name, tuned, result, files, parts, card, began)
    row |= {"run_id": run_id, "model_uri": model_uri}
    return Outcome(row, tuned, result, parts[0].path)


def average(
    prepared: Prepared,
    outcomes: list[Outcome],
    folder: Path,
    recorder: Recorder,
    progress: Progress,
) -> list[Outcome]:
    """Average the candidates that have predictions on every fold; needs two of them."""
    task = prepared.problem
    whole = {
        item.row["name"]: item
        for item in outcomes
        if item.tuned and len(item.tuned.predictions) == len(task.folds)
    }
    if len(whole) < 2:
        return []
    began = time.time()
    progress.stage("averaging the candidates into an ensemble")
    weights, held_out = ensemble.cross_fitted(
        task, {name: item.tuned.predictions for name, item in whole.items() if item.tuned}
    )
    members, tests = [], {}
    for name, weight in weights.items():
        result, path = whole[name].finished, whole[name].pipeline
        assert result is not None
        assert path is not None
        members.append(Member(name, weight, path, result.present, result.fit_seconds))
        tests[name] = result.test_prediction
    files = folder / ensemble.NAME
    try:
        result = ensemble.in_own_process(folder / problem.FOLDER, members, held_out, tests, files)
    except Exception as error:  # noqa: BLE001  whatever ends a candidate, the others stand
        reason = f"{type(error).__name__}: {error}".splitlines()[0][:300]
        progress.failed(ensemble.NAME, reason)
        return [failed(ensemble.NAME, Failure(reason, traceback.format_exc()), recorder, began)]
    scores = np.array(result.fold_scores[task.metric])
    tuned = Tuned(
        params=result.params,
        predictions=held_out,
        mean=float(np.nanmean(scores)),
        std=float(np.nanstd(scores)),
        limit=None,
        trials=[],
        seconds=time.time() - began,
    )
    parts = [Part(m.candidate, m.path, m.present, m.weight) for m in members]
    return [finished(ensemble.NAME, tuned, result, files, prepared, recorder, began, parts)]
