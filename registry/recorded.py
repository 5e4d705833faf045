"""What trainings and promotions have recorded of versions, read at once; no model is loaded."""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from registry import journal, store
from registry.version import Facts, TrainedRows

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

#: In the order of time; the last one with gates is shown.
_GATES = "gates.json"


@dataclass(frozen=True)
class Recorded:
    """What is kept of one version.

    Attributes
    ----------
    y : ndarray, (n,)
        Test rows: class codes, or values.
    prediction : ndarray, (n,) or (n, k)
        Its predictions of them, as its schema orders the classes.
    rows : TrainedRows
        `rows.test` are the hashes of the same test rows, in the same order.
    params : mapping of str to str
        The candidate's configuration.
    gates : list of dict
        What the gates found when it was last promoted or refused; empty if they never ran.
    gates_outcome : str
        What came of that.
    """

    y: np.ndarray
    prediction: np.ndarray
    rows: TrainedRows
    params: Mapping[str, str]
    gates: list[dict[str, Any]] = field(default_factory=list)
    gates_outcome: str = ""


def read_recorded(client: "MlflowClient", versions: Sequence[Facts]) -> list[Recorded]:
    """Read what is recorded of some versions of one model, all files at the same time.

    Parameters
    ----------
    client : MlflowClient
    versions : sequence of Facts

    Raises
    ------
    UserError
        A file that a training leaves is not there.
    """
    model = versions[0].version.model
    rows_of = store.rows_reader(client)
    parents = {facts.parent_run_id: facts for facts in versions}
    with store.reported("reading what the versions' trainings have recorded"):
        # The client's first request sets up its store, which threads would do twice.
        latest = _latest_gates(client, model)
        with ThreadPoolExecutor(4 * len(versions)) as pool:
            rows = {run_id: pool.submit(rows_of, facts) for run_id, facts in parents.items()}
            runs = [pool.submit(client.get_run, facts.run_id) for facts in versions]
            tested = [pool.submit(_predictions, client, facts.run_id) for facts in versions]
            gates = [
                pool.submit(_gates, client, latest.get(facts.version.version)) for facts in versions
            ]
            return [
                Recorded(
                    *tested[at].result(),
                    rows[facts.parent_run_id].result(),
                    dict(runs[at].result().data.params),
                    *gates[at].result(),
                )
                for at, facts in enumerate(versions)
            ]


def read_tested(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Targets and predictions of the test rows in a file of `training.predictions`."""
    import pyarrow.parquet as pq

    table = pq.read_table(path, filters=[("part", "=", "test")])
    table = table.sort_by("row")
    names = [name for name in table.column_names if name == "prediction"]
    if names:
        return np.asarray(table["y"]), np.asarray(table["prediction"], dtype=np.float64)
    names = [name for name in table.column_names if name[0] == "p" and name[1:].isdecimal()]
    prediction = np.column_stack([np.asarray(table[name], dtype=np.float64) for name in names])
    return np.asarray(table["y"]).astype(np.int64), prediction


def _predictions(client: "MlflowClient", run_id: str) -> tuple[np.ndarray, np.ndarray]:
    with TemporaryDirectory(prefix="sixfold-") as folder:
        return read_tested(Path(client.download_artifacts(run_id, "predictions.parquet", folder)))


def _latest_gates(client: "MlflowClient", model: str) -> dict[str, journal.Record]:
    """The last promotion of each version, whatever came of it."""
    return {
        record.version: record
        for record in journal.read(client, model)
        if record.kind == journal.PROMOTED
    }


def _gates(
    client: "MlflowClient", record: journal.Record | None
) -> tuple[list[dict[str, Any]], str]:
    if record is None:
        return [], ""
    run: Run = client.get_run(record.run_id)
    text = store.read_texts({_GATES: (run, _GATES)})[_GATES]
    return (json.loads(text), record.outcome) if text else ([], "")
