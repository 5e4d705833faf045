"""A version with all that is known of it, in a folder, on its way to another registry.

What is read here is written there by `registry/receive.py`, in a process that knows only the other
registry. Layout: `bundle.json`, `model/`, and `runs/ID/` with the artifacts of each run.
"""

import json
import shutil
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from registry.store import registered_model
from registry.version import DIGEST, Version
from training.digests import digest_of, file_digests
from training.errors import UserError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

#: Tag of a copied version: the runs that hold its gates' record there, with commas between them.
COPIED_RECORDS = "sixfold.copied_records"
_FILE = "bundle.json"
_READERS = 8


@dataclass(frozen=True)
class Origin:
    """Where a copy comes from.

    Attributes
    ----------
    registry : str
        The tracking URI, without credentials: for people, since a server has many addresses.
    model, version : str
    run_id, source : str
        As the version has them. Their ids are found in one registry only.
    """

    registry: str
    model: str
    version: str
    run_id: str
    source: str

    @property
    def key(self) -> str:
        """The same for every copy of the version, different for any other."""
        return f"{self.model}/{self.version}/{self.run_id}/{self.source.rpartition('/')[2]}"

    @property
    def address(self) -> str:
        """As people read it."""
        return f"{self.registry} models:/{self.model}/{self.version}"


@dataclass(frozen=True)
class RunFacts:
    """A run as it was recorded; its artifacts are in the folder.

    Attributes
    ----------
    run_id, name, status, experiment : str
        The experiment's name.
    start, end : int or None
        Milliseconds since the epoch.
    params, tags, experiment_tags : dict
    metrics : list of [name, value, milliseconds, step]
    datasets : list of dict
    """

    run_id: str
    name: str
    status: str
    experiment: str
    experiment_tags: dict[str, str]
    start: int
    end: int | None
    params: dict[str, str]
    tags: dict[str, str]
    metrics: list[tuple[str, float, int, int]]
    datasets: list[dict[str, Any]]


@dataclass(frozen=True)
class ModelFacts:
    """A logged model as it was recorded; its files are in the folder.

    Attributes
    ----------
    model_id, name, model_type : str
    params, tags : dict
    metrics : list of str
        The run's metrics that are the model's, too.
    digest : str
        Of its files.
    """

    model_id: str
    name: str
    model_type: str
    digest: str
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    metrics: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Bundle:
    """All that goes to the other registry.

    Attributes
    ----------
    origin : Origin
    model : ModelFacts
    candidate : RunFacts
    parent : RunFacts or None
    records : list of RunFacts
    tags, description
        The version's.
    model_tags, model_description
        The registered model's, for a registry where there is none of the name.
    """

    origin: Origin
    model: ModelFacts
    candidate: RunFacts
    parent: RunFacts | None
    records: list[RunFacts]
    tags: dict[str, str]
    description: str
    model_tags: dict[str, str]
    model_description: str


def gather(origin: Origin, version: Version, records: Iterable[str], folder: Path) -> Bundle:
    """Read a version and what belongs to it from the tracking store, into a folder.

    Parameters
    ----------
    origin : Origin
    version : Version
    records : iterable of str
        Ids of the runs that its gates were recorded in.
    folder : Path
        An empty folder.

    Raises
    ------
    UserError
        Its files are not those that were registered.
    """
    from mlflow import MlflowClient

    client = MlflowClient()
    model = _model(client, version, folder)
    # What was a copy already takes along the record that it came with.
    brought = filter(None, version.tags.get(COPIED_RECORDS, "").split(","))
    run = client.get_run(version.run_id)
    parent_id = run.data.tags.get("mlflow.parentRunId", "")
    registered = registered_model(client, version.model)
    bundle = Bundle(
        origin=origin,
        model=model,
        candidate=_run(client, run, folder),
        parent=_run(client, client.get_run(parent_id), folder) if parent_id else None,
        records=[_run(client, client.get_run(record), folder) for record in [*brought, *records]],
        tags=dict(version.tags),
        description=version.description,
        model_tags=dict(registered.tags),
        model_description=registered.description or "",
    )
    (folder / _FILE).write_text(json.dumps(asdict(bundle)), encoding="utf-8")
    return bundle


def read_bundle(folder: Path) -> Bundle:
    """Read what `gather` wrote."""
    said = json.loads((folder / _FILE).read_text(encoding="utf-8"))
    parent = said.pop("parent")
    return Bundle(
        origin=Origin(**said.pop("origin")),
        model=ModelFacts(**said.pop("model")),
        candidate=RunFacts(**said.pop("candidate")),
        parent=RunFacts(**parent) if parent else None,
        records=[RunFacts(**record) for record in said.pop("records")],
        **said,
    )


def model_files(folder: Path) -> Path:
    """Where the model's files are."""
    return folder / "model"


def run_files(folder: Path, run_id: str) -> Path:
    """Where a run's artifacts are."""
    return folder / "runs" / run_id


def _model(client: "MlflowClient", version: Version, folder: Path) -> ModelFacts:
    from mlflow.artifacts import download_artifacts

    place = model_files(folder)
    with TemporaryDirectory(dir=folder) as inner:
        local = download_artifacts(artifact_uri=version.uri, dst_path=inner)
        shutil.copytree(local, place)
    # MLflow writes it while downloading; it is about the registry that was downloaded from.
    (place / "registered_model_meta").unlink(missing_ok=True)
    digest = digest_of(file_digests(place))
    if version.tags.get(DIGEST, digest) != digest:
        raise UserError(
            f"expected the files of {version.name} as they were registered, got others: its "
            "artifacts are damaged or incomplete; train and register anew"
        )
    if not version.source.startswith("models:/m-"):
        return ModelFacts("", version.source.rstrip("/").rpartition("/")[2], "", digest)
    logged = client.get_logged_model(version.source.removeprefix("models:/"))
    return ModelFacts(
        model_id=logged.model_id,
        name=logged.name,
        model_type=logged.model_type or "",
        digest=digest,
        params=dict(logged.params),
        tags=dict(logged.tags),
        metrics=sorted({metric.key for metric in logged.metrics or []}),
    )


def _run(client: "MlflowClient", run: "Run", folder: Path) -> RunFacts:
    run_id = run.info.run_id
    place = run_files(folder, run_id)
    place.mkdir(parents=True)
    if client.list_artifacts(run_id):
        with TemporaryDirectory(dir=folder) as inner:
            local = client.download_artifacts(run_id, "", inner)
            shutil.copytree(local, place, dirs_exist_ok=True)
    experiment = client.get_experiment(run.info.experiment_id)
    with ThreadPoolExecutor(_READERS) as pool:
        histories = pool.map(lambda name: client.get_metric_history(run_id, name), run.data.metrics)
        metrics = [
            (item.key, item.value, item.timestamp, item.step) for many in histories for item in many
        ]
    return RunFacts(
        run_id=run_id,
        name=run.info.run_name,
        status=run.info.status,
        experiment=experiment.name,
        experiment_tags=dict(experiment.tags),
        start=run.info.start_time,
        end=run.info.end_time,
        params=dict(run.data.params),
        tags=dict(run.data.tags),
        metrics=metrics,
        datasets=[
            {"dataset": dict(item.dataset), "tags": {tag.key: tag.value for tag in item.tags}}
            for item in (run.inputs.dataset_inputs if run.inputs else [])
        ],
    )
