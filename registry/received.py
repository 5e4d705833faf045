"""Runs and a logged model of another registry, written into this one with ids of this one.

A copied run is whole when it has ended: it is ended last. One that is still running was left by an
interrupted copy and is removed, unless somebody is at it.
"""

import os
import socket
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from registry.bundle import ModelFacts, Origin, RunFacts, model_files, run_files
from registry.version import COPIED_FROM
from training.digests import file_digests
from training.errors import SixfoldError, UserError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

#: Tag of a copied version: `Origin.key`.
ORIGIN = "sixfold.origin"
#: Tags of a copied run: the ids that the run and its model have in the other registry.
ORIGIN_RUN, ORIGIN_MODEL = "sixfold.origin_run", "sixfold.origin_model"
#: A record tells of its registry's stages: a copy of it has its kind under another name, so that it
#: is not taken for one of ours.
KIND, COPIED_KIND = "sixfold.kind", "sixfold.copied_kind"
_COPIER = "sixfold.copier"
_PARENT, _RUN_NAME = "mlflow.parentRunId", "mlflow.runName"
_LEADERBOARD, _MLMODEL = "leaderboard.json", "MLmodel"
#: Text files that name ids of runs and models.
_NAMING = ("model_card.md",)
_MOST_METRICS, _MOST_PARAMS = 900, 100
_LONGEST_COPY = 3_600.0


