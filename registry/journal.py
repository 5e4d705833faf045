"""The records of what was done with a model: MLflow runs in the experiment `NAME/promotions`.

Here they are begun, written, ended and read. What a decision is, and how it is carried out, is
`decisions.py`.
"""

import os
import socket
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from registry import store
from registry.version import DIGEST, Version
from training import tracking

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

    from registry.gates.result import Result

SUFFIX = "/promotions"
#: Tags of a record, beside the digest of the version's files.
KIND, MODEL, VERSION, STAGE = "sixfold.kind", "sixfold.model", "sixfold.version", "sixfold.stage"
FROM, OUTCOME, DECIDED = "sixfold.from", "sixfold.outcome", "sixfold.decided"
NOTE, HOST, PROCESS, GROUNDS = "sixfold.note", "sixfold.host", "sixfold.process", "sixfold.grounds"
#: For a search: the records in which something was decided, and their order, which is that of
#: `read`: of two decisions at the same moment all must take the same one.
IS_DECIDED = f"tags.`{DECIDED}` LIKE '%'"
NEWEST_FIRST = [f"tags.`{DECIDED}` DESC", "attributes.run_id DESC"]
#: Kinds of records.
PROMOTED, ROLLED_BACK, APPROVED = "promotion", "rollback", "approval"

_MOST = 5_000


@dataclass(frozen=True)
class Record:
    """One record of an experiment `NAME/promotions`.

    Attributes
    ----------
    run_id, kind, model, version, stage : str
    replaced : str
        The version that was in the stage when it was decided; '' if none was.
    outcome : {'begun', 'decided', 'promoted', 'refused', 'interrupted', 'failed', 'approved'}
    decided : float
        Seconds since the epoch, later than every earlier decision's; 0 if nothing was decided.
    began : float
        Seconds since the epoch.
    user, host, note, commit : str
    grounds : str
        On what it was decided: the gates in short.
    digest : str
        Of the version's files.
    process : str
        Whose record it is, while it runs.
    running : bool
    """

    run_id: str
    kind: str
    model: str
    version: str
    stage: str
    replaced: str
    outcome: str
    decided: float
    began: float
    user: str
    host: str
    note: str
    commit: str
    grounds: str
    digest: str
    process: str
    running: bool


def experiment_of(client: "MlflowClient", model: str, make: bool = False) -> str | None:
    """The id of a model's experiment of records; None if there is none and none is to be made."""
    from mlflow.exceptions import MlflowException

    name = model + SUFFIX
    found = client.get_experiment_by_name(name)
    if found is None and make:
        try:
            return str(client.create_experiment(name, tags={MODEL: model}))
        except MlflowException:  # somebody else has made it meanwhile
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
    return None if found is None else str(found.experiment_id)


def begin(client: "MlflowClient", kind: str, version: Version, stage: str, note: str) -> str:
    """Begin a record. Returns its run's id.

    Who may not edit the version is refused here: what they decide would be carried out by the next
    one who may.
    """
    if kind != APPROVED:  # writes what is there already, by which the server tells
        client.update_model_version(version.model, version.version, version.description)
    experiment = experiment_of(client, version.model, make=True)
    tags = {
        KIND: kind,
        MODEL: version.model,
        VERSION: version.version,
        STAGE: stage,
        OUTCOME: "begun",
        NOTE: note,
        HOST: socket.gethostname(),
        PROCESS: _process(os.getpid()),
        DIGEST: version.tags.get(DIGEST, ""),
        "mlflow.user": store.user(),
        "mlflow.source.name": "sixfold",
        "mlflow.source.git.commit": tracking.git_commit() or "",
    }
    run = client.create_run(
        str(experiment),
        tags={name: value for name, value in tags.items() if value},
        run_name=f"{kind} of version {version.version}",
    )
    return str(run.info.run_id)


def keep(client: "MlflowClient", run_id: str, files: Mapping[str, str | bytes]) -> None:
    """Write files into a record, by their names."""
    with TemporaryDirectory(prefix="sixfold-") as folder:
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            Path(folder, name).write_bytes(data)
        client.log_artifacts(run_id, folder)


