"""What the gates judge by: gathered once, with one process a version, and nothing decided here."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from registry.files import wrong_files
from registry.policy import Policy
from registry.probe import Job, Probe, run_probes
from registry.rows import Rows, find_rows
from registry.version import Facts, TrainedRows, Version, local_model
from training.tracking import first_line

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Approval:
    """That somebody approved a version.

    Attributes
    ----------
    user : str
    when : float
        Seconds since the epoch.
    note : str
    run_id : str
        The record of it.
    digest : str
        Of the files that were approved.
    """

    user: str
    when: float
    note: str
    run_id: str
    digest: str


@dataclass(frozen=True)
class Compared:
    """What both versions predict on the same rows.

    Attributes
    ----------
    y : ndarray, (n,)
        Values, or codes into `labels`.
    candidate : ndarray, (n,) or (n, k)
    production : ndarray of the same shape, or None
        None where there is no Production, or it could not predict.
    labels : tuple of str
        The classes of both, the candidate's first; empty for regression.
    """

    y: "np.ndarray"
    candidate: "np.ndarray"
    production: "np.ndarray | None"
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Evidence:
    """What the gates judge by.

    Attributes
    ----------
    candidate, production : Facts, Facts or None
        The version to promote, and the one in Production.
    policy : Policy
    approvals : tuple of Approval
        Of the candidate's version; who of them counts is the gate's to say.
    candidate_probe, production_probe : Probe, Probe or None
    rows : Rows or None
        What both are compared on.
    no_rows : str
        Why there are none, and what to do: one sentence.
    files : mapping of str to str
        Digests of the candidate's files as they were downloaded.
    signature, production_signature : mapping, or None where a model has none
        `inputs`, `outputs` and `params`, as MLflow writes them.
    scores : mapping of str to float
        The candidate's scores on its own test rows, as the training recorded them, by metric.
    allow_schema_change, allow_dirty : bool
        What the user has allowed for this promotion.
    now : float
        Seconds since the epoch.
    """

    candidate: Facts
    production: Facts | None
    policy: Policy
    approvals: tuple[Approval, ...]
    candidate_probe: Probe
    production_probe: Probe | None
    rows: Rows | None
    no_rows: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    signature: Mapping[str, Any] | None = None
    production_signature: Mapping[str, Any] | None = None
    scores: Mapping[str, float] = field(default_factory=dict)
    allow_schema_change: bool = False
    allow_dirty: bool = False
    now: float = field(default_factory=time.time)

    @cached_property
    def compared(self) -> Compared | None:
        """Both versions' predictions on the rows; None without rows, or without the candidate's."""
        if self.rows is None or self.candidate_probe.predictions is None:
            return None
        there = self.production_probe.predictions if self.production_probe else None
        own = self.rows.aligned(self.candidate_probe.predictions, self.candidate.schema)
        other = None
        if there is not None and self.production is not None:
            other = self.rows.aligned(there, self.production.schema)
        return Compared(self.rows.y, own, other, self.rows.labels)

    @property
    def not_compared(self) -> str:
        """Why `compared` has not both versions' predictions, without a full stop; '' if it has."""
        if self.rows is None:
            return self.no_rows.rstrip(".")
        if self.candidate_probe.predictions is None:
            return f"The candidate could not predict the rows: {self.candidate_probe.error}"
        if self.production and self.compared and self.compared.production is None:
            why = self.production_probe.error if self.production_probe else "it was not run"
            return f"{self.production.version.name} could not predict the rows: {why}"
        return ""


