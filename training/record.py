"""The only place that writes to MLflow: one parent run a training, one child run a candidate."""

import atexit
import json
import os
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from training import tracking
from training.aside import call_aside
from training.figures import candidate_metrics, metric_of
from training.model import Part, Place, log_model
from training.predictions import write_rows
from training.profile import profile_json
from training.request import Request
from training.requirements import environment
from training.sources import without_credentials
from training.subject import Subject

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput, Metric

    from training.finish import Finished
    from training.prepare import Prepared
    from training.search import Tuned

#: Tags by which `sixfold` finds its runs.
KIND = "sixfold.kind"
TRAINING, CANDIDATE = "training", "candidate"
_PARENT, _RUN_NAME, _NOTE = "mlflow.parentRunId", "mlflow.runName", "mlflow.note.content"
_COMMIT = "mlflow.source.git.commit"
#: What MLflow itself says of who began the parent run, and with what; true of its candidates too.
_SOURCE = ("mlflow.user", "mlflow.source.")
#: MLflow refuses longer values.
_LONGEST_TAG, _LONGEST_PARAM, _LONGEST_NOTE = 5_000, 6_000, 100_000


class Recorder:
    """Writes one training to MLflow.

    Parameters
    ----------
    request : Request
    subject : Subject
    parent : str, optional
        The run that a single candidate's run belongs to (see `isolate.py`).
    """

    def __init__(self, request: Request, subject: Subject, parent: str | None = None) -> None:
        from mlflow import MlflowClient

        self._client = MlflowClient()
        self._request = request
        self._subject = subject
        self._parent = parent
        self._dataset = _dataset(subject)
        self._source: dict[str, str] = {}
        self.run_id = ""
        self.experiment_id = ""

    def start(self) -> None:
        """Begin the parent run, or take over the one that `mlflow run` began."""
        import mlflow

        given = os.environ.get("MLFLOW_RUN_ID")
        run = mlflow.start_run(run_name=None if given else self._subject.name)
        self.run_id, self.experiment_id = run.info.run_id, run.info.experiment_id
        self._source = {k: v for k, v in run.data.tags.items() if k.startswith(_SOURCE)}
        tags = self._shared_tags() | {KIND: CANDIDATE if self._parent else TRAINING}
        if self._parent:
            tags[_PARENT] = self._parent
        known = run.data.params
        asked = self._request.params() | {"data": without_credentials(self._request.data)}
        params = {k: v for k, v in asked.items() if k not in known}
        self._log(self.run_id, params=_texts(params), tags=tags)
        self._client.log_inputs(self.run_id, datasets=[self._dataset])
        tracking.open_in_training_view(self._client, self.experiment_id)

    def end(self, status: str, reason: str = "") -> None:
        """End the run: `FINISHED`, `FAILED` or `KILLED`, and say why.

        Unless it is finished, candidates' runs that have not ended do so with it, and a store that
        fails is asked once more when the process ends: what led here is the error to tell.
        """
        import mlflow

        if not self.run_id:
            return
        if status == "FINISHED":
            mlflow.end_run(status)
            return
        try:
            self._give_up(status, reason)
        except Exception:  # noqa: BLE001  MLflow's own, requests', the driver's
            atexit.register(self._give_up_at_last, status, reason)
        finally:
            with suppress(Exception):
                mlflow.end_run(status)  # else MLflow ends it as FINISHED with the process

    def candidate(
        self,
        name: str,
        tuned: "Tuned",
        finished: "Finished",
        files: Path,
        parts: list[Part],
        card: str,
        began: float,
    ) -> tuple[str, str]:
        """Record a candidate that was trained.

        Parameters
        ----------
        name : str
        tuned, finished : Tuned, Finished
        files : Path
            A folder whose content becomes the run's artifacts.
        parts : list of Part
            The pipelines the model is made of.
        card : str
            The run's description, in Markdown.
        began : float
            When the candidate was begun, seconds since the epoch.

        Returns
        -------
        run_id, model_uri : str
        """
        run_id = self._child(name, began)
        (files / "model_card.md").write_text(card, encoding="utf-8")
        params = _texts(finished.params)
        place = Place(self.experiment_id, run_id, self._candidate_tags(name), params)
        subject, sample = self._subject, finished.sample_prediction
        profile = profile_json(subject.profile, subject.schema, finished, subject.metric)
        model_id = log_model(self._client, place, name, parts, subject, sample, profile)
        metrics = candidate_metrics(tuned, finished, self._subject.metric, model_id)
        self._log(run_id, metrics, params, {_NOTE: card[:_LONGEST_NOTE]})
        self._client.log_artifacts(run_id, str(files))
        self._finish_child(run_id, "FINISHED")
        return run_id, f"models:/{model_id}"

    def failure(self, name: str, reason: str, detail: str, began: float) -> str:
        """Record a candidate that failed, with the reason. Returns the run's id."""
        run_id = self._child(name, began)
        self._log(run_id, tags={"reason": reason[:_LONGEST_TAG], _NOTE: reason})
        if detail:
            self._client.log_text(run_id, detail, "failure.txt")
        self._finish_child(run_id, "FAILED")
        return run_id

    def summary(self, leaderboard: dict[str, Any], card: str, prepared: "Prepared") -> None:
        """Record what the training as a whole has found, on the parent run."""
        best, metric = leaderboard["candidates"][0], leaderboard["metric"]
        values = {
            f"cv_{metric}": best["cv_mean"],
            f"test_{metric}": best["test"],
            f"baseline_cv_{metric}": leaderboard["baseline"]["cv_mean"],
            f"baseline_test_{metric}": leaderboard["baseline"]["test"],
        }
        metrics = [metric_of(name, value) for name, value in values.items() if value is not None]
        tags = {_NOTE: card[:_LONGEST_NOTE], "best": best["name"]}
        self._log(self.run_id, metrics, {}, tags)
        with TemporaryDirectory(prefix="sixfold-") as folder:
            files = Path(folder)
            (files / "leaderboard.json").write_text(json.dumps(leaderboard, indent=1))
            (files / "model_card.md").write_text(card, encoding="utf-8")
            (files / "notes.json").write_text(
                json.dumps({"notes": prepared.notes, "warnings": prepared.warnings}, indent=1)
            )
            self._subject.schema.write(files / "schema.json")
            write_rows(files / "rows.parquet", prepared.hashes, prepared.train, prepared.test)
            (files / "requirements.txt").write_text("\n".join(environment()) + "\n")
            call_aside("training.plots:leaderboard_chart", leaderboard, files / "leaderboard.png")
            self._client.log_artifacts(self.run_id, folder)

    def register(self, registered_model: str, model_uri: str) -> str:
        """Make a model a version of a registered model. Returns the version."""
        from training.registration import register_model

        return register_model(self._client, registered_model, model_uri, self._shared_tags())

    def _child(self, name: str, began: float) -> str:
        """Begin a candidate's run; where the run is the candidate's own, that is it."""
        tags = self._candidate_tags(name) | {KIND: CANDIDATE}
        if self._parent:
            self._log(self.run_id, tags=tags | {_RUN_NAME: name})
            return self.run_id
        run = self._client.create_run(
            self.experiment_id,
            start_time=int(began * 1_000),
            tags=tags | {_PARENT: self.run_id},
            run_name=name,
        )
        self._client.log_inputs(run.info.run_id, datasets=[self._dataset])
        return str(run.info.run_id)

    def _give_up(self, status: str, reason: str) -> None:
        """End what has not ended of this training."""
        tags = {_NOTE: reason[:_LONGEST_NOTE], "reason": reason[:_LONGEST_TAG]} if reason else {}
        children = self._client.search_runs(
            [self.experiment_id],
            f"tags.`{_PARENT}` = '{self.run_id}' and attributes.status = 'RUNNING'",
        )
        for run_id in (*(run.info.run_id for run in children), self.run_id):
            self._log(run_id, tags=tags)
            self._client.set_terminated(run_id, status)

    def _give_up_at_last(self, status: str, reason: str) -> None:
        with suppress(Exception):
            self._give_up(status, reason)

    def _finish_child(self, run_id: str, status: str) -> None:
        if not self._parent:
            self._client.set_terminated(run_id, status)

    def _candidate_tags(self, name: str) -> dict[str, str]:
        algorithm, _, engine = name.partition(":")
        tags = self._source | self._shared_tags() | {"candidate": name, "algorithm": algorithm}
        return tags | {"engine": engine} if engine else tags

    def _shared_tags(self) -> dict[str, str]:
        schema = self._subject.schema
        tags = {
            "task": schema.task,
            "table": schema.fingerprint,
            "selection_metric": self._subject.metric,
            "target": schema.target.name[:_LONGEST_TAG],
        }
        commit = tracking.git_commit()
        if commit:
            tags[_COMMIT] = commit
        image = os.environ.get(tracking.IMAGE_VARIABLE)
        if image:
            tags["image"] = image
        return tags

    def _log(
        self,
        run_id: str,
        metrics: "list[Metric] | None" = None,
        params: dict[str, str] | None = None,
        tags: dict[str, str] | None = None,
    ) -> None:
        """One batch, since each write to the embedded store takes some 0.1 s."""
        from mlflow.entities import Param, RunTag

        self._client.log_batch(
            run_id,
            metrics or [],
            [Param(name, value) for name, value in (params or {}).items()],
            [RunTag(name, value) for name, value in (tags or {}).items()],
        )


def _texts(params: dict[str, Any]) -> dict[str, str]:
    return {name: str(value)[:_LONGEST_PARAM] for name, value in params.items()}


def _dataset(subject: Subject) -> "DatasetInput":
    """The table as MLflow's datasets view shows it; nothing is read again to describe it."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    schema = subject.schema
    columns = [
        {"type": column.dtype, "name": column.name, "required": column.missing == 0}
        for column in schema.columns
    ]
    dataset = Dataset(
        name=subject.name,
        digest=schema.fingerprint[:32],
        source_type="local" if "://" not in subject.source else subject.source.split("://")[0],
        source=json.dumps({"uri": subject.source}),
        schema=json.dumps({"mlflow_colspec": columns}) if len(columns) <= 200 else None,
        profile=json.dumps({"num_rows": schema.rows, "num_columns": len(columns) + 1}),
    )
    return DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])
