"""The registry as its commands ask for it: versions, what trainings left, who is asking.

Requests are few, whatever the number of versions: nothing here asks once a version.
"""

import gc
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from registry.version import ALIASES, Facts, TrainedRows, Version
from training import tracking
from training.errors import UserError, nearest

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion, RegisteredModel

#: MLflow's own requests are tried again with a growing pause, for some half a minute in all.
_PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "5", "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1"}
_MOST_NAMES = 1_000
_MOST_DIGITS = 9  # of a version: databases fail at what their integers cannot hold
_READ_ONLY = re.compile(r"readonly database|read-only|PERMISSION_DENIED|permission denied", re.I)


def connect() -> "MlflowClient":
    """A client of the tracking store, which answers.

    Raises
    ------
    UserError
        It does not.
    """
    for name, value in _PATIENCE.items():
        os.environ.setdefault(name, value)
    gc.disable()  # of all that MLflow's import makes nothing is garbage, and looking takes long
    try:
        tracking.check_server()
        from mlflow import MlflowClient

        return MlflowClient()
    finally:
        gc.freeze()
        gc.enable()


@contextmanager
def reported(doing: str) -> Iterator[None]:
    """Say in one line what MLflow could not do, after it has tried again as often as it does.

    Raises
    ------
    UserError
        The store may only be read, has refused anything else, or the connection has ended; or
        those of the artifacts' store.
    """
    try:
        yield
    except tracking.failures() as error:
        if _READ_ONLY.search(str(error)):
            raise UserError(
                f"expected a registry that may be written to for {doing}, got "
                f"{tracking.first_line(error)}; use an account that may edit it"
            ) from None
        mend = "run the command again: it finishes or undoes what was begun"
        raise tracking.unanswered(error, doing, mend) from None


def user() -> str:
    """Who is asking: the tracking server's user name where it asks for one, else this machine's."""
    from mlflow.utils.credentials import read_mlflow_creds

    remote = tracking.location().startswith("http")
    return (read_mlflow_creds().username if remote else None) or tracking.user()


def registered_model(client: "MlflowClient", model: str) -> "RegisteredModel":
    """The registered model of a name, with the newest version of each stage and the aliases.

    Raises
    ------
    UserError
        There is none; the nearest names are said.
    """
    # A search is one query; getting a model by its name loads every version of it.
    found = client.search_registered_models(named(model), max_results=1)
    if found:
        return found[0]
    names = [item.name for item in client.search_registered_models(max_results=_MOST_NAMES)]
    said = nearest(model, names) if names else "there are none yet: `sixfold register`"
    raise UserError(f"expected a registered model's name, got {model!r}; {said}")


def find_version(client: "MlflowClient", model: str, version: str = "") -> Version:
    """A version of a registered model, the newest one if not given.

    Raises
    ------
    UserError
        No such model or version.
    """
    from mlflow.exceptions import MlflowException

    found = registered_model(client, model)
    newest = max((int(item.version) for item in found.latest_versions or []), default=0)
    if not newest:
        raise UserError(
            f"expected a version of {model}, got a model without any; "
            f"`sixfold register {model} --run RUN` makes one"
        )
    wanted = version or str(newest)
    if not (wanted.isascii() and wanted.isdecimal()):
        raise UserError(f"expected a version's number, got {wanted!r}; the newest is {newest}")
    absent = UserError(f"expected a version of {model}, got {wanted}; the newest is {newest}")
    if len(wanted) > _MOST_DIGITS:
        raise absent
    try:
        item = client.get_model_version(model, wanted)
    except MlflowException as error:
        if not tracking.is_absent(error):
            raise
        raise absent from None
    return _version(item, found)


def named(model: str) -> str:
    """The condition of a search for a model's name."""
    quote = '"' if "'" in model else "'"
    return f"name = {quote}{model}{quote}"


def has_version(client: "MlflowClient", model: str, version: str) -> bool:
    """Whether a model has a version of this number; it may have been deleted."""
    return bool(client.search_model_versions(f"{named(model)} and version_number = {version}"))


def in_stage(client: "MlflowClient", model: str, stage: str) -> Version | None:
    """The version in a stage; the newest one if there are more."""
    found = registered_model(client, model)
    for item in found.latest_versions or []:
        if item.current_stage == stage:
            return _version(client.get_model_version(model, item.version), found)
    return None