def gather(
    candidate: Facts,
    production: Facts | None,
    policy: Policy,
    *,
    approvals: Sequence[Approval],
    data: str = "",
    allow_schema_change: bool = False,
    allow_dirty: bool = False,
    say: Callable[[str], None],
    rows_of: Callable[[Facts], TrainedRows],
) -> Evidence:
    """Download, read the rows, and let each version predict in a process of its own.

    Parameters
    ----------
    candidate, production : Facts, Facts or None
    policy : Policy
    approvals : sequence of Approval
        Of the candidate's version.
    data : str, default ''
        The table to compare on, as `training.table.read_table` takes it; '' is the candidate's own
        test split.
    allow_schema_change, allow_dirty : bool
    say : callable (str)
        Told what is being done.
    rows_of : callable (Facts) -> TrainedRows
        Reads which rows a training fitted and tested on.

    Raises
    ------
    UserError
        `data` cannot be read, or is no table that the candidate could be scored on.
    """
    from training.digests import file_digests

    both = [candidate] if production is None else [candidate, production]
    say("downloading " + " and ".join(facts.version.name for facts in both))
    with TemporaryDirectory(prefix="sixfold-gates-") as name:
        folder = Path(name)
        with ThreadPoolExecutor(len(both)) as pool:
            coming = [
                pool.submit(_downloaded, facts.version, _made(folder / f"model-{at}"))
                for at, facts in enumerate(both)
            ]
            rows, no_rows = None, ""
            if production is not None or data or _rows_wanted(policy):
                say("reading the rows to compare on")
                least = policy.gate("quality").min_rows
                found = find_rows(candidate, production, data, least, rows_of)
                rows, no_rows = (found, "") if isinstance(found, Rows) else (None, found)
            models = [item.result() for item in coming]
        say("loading and predicting in processes of their own")
        files = [file_digests(item) if isinstance(item, Path) else {} for item in models]
        jobs: dict[int, Job] = {}
        probes: dict[int, Probe] = {}
        signatures: dict[int, dict[str, Any] | None] = {}
        for at, (facts, model) in enumerate(zip(both, models, strict=True)):
            if isinstance(model, str):
                probes[at] = Probe(error=model)
                continue
            signatures[at] = _signature(model)
            # A model brings its own code: only that which was registered is run.
            if wrong := wrong_files(facts.version, files[at]):
                probes[at] = Probe(error=f"it was not loaded: {wrong.rstrip('.')}")
            else:
                jobs[at] = Job(model, facts.schema, _made(folder / f"probe-{at}"))
        seconds, calls = policy.gate("loads").seconds, policy.gate("latency").calls
        answers = run_probes(list(jobs.values()), rows, seconds, calls)
        probes |= dict(zip(jobs, answers, strict=True))
    return Evidence(
        candidate=candidate,
        production=production,
        policy=policy,
        approvals=tuple(approvals),
        candidate_probe=probes[0],
        production_probe=probes.get(1),
        rows=rows,
        no_rows=no_rows,
        files=files[0],
        signature=signatures.get(0),
        production_signature=signatures.get(1),
        scores=_recorded_scores(candidate, policy),
        allow_schema_change=allow_schema_change,
        allow_dirty=allow_dirty,
    )


def _downloaded(version: Version, folder: Path) -> Path | str:
    """Where a version's files are, or why they could not be had."""
    from mlflow.exceptions import MlflowException

    try:
        return local_model(version, folder)
    except (MlflowException, OSError) as error:  # requests' errors are OSErrors
        return f"its files could not be downloaded: {first_line(error)}"


def _rows_wanted(policy: Policy) -> bool:
    """Whether rows are needed though there is nothing to compare with."""
    calibration, fairness = policy.gate("calibration"), policy.gate("fairness")
    return calibration.enforce != "off" or bool(fairness.enforce != "off" and fairness.columns)


def _recorded_scores(candidate: Facts, policy: Policy) -> dict[str, float]:
    own = {candidate.metric: candidate.row["test"]}
    scores = {name: float(value) for name, value in own.items() if value is not None}
    if set(policy.gate("quality").thresholds) - set(scores):
        from mlflow import MlflowClient

        metrics = MlflowClient().get_run(candidate.run_id).data.metrics
        prefix = "test_"
        scores |= {
            key.removeprefix(prefix): value
            for key, value in metrics.items()
            if key.startswith(prefix)
        }
    return scores


def _signature(model: Path) -> dict[str, Any] | None:
    from mlflow.models import Model

    signature = Model.load(str(model)).signature
    if signature is None:
        return None
    return {
        name: json.loads(value) if value else None for name, value in signature.to_dict().items()
    }


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
