"""A comparison as an MLflow run: figures, the page and the whole as JSON."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import numpy as np

from registry import journal, store
from serving.drift.run import Drift
from serving.drift.wording import plain, read_said, sentence
from training import tracking

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput, LoggedModelInput

SUFFIX = "/drift"
KIND, VERDICT = "drift", "sixfold.verdict"
REPORT, RECORD = "report.html", "drift.json"

#: What MLflow takes in a metric's name.
_REFUSED = re.compile(r"[^\w\-. /:]|[^\x00-\x7f]")
_LONGEST, _AT_ONCE, _LONGEST_TAG = 200, 1_000, 5_000
_LOGGED = re.compile(r"models:/(m-[0-9a-f]+)")


def log(client: "MlflowClient", drift: Drift, text: str) -> tuple[str, str]:
    """Record a comparison in the experiment `NAME/drift`.

    Parameters
    ----------
    client : MlflowClient
    drift : Drift
    text : str
        The page.

    Returns
    -------
    run_id, link : str
        And where the run is to be seen, in a sentence.
    """
    from mlflow.entities import Metric, Param, RunTag

    version, now = drift.version, int(time.time() * 1_000)
    experiment = _experiment(client, version.model)
    tags = {
        journal.KIND: KIND,
        journal.MODEL: version.model,
        journal.VERSION: version.version,
        VERDICT: drift.verdict,
        "mlflow.user": store.user(),
        "mlflow.source.name": "sixfold",
        "mlflow.source.git.commit": tracking.git_commit() or "",
        "mlflow.note.content": sentence(drift)[:_LONGEST_TAG],
    }
    run = client.create_run(
        experiment,
        tags={name: value for name, value in tags.items() if value},
        run_name=f"drift of version {version.version}",
    )
    run_id = str(run.info.run_id)
    link = _link(experiment, run_id)
    status = "FAILED"
    try:
        client.log_inputs(run_id, models=_model(drift), datasets=[_dataset(drift)])
        params = [Param(name, said) for name, said in read_said(drift)]
        client.log_batch(run_id, params=params, tags=[RunTag("sixfold.link", link)])
        metrics = [
            Metric(name, value, now, 0) for name, value in figures(drift) if np.isfinite(value)
        ]
        for start in range(0, len(metrics), _AT_ONCE):
            client.log_batch(run_id, metrics=metrics[start : start + _AT_ONCE])
        with TemporaryDirectory(prefix="sixfold-") as folder:
            Path(folder, REPORT).write_text(text, encoding="utf-8")
            record = json.dumps(plain(drift, run_id, link), indent=1, ensure_ascii=False)
            Path(folder, RECORD).write_text(record + "\n", encoding="utf-8")
            client.log_artifacts(run_id, folder)
        status = "FINISHED"
    finally:
        client.set_terminated(run_id, status)
    return run_id, link


def figures(drift: Drift) -> Iterator[tuple[str, float]]:
    """A comparison's figures under names that MLflow takes, each once."""
    taken: set[str] = set()

    def named(group: str, name: str) -> str:
        bare = re.sub(r"/+|\.\.+", "_", _REFUSED.sub("_", name))[:_LONGEST].strip(" /.") or "_"
        found, number = f"{group}/{bare}", 2
        while found in taken:
            found, number = f"{group}/{bare}_{number}", number + 1
        taken.add(found)
        return found

    yield "rows", float(drift.found.rows)
    yield "drifted_columns", float(sum(item.verdict == "drifted" for item in drift.columns))
    yield "shifted_columns", float(sum(item.verdict == "shifted" for item in drift.columns))
    for item in drift.findings:
        before = "prediction_" if item.is_prediction else ""
        yield named(f"{before}psi", item.name), item.psi
        yield named(f"{before}{item.test.name.lower()}", item.name), item.test.statistic
        yield named(f"{before}p", item.name), item.p
        if not item.is_prediction:
            yield named("missing", item.name), item.missing.now
            if item.kind == "categorical":
                yield named("unknown", item.name), item.unseen.now
    if drift.performance is not None:
        yield "performance_rows", float(drift.performance.rows)
        if drift.schema.target.classes:
            yield "performance_unknown", float(drift.performance.unknown)
        for name, value in drift.performance.scores.items():
            yield f"performance/{name}", value


def _experiment(client: "MlflowClient", model: str) -> str:
    from mlflow.exceptions import MlflowException

    name = model + SUFFIX
    found = client.get_experiment_by_name(name)
    if found is None:
        try:
            made = str(client.create_experiment(name, tags={journal.MODEL: model}))
        except MlflowException:  # somebody else has made it meanwhile
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
        else:
            tracking.open_in_training_view(client, made)
            return made
    return str(found.experiment_id)


def _link(experiment: str, run_id: str) -> str:
    page = f"#/experiments/{experiment}/runs/{run_id}"
    place = tracking.location()
    if urlsplit(place).scheme in ("http", "https"):
        return f"{place.rstrip('/')}/{page}"
    return f"http://127.0.0.1:5000/{page}"  # where `mlflow ui` shows it


def _model(drift: Drift) -> "list[LoggedModelInput]":
    """The model that was compared, if this store has logged it."""
    from mlflow.entities import LoggedModelInput

    found = _LOGGED.match(drift.version.source)
    return [LoggedModelInput(found[1])] if found else []


def _dataset(drift: Drift) -> "DatasetInput":
    from mlflow.entities import Dataset, DatasetInput, InputTag

    found = drift.found
    dataset = Dataset(
        name=f"recordings of {drift.version.name}"[:_LONGEST],
        digest=f"{found.last:%Y%m%dT%H%M%S}-{found.rows}"[:36],
        source_type="s3" if drift.place.lower().startswith("s3://") else "local",
        source=json.dumps({"uri": drift.place}),
        profile=json.dumps({"num_rows": found.rows, "num_columns": len(drift.columns)}),
    )
    return DatasetInput(dataset, [InputTag("mlflow.data.context", "monitoring")])