def read_facts(client: "MlflowClient", version: Version) -> Facts:
    """What the training of a version recorded.

    Raises
    ------
    UserError
        Sixfold has not trained it, or is still at it.
    MlflowException
        The store has not answered.
    """
    from mlflow.exceptions import MlflowException

    from training.finish import IMPORTANCE_FILE
    from training.schema import Schema

    how = f"register a candidate with `sixfold register {version.model} --run RUN`"
    try:
        run = client.get_run(version.run_id) if version.run_id else None
        parent_id = run.data.tags.get("mlflow.parentRunId", "") if run else ""
        parent = client.get_run(parent_id) if parent_id else None
    except MlflowException as error:
        if not tracking.is_absent(error):
            raise
        run = parent = None
    if run is None or parent is None:
        raise UserError(
            f"expected a version that Sixfold has trained, got {version.name}, whose run is not "
            f"a candidate's; {how}"
        )
    if "RUNNING" in (run.info.status, parent.info.status):
        raise UserError(
            f"expected a training that has ended, got run {parent_id} of {version.name}, which is "
            "still RUNNING; wait for it"
        )
    wanted = {
        "board": (parent, "leaderboard.json"),
        "schema": (parent, "schema.json"),
        "requirements": (parent, "requirements.txt"),
        "importance": (run, IMPORTANCE_FILE),
    }
    texts = read_texts(wanted)
    if not texts["board"] or not texts["schema"]:
        raise UserError(
            f"expected a finished training, got run {parent_id} of {version.name}, which is "
            f"{parent.info.status} and has no leaderboard; {how}"
        )
    board = json.loads(texts["board"])
    row = next((r for r in board["candidates"] if r["run_id"] == run.info.run_id), None)
    if row is None:
        raise UserError(
            f"expected run {run.info.run_id} of {version.name} on its training's leaderboard, got "
            f"none there; {how}"
        )
    datasets = parent.inputs.dataset_inputs if parent.inputs else []
    source = json.loads(datasets[0].dataset.source).get("uri", "") if datasets else ""
    importance = json.loads(texts["importance"] or "[]")
    return Facts(
        version=version,
        candidate=row["name"],
        row=row,
        task=board["task"],
        metric=board["metric"],
        schema=Schema.from_json(texts["schema"]),
        source=source,
        parent_run_id=parent_id,
        run_id=run.info.run_id,
        trained=parent.info.start_time / 1_000,
        trainer=parent.data.tags.get("mlflow.user", ""),
        commit=run.data.tags.get("mlflow.source.git.commit", ""),
        image=run.data.tags.get("image", ""),
        requirements=texts["requirements"],
        importance=[(name, mean) for name, mean, _ in importance],
        params=dict(parent.data.params),
        baseline=board.get("baseline") or {},
    )


def read_texts(wanted: Mapping[str, tuple[Any, str]]) -> dict[str, str]:
    """Artifacts of runs as text, read at the same time; '' for one that is not there.

    Parameters
    ----------
    wanted : mapping of a name to (run, path)

    Raises
    ------
    MlflowException
        The store has failed to answer.
    """
    from training.history import read_text

    runs, paths = zip(*wanted.values(), strict=True)
    with ThreadPoolExecutor(len(wanted)) as pool:
        return dict(zip(wanted, pool.map(read_text, runs, paths), strict=True))


def rows_reader(client: "MlflowClient") -> Callable[[Facts], TrainedRows]:
    """A function that reads which rows a version's training fitted and tested on."""

    def read(facts: Facts) -> TrainedRows:
        import pyarrow.parquet as pq

        with TemporaryDirectory(prefix="sixfold-") as folder:
            file = client.download_artifacts(facts.parent_run_id, "rows.parquet", folder)
            table = pq.read_table(Path(file))
        part = np.asarray(table["part"].cast("string"))
        hashes = np.asarray(table["hash"]).astype(np.uint64)
        return TrainedRows(hashes[part == "train"], hashes[part == "test"])

    return read


def stage_named(name: str) -> str:
    """A stage to promote to, however it is written.

    Raises
    ------
    UserError
        There is no such stage.
    """
    for stage in ALIASES:
        if name.lower() == stage.lower():
            return stage
    raise UserError(f"expected a stage to promote to, got {name!r}; {nearest(name, ALIASES)}")


def _version(item: "ModelVersion", model: "RegisteredModel") -> Version:
    aliases = sorted(
        name for name, number in (model.aliases or {}).items() if str(number) == str(item.version)
    )
    return Version(
        model=item.name,
        version=str(item.version),
        run_id=item.run_id or "",
        stage=item.current_stage or "None",
        aliases=tuple(aliases),
        tags=dict(item.tags),
        source=item.source or "",
        created=(item.creation_timestamp or 0) / 1_000,
        description=item.description or "",
    )
