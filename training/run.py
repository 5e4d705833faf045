"""One whole training, from top to bottom."""

import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from training import leaderboard, problem, tracking, worker
from training.algorithms import find
from training.baseline import baseline
from training.candidates import Outcome, average, train_candidates
from training.card import parent_card
from training.contender import Options
from training.errors import SixfoldError, TrainingFailed, UserError
from training.isolate import Limits, check_engine, train_isolated
from training.prepare import Prepared
from training.progress import Progress
from training.reader import prepared_aside
from training.record import Recorder
from training.request import Request, check
from training.resources import cpus
from training.sources import without_credentials


def train(
    request: Request,
    progress: Progress,
    limits: Limits | None = None,
    parent: str | None = None,
) -> dict[str, Any]:
    """Train the candidates a user asked for, compare them, and record all of it in MLflow.

    Parameters
    ----------
    request : Request
    progress : Progress
        Is told what happens.
    limits : Limits, optional
        Train each candidate in a container of its own, within these limits.
    parent : str, optional
        We are such a container: the run that this one candidate's run belongs to.

    Returns
    -------
    dict
        The leaderboard, as `sixfold leaderboard --json` prints it.

    Raises
    ------
    UserError
        What was asked for cannot be done. Nothing was recorded, or the run says why.
    TrainingFailed
        No candidate could be trained; the runs say why.
    """
    check(request)
    if limits:
        limits.bytes()
        check_engine()
    candidates = request.candidates()
    slots = min(cpus(), len(candidates))
    threads = max(1, cpus() // slots)
    worker.prepare(threads)
    options = Options(request.budget, request.search, slots, threads, request.memory())
    with TemporaryDirectory(prefix="sixfold-") as name, ExitStack() as stack:
        folder = Path(name)
        progress.stage(f"reading {without_credentials(request.data)}")
        coming = stack.enter_context(prepared_aside(request, folder / problem.FOLDER))
        tracking.check_server()
        prepared = coming()
        tell(prepared, progress)
        candidates, skipped = applicable(candidates, prepared.problem.task)
        recorder = stack.enter_context(recording(Recorder(request, prepared.subject, parent)))
        progress.stage(f"run {recorder.run_id} at {tracking.location()}")
        if limits:
            trained = train_isolated(
                request, prepared, candidates, limits, recorder, folder, progress
            )
        else:
            trained = train_candidates(prepared, candidates, folder, options, recorder, progress)
        outcomes = list(told(trained, progress))
        if parent:
            return alone(outcomes)
        outcomes += told(average(prepared, outcomes, folder, recorder, progress), progress)
        return conclude(request, prepared, outcomes, skipped, recorder, progress)


def told(outcomes: Iterable[Outcome], progress: Progress) -> Iterator[Outcome]:
    """Tell the user of each candidate as it is done."""
    for outcome in outcomes:
        progress.finished(outcome.row)
        yield outcome


def alone(outcomes: list[Outcome]) -> dict[str, Any]:
    """A candidate in a container of its own: the caller makes the leaderboard."""
    row = outcomes[0].row
    if row["status"] != "finished":
        raise TrainingFailed(row["reason"])
    return {"candidates": [leaderboard.plain(row)]}


def tell(prepared: Prepared, progress: Progress) -> None:
    """Say once what was made of the table."""
    schema, task = prepared.subject.schema, prepared.problem
    progress.stage(
        f"{schema.rows:,} rows, {len(schema.used)} of {len(schema.columns)} columns used; "
        f"{schema.task} of {schema.target.name!r} by {task.metric}; "
        f"{task.rows:,} rows to train on, {len(task.y_test):,} to test on"
    )
    for note in prepared.notes:
        progress.note(note)
    for warning in prepared.warnings:
        progress.warn(warning)


def applicable(candidates: list[str], task: str) -> tuple[list[str], list[dict[str, Any]]]:
    """Part the candidates into those that have a meaning on a task, and rows for the others."""
    reasons = {name: find(name).not_applicable.get(task) for name in candidates}
    kept = [name for name in candidates if not reasons[name]]
    if not kept:
        raise UserError(
            f"expected an algorithm for a {task} task, got {', '.join(candidates)}: "
            f"{reasons[candidates[0]]}; use algorithms=all"
        )
    skipped = [
        leaderboard.row(name, "not_applicable", reason=reason)
        for name, reason in reasons.items()
        if reason
    ]
    return kept, skipped


@contextmanager
def recording(recorder: Recorder) -> Iterator[Recorder]:
    """Begin the parent run, and end it as what it came to.

    Raises
    ------
    UserError
        The tracking server has failed; anything else that went wrong is raised as it is.
    """
    try:
        recorder.start()
        yield recorder
        recorder.end("FINISHED")
    except KeyboardInterrupt:
        recorder.end("KILLED", "interrupted")
        raise
    except SixfoldError as error:
        recorder.end("FAILED", str(error))
        raise
    except tracking.failures() as error:
        told = tracking.unanswered(error, "recording the training")
        recorder.end("FAILED", str(told))
        raise told from error
    except BaseException as error:
        recorder.end("FAILED", f"{type(error).__name__}: {error}")
        raise


def conclude(
    request: Request,
    prepared: Prepared,
    outcomes: list[Outcome],
    skipped: list[dict[str, Any]],
    recorder: Recorder,
    progress: Progress,
) -> dict[str, Any]:
    """Put the leaderboard together, record it, register the winner."""
    task = prepared.problem
    samples = {o.row["name"]: o.finished.samples for o in outcomes if o.finished}
    partial = {
        o.row["name"] for o in outcomes if o.tuned and len(o.tuned.predictions) < len(task.folds)
    }
    rows = leaderboard.order([o.row for o in outcomes] + skipped, task.metric, samples, partial)
    board = leaderboard.plain(
        {
            "run_id": recorder.run_id,
            "experiment_id": recorder.experiment_id,
            "task": task.task,
            "metric": task.metric,
            "rows": prepared.subject.schema.rows,
            "candidates": rows,
            "baseline": baseline(task),
        }
    )
    card = parent_card(
        board,
        prepared.subject.schema,
        [*prepared.notes, *prepared.warnings],
        facts(request, prepared),
    )
    recorder.summary(board, card, prepared)
    if not samples:
        reasons = "; ".join(f"{row['name']}: {row['reason']}" for row in rows if row["reason"])
        raise TrainingFailed(f"expected at least one candidate to be trained, got none: {reasons}")
    if request.register:
        version = recorder.register(request.register, rows[0]["model_uri"])
        progress.stage(f"{rows[0]['name']} is version {version} of {request.register}")
    progress.stage(tracking.how_to_look(recorder.experiment_id))
    return board


def facts(request: Request, prepared: Prepared) -> dict[str, str]:
    """How a training was made, for its card."""
    given = {
        "source": prepared.subject.source,
        "training rows": f"{len(prepared.train):,}",
        "test rows": f"{len(prepared.test):,}",
        "folds": str(len(prepared.problem.folds)),
        "search": f"{request.search}, {request.budget:g} s",
        "seed": str(request.seed),
        "commit": tracking.git_commit() or "",
        "image": os.environ.get(tracking.IMAGE_VARIABLE, ""),
    }
    return {name: value for name, value in given.items() if value}