def keep_table(client: "MlflowClient", run_id: str, results: "list[Result]") -> None:
    """Write the gates into a record: as a table for MLflow's UI, and their figures as metrics."""
    from mlflow.entities import Metric

    columns = ("gate", "outcome", "enforce", "figure", "threshold", "sentence")
    table = {name: [getattr(result, name) for result in results] for name in columns}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow asks pandas in a way that pandas 4 will not know
        client.log_table(run_id, table, "gates_table.json")
    now = int(time.time() * 1_000)
    figures = [
        Metric(f"gate_{result.gate}", float(result.figure), now, 0)
        for result in results
        if result.figure is not None
    ]
    client.log_batch(run_id, metrics=figures)


def keep_grounds(client: "MlflowClient", run_id: str, grounds: str, replaced: str) -> None:
    """Write what was found, and what was in the stage, where nothing is decided."""
    tag(client, run_id, {GROUNDS: grounds} | ({FROM: replaced} if replaced else {}))


def end(client: "MlflowClient", run_id: str, outcome: str, why: str = "") -> None:
    """End a record as what came of it."""
    status = {"promoted": "FINISHED", "approved": "FINISHED", "interrupted": "KILLED"}
    tag(client, run_id, {OUTCOME: outcome} | ({"reason": why[:5_000]} if why else {}))
    client.set_terminated(run_id, status.get(outcome, "FAILED"))


@contextmanager
def recording(
    client: "MlflowClient", kind: str, version: Version, stage: str, note: str
) -> Iterator[str]:
    """Begin a record; whatever ends the work before a decision is recorded as well."""
    run_id = begin(client, kind, version, stage, note)
    try:
        yield run_id
    except BaseException as error:
        if client.get_run(run_id).data.tags.get(OUTCOME) == "begun":
            stopped = isinstance(error, KeyboardInterrupt)
            said = "interrupted" if stopped else str(error)
            end(client, run_id, "interrupted" if stopped else "failed", said)
        raise


def read(client: "MlflowClient", model: str, running: bool = False) -> list[Record]:
    """The records of a model, the first one first; of the running ones alone if asked."""
    experiment = experiment_of(client, model)
    if experiment is None:
        return []
    found: list[Record] = []
    token = None
    while True:
        page = client.search_runs(
            [experiment],
            "attributes.status = 'RUNNING'" if running else "",
            max_results=_MOST,
            page_token=token,
        )
        found += [record_of(run) for run in page if KIND in run.data.tags]
        token = page.token
        if not token:
            return sorted(found, key=lambda record: (record.decided or record.began, record.run_id))


def record_of(run: "Run") -> Record:
    """A record as its run has it."""
    tags = run.data.tags
    return Record(
        run_id=run.info.run_id,
        kind=tags.get(KIND, ""),
        model=tags.get(MODEL, ""),
        version=tags.get(VERSION, ""),
        stage=tags.get(STAGE, ""),
        replaced=tags.get(FROM, ""),
        outcome=tags.get(OUTCOME, ""),
        decided=float(tags.get(DECIDED, 0)),
        began=run.info.start_time / 1_000,
        user=tags.get("mlflow.user", ""),
        host=tags.get(HOST, ""),
        note=tags.get(NOTE, ""),
        commit=tags.get("mlflow.source.git.commit", ""),
        grounds=tags.get(GROUNDS, ""),
        digest=tags.get(DIGEST, ""),
        process=tags.get(PROCESS, ""),
        running=run.info.status == "RUNNING",
    )


def tag(client: "MlflowClient", run_id: str, tags: Mapping[str, str]) -> None:
    """All at once: in one transaction of the store."""
    from mlflow.entities import RunTag

    client.log_batch(run_id, tags=[RunTag(name, value) for name, value in tags.items()])


def _process(pid: int) -> str:
    """A process as nobody else is: its number, and when this machine started it; '' if it ended."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
    # A zombie is listed, but does nothing any more.
    return "" if after_name[0] == "Z" else f"{pid}/{after_name[19]}/{boot}"


def lives(record: Record, patience: float) -> bool:
    """Whether a record's process still works on it; of another machine's it is a guess by time."""
    if record.host == socket.gethostname() and record.process:
        return _process(int(record.process.split("/")[0])) == record.process
    return time.time() - max(record.began, record.decided) < patience
