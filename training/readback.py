"""A candidate that was trained elsewhere, read back from its MLflow run."""

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training import leaderboard
from training.candidates import Outcome
from training.evaluate import bootstrap
from training.finish import Finished
from training.predictions import read_predictions
from training.prepare import Prepared
from training.sample import FILE, read_sample
from training.search import Tuned

if TYPE_CHECKING:
    from mlflow.entities import Run


def read_outcome(name: str, run_id: str, reason: str, prepared: Prepared, folder: Path) -> Outcome:
    """What a candidate's run says: its results, or why it failed.

    Parameters
    ----------
    name : str
        The candidate's.
    run_id : str
    reason : str
        Why the run ended, as seen from outside; used where the run itself does not say.
    prepared : Prepared
        The same table and split, as the caller has them.
    folder : Path
        Where files are read to.
    """
    from mlflow import MlflowClient

    run = MlflowClient().get_run(run_id)
    models = run.outputs.model_outputs if run.outputs else []
    if run.info.status == "FINISHED" and models:
        if run.data.tags.get("table") == prepared.subject.schema.fingerprint:
            return _finished(name, run, models[0].model_id, prepared, folder)
        reason = "its container read another table: the source has changed since it was read here"
    said = run.data.tags.get("reason") or reason or "its run has no model"
    end_run(run_id, "FAILED", said, name)
    return Outcome(leaderboard.row(name, "failed", reason=said, run_id=run_id))


def end_run(run_id: str, status: str, reason: str, candidate: str = "") -> None:
    """End a run whose own process could not, and say why."""
    from mlflow import MlflowClient

    client = MlflowClient()
    tags = {"reason": reason} | ({"candidate": candidate} if candidate else {})
    for key, value in tags.items():
        client.set_tag(run_id, key, value)
    client.set_terminated(run_id, status)


def _finished(name: str, run: "Run", model_id: str, prepared: Prepared, folder: Path) -> Outcome:
    import mlflow

    location = mlflow.MlflowClient().get_logged_model(model_id).artifact_location
    metrics, task = run.data.metrics, prepared.problem
    path = mlflow.artifacts.download_artifacts(
        artifact_uri=f"{run.info.artifact_uri}/predictions.parquet", dst_path=_made(folder)
    )
    model = mlflow.artifacts.download_artifacts(
        artifact_uri=f"{location}/data/model", dst_path=_made(folder / "model")
    )
    member = json.loads(Path(model, "members.json").read_text())[0]
    pipeline = Path(model, member["file"])
    folds, test = read_predictions(Path(path))
    tuned = Tuned(
        params=dict(run.data.params),
        predictions=folds,
        mean=metrics[f"cv_{task.metric}"],
        std=metrics[f"cv_{task.metric}_std"],
        limit=None,
        trials=[],
        seconds=metrics["search_seconds"],
    )
    finished = Finished(
        params=dict(run.data.params),
        fold_scores={},
        test_scores=_starting("test_", metrics),
        test_low=metrics.get(f"test_{task.metric}_low", math.nan),
        test_high=metrics.get(f"test_{task.metric}_high", math.nan),
        samples=bootstrap(task.metric, task.y_test, test, task.seed),
        test_prediction=test,
        sample_prediction=read_sample(Path(model, FILE))[1],
        present=member["present"],
        fit_seconds=metrics["fit_seconds"],
        predict_seconds_per_row=metrics["predict_seconds_per_row"],
        model_bytes=int(metrics["model_bytes"]),
    )
    row = leaderboard.finished_row(name, task.metric, tuned, finished)
    row |= {"run_id": run.info.run_id, "model_uri": f"models:/{model_id}"}
    return Outcome(row, tuned, finished, pipeline)


def _starting(prefix: str, metrics: dict[str, float]) -> dict[str, Any]:
    return {key.removeprefix(prefix): v for key, v in metrics.items() if key.startswith(prefix)}


def _made(folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    return str(folder)