class Runs:
    """Writes the runs of one bundle.

    Parameters
    ----------
    client : MlflowClient
    folder : Path
        The bundle's.
    origin : Origin
    """

    def __init__(self, client: "MlflowClient", folder: Path, origin: Origin) -> None:
        self._client = client
        self._folder = folder
        self._origin = origin
        self._names: dict[str, str] = {}

    def renamed(self, text: str) -> str:
        """A text with this registry's ids in place of the other's."""
        for theirs, ours in self._names.items():
            text = text.replace(theirs, ours)
        return text

    def copy(self, facts: RunFacts) -> str:
        """Copy a run, if that was not done before. Returns its id here."""
        run = self._whole(facts)
        if run is None:
            run_id = self._begin(facts, {})
            self._fill(facts, run_id)
            self._client.set_terminated(run_id, facts.status, facts.end)
        else:
            run_id = run.info.run_id
        self._names[facts.run_id] = run_id
        return run_id

    def copy_record(self, facts: RunFacts) -> str:
        """Copy a gates' record, marked as another registry's."""
        tags = {COPIED_KIND if name == KIND else name: value for name, value in facts.tags.items()}
        return self.copy(replace(facts, tags=tags))

    def copy_candidate(
        self, facts: RunFacts, model: ModelFacts, parent: str
    ) -> tuple[str, str, dict[str, str]]:
        """Copy a candidate's run with its model.

        Returns
        -------
        run_id, model_id : str
        files : dict of str to str
            Digests of the model's files as they were read back from here.
        """
        original = (model_files(self._folder) / _MLMODEL).read_text(encoding="utf-8")
        run = self._whole(facts)
        if run is not None:
            outputs = run.outputs.model_outputs if run.outputs else []
            if outputs:
                run_id, model_id = run.info.run_id, outputs[0].model_id
                files = self._name_model(facts, model, original, run_id, model_id)
                if self._read_back(f"models:/{model_id}") == files:
                    return run_id, model_id, files
            self._remove(run)
        from mlflow.entities import LoggedModelOutput

        run_id = self._begin(facts, {_PARENT: parent, ORIGIN_MODEL: model.model_id})
        logged = self._client.create_logged_model(
            self._client.get_run(run_id).info.experiment_id,
            model.name,
            run_id,
            {name: self.renamed(value) for name, value in _own(model.tags).items()},
            model.params,
            model.model_type or None,
        )
        files = self._name_model(facts, model, original, run_id, logged.model_id)
        self._client.log_model_artifacts(logged.model_id, str(model_files(self._folder)))
        if self._read_back(logged.artifact_location) != files:
            raise SixfoldError(
                f"the files of {self._origin.model} version {self._origin.version} are not the "
                "original's when they are read back from the other registry: its artifact store "
                "has lost or changed some; no version was made"
            )
        self._client.finalize_logged_model(logged.model_id, "READY")
        self._fill(facts, run_id, logged.model_id, model.metrics)
        self._client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
        self._client.set_terminated(run_id, facts.status, facts.end)
        return run_id, str(logged.model_id), files

    def name_candidates(self, parent: RunFacts, run_id: str) -> None:
        """Let a training's leaderboard name the runs and models of those candidates that are here.

        The leaderboard is written anew from the original for all of them, since an earlier copy
        may have brought another candidate of the same training.
        """
        board = run_files(self._folder, parent.run_id) / _LEADERBOARD
        if not board.exists():
            return
        experiment = self._client.get_run(run_id).info.experiment_id
        text = board.read_text(encoding="utf-8")
        for run in self._search(experiment, _PARENT, run_id):
            tags = run.data.tags
            text = text.replace(tags.get(ORIGIN_RUN) or run.info.run_id, run.info.run_id)
            if tags.get(ORIGIN_MODEL) and run.outputs and run.outputs.model_outputs:
                text = text.replace(tags[ORIGIN_MODEL], run.outputs.model_outputs[0].model_id)
        with TemporaryDirectory(prefix="sixfold-") as inner:
            file = Path(inner, _LEADERBOARD)
            file.write_text(text, encoding="utf-8")
            self._client.log_artifact(run_id, str(file))

    def _begin(self, facts: RunFacts, more: dict[str, str]) -> str:
        tags = {name: self.renamed(value) for name, value in facts.tags.items()} | {
            COPIED_FROM: f"{self._origin.registry} runs:/{facts.run_id}",
            ORIGIN_RUN: facts.run_id,
            _COPIER: _me(),
        }
        run = self._client.create_run(
            self._experiment(facts),
            start_time=facts.start,
            tags=tags | {name: value for name, value in more.items() if value},
            run_name=facts.name,
        )
        self._names[facts.run_id] = run.info.run_id
        return str(run.info.run_id)

    def _fill(
        self, facts: RunFacts, run_id: str, model_id: str = "", of_model: Iterable[str] = ()
    ) -> None:
        """Give a run that was begun its parameters, metrics, table and artifacts."""
        from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param

        linked = set(of_model)
        metrics = [
            Metric(name, value, when, step, model_id=(model_id or None) if name in linked else None)
            for name, value, when, step in facts.metrics
        ]
        params = [Param(name, value) for name, value in facts.params.items()]
        for some in _portions(metrics, _MOST_METRICS):
            self._client.log_batch(run_id, metrics=some)
        for some in _portions(params, _MOST_PARAMS):
            self._client.log_batch(run_id, params=some)
        datasets = [
            DatasetInput(
                Dataset(**item["dataset"]), [InputTag(*pair) for pair in item["tags"].items()]
            )
            for item in facts.datasets
        ]
        if datasets:
            self._client.log_inputs(run_id, datasets=datasets)
        files = run_files(self._folder, facts.run_id)
        for name in _NAMING:
            if (files / name).exists():
                text = (files / name).read_text(encoding="utf-8")
                (files / name).write_text(self.renamed(text), encoding="utf-8")
        if any(files.iterdir()):
            self._client.log_artifacts(run_id, str(files))
            place = self._client.get_run(run_id).info.artifact_uri
            if self._read_back(place) != file_digests(files):
                raise SixfoldError(
                    f"the artifacts of run {facts.run_id} are not the original's when they are "
                    "read back from the other registry; no version was made"
                )

    def _name_model(
        self, facts: RunFacts, model: ModelFacts, original: str, run_id: str, model_id: str
    ) -> dict[str, str]:
        """Let `MLmodel` name our ids; the other files stay as they are. Returns all digests."""
        if model.model_id:
            self._names[model.model_id] = model_id
        self._names[facts.run_id] = run_id
        files = model_files(self._folder)
        (files / _MLMODEL).write_text(self.renamed(original), encoding="utf-8")
        return file_digests(files)

    def _read_back(self, uri: str) -> dict[str, str]:
        from mlflow.artifacts import download_artifacts

        with TemporaryDirectory(prefix="sixfold-") as inner:
            return file_digests(Path(download_artifacts(artifact_uri=uri, dst_path=inner)))

    def _whole(self, facts: RunFacts) -> "Run | None":
        """The run's copy, if there is a whole one; what an interrupted copy has left is removed."""
        found = None
        for run in self._search(self._experiment(facts), ORIGIN_RUN, facts.run_id):
            if run.info.status != "RUNNING":
                found = found or run
            elif _works(run.data.tags.get(_COPIER, "")):
                raise SixfoldError(
                    f"somebody is copying run {facts.run_id} to the same registry at this moment "
                    f"({run.data.tags[_COPIER]}); run the command again when they are done"
                )
            else:
                self._remove(run)
        return found

    def _remove(self, run: "Run") -> None:
        models = self._client.search_logged_models(
            [run.info.experiment_id], f"source_run_id = '{run.info.run_id}'"
        )
        for model in models:
            self._client.delete_logged_model(model.model_id)
        self._client.delete_run(run.info.run_id)

    def _search(self, experiment: str, tag: str, value: str) -> "list[Run]":
        return list(self._client.search_runs([experiment], f"tags.`{tag}` = '{value}'"))

    def _experiment(self, facts: RunFacts) -> str:
        from mlflow.exceptions import MlflowException

        found = self._client.get_experiment_by_name(facts.experiment)
        if found is None:
            try:
                made = self._client.create_experiment(facts.experiment, tags=facts.experiment_tags)
                return str(made)
            except MlflowException:
                # Somebody may have made it at this moment.
                found = self._client.get_experiment_by_name(facts.experiment)
                if found is None:
                    raise
        if found.lifecycle_stage != "active":
            raise UserError(
                f"expected an experiment {facts.experiment!r} in the other registry that is not "
                f"deleted; restore it with `mlflow experiments restore -x {found.experiment_id}`"
            )
        return str(found.experiment_id)


def _own(tags: dict[str, str]) -> dict[str, str]:
    """The tags that are not MLflow's own about a registry."""
    return {name: value for name, value in tags.items() if name != "mlflow.modelVersions"}


def _portions(items: list[Any], most: int) -> Iterator[list[Any]]:
    for i in range(0, len(items), most):
        yield items[i : i + most]


def _me() -> str:
    return f"{socket.gethostname()} {os.getpid()} {int(time.time())}"


def _works(copier: str) -> bool:
    """Whether the process that began a copy may still be at it."""
    import psutil

    host, _, rest = copier.partition(" ")
    number, _, began = rest.partition(" ")
    if not (number.isdecimal() and began.isdecimal()):
        return False
    if host != socket.gethostname():
        return time.time() - int(began) < _LONGEST_COPY
    try:
        # A number is given out again: the process must be older than what it has begun.
        return psutil.Process(int(number)).create_time() <= int(began) + 1
    except psutil.NoSuchProcess:
        return False
