"""Evidence made by hand: what the gates decide by, without a training behind it."""

import json
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from registry.evidence import Approval, Evidence
from registry.gates import Result, check
from registry.policy import Policy, load_policy
from registry.probe import Probe
from registry.rows import Rows
from registry.version import DIGEST, FILES, Facts, Version
from training.digests import digest_of
from training.evaluate import choose_metric, score
from training.infer import infer_schema
from training.schema import Schema
from training.table import table_from

NOW = 1_700_000_000.0
DAY = 86_400.0
_FILES = {"MLmodel": "a" * 64, "data/model/schema.json": "b" * 64}
_SIGNATURE = {
    "inputs": [
        {"type": "any", "name": "a", "required": True},
        {"type": "string", "name": "c", "required": True},
    ],
    "outputs": [{"type": "string", "required": True}],
    "params": [{"name": "predict_method", "type": "string", "default": "predict", "shape": None}],
}


def policy_of(text: str = "", model: str = "churn") -> Policy:
    """The default policy with a file of this text over it."""
    with TemporaryDirectory() as folder:
        Path(folder, "policy.toml").write_text(text)
        return load_policy(model, Path(folder))


def schema_of(frame: pd.DataFrame, task: str = "auto") -> Schema:
    """The schema of a table with the target `y`."""
    return infer_schema(table_from(frame), "y", task=task)[0]


def facts_of(schema: Schema, number: str = "2", **given: Any) -> Facts:
    """What a training of this schema has left; nothing is wrong with it."""
    tags = {FILES: json.dumps(_FILES), DIGEST: digest_of(_FILES), "table": schema.fingerprint}
    version = Version("churn", number, f"run-{number}", "None", (), tags, "models:/m-1", NOW)
    metric = choose_metric("auto", schema.task)
    facts = Facts(
        version=version,
        candidate="decision_tree",
        row={"name": "decision_tree", "test": None},
        task=schema.task,
        metric=metric,
        schema=schema,
        source="table.parquet",
        parent_run_id=f"parent-{number}",
        run_id=f"run-{number}",
        trained=NOW - DAY,
        trainer="ada",
        commit="c" * 40,
        image="",
        requirements="mlflow==3.17.0\nnumpy==2.4.0\n",
    )
    return replace(facts, **given)


def probe_of(predictions: np.ndarray | None = None, **given: Any) -> Probe:
    """A probe of a version that does all it should."""
    probe = Probe(
        sample_difference=0.0,
        sample_matches=True,
        sample_rows=5,
        predictions=predictions,
        load_seconds=1.0,
        p50=0.002,
        p95=0.004,
        calls=200,
        size=1_000_000,
    )
    return replace(probe, **given)


def evidence_of(
    frame: pd.DataFrame,
    y: np.ndarray,
    candidate: np.ndarray,
    production: np.ndarray | None = None,
    policy: str = "",
    **given: Any,
) -> Evidence:
    """Evidence on rows with these targets and raw predictions.

    Parameters
    ----------
    frame : DataFrame
        With the target `y`.
    y : ndarray
        Values, or class codes in the order of the schema.
    candidate, production : ndarray
    policy : str
        A policy file.
    **given
        Fields of `Evidence`, in place of what they would be.
    """
    schema = schema_of(frame)
    metric = choose_metric("auto", schema.task)
    constant = (
        np.tile(np.bincount(y, minlength=candidate.shape[1]) / len(y), (len(y), 1))
        if schema.target.classes
        else np.full(len(y), y.mean())
    )
    own = facts_of(
        schema,
        row={"name": "decision_tree", "test": score(metric, y, candidate)},
        baseline={"test": score(metric, y, constant)},
    )
    labels = tuple(str(label) for label in schema.target.classes or ())
    evidence = Evidence(
        candidate=own,
        production=None if production is None else facts_of(schema, "1"),
        policy=policy_of(policy),
        approvals=(),
        candidate_probe=probe_of(candidate),
        production_probe=None if production is None else probe_of(production),
        rows=Rows(frame, y, labels, "the candidate's own test split", True),
        files=_FILES,
        signature=_SIGNATURE,
        production_signature=None if production is None else _SIGNATURE,
        scores={metric: score(metric, y, candidate)},
        now=NOW,
    )
    return replace(evidence, **given)


def approval(user: str, digest: str = digest_of(_FILES)) -> Approval:
    return Approval(user, NOW, "looks good", f"approval-of-{user}", digest)


def result_of(gate: str, evidence: Evidence) -> Result:
    """One gate's result, after all have run."""
    return next(result for result in check(evidence) if result.gate == gate)


def binary(
    rows: int = 400, seed: int = 0, skill: float = 2.0
) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """A table, its class codes, and probabilities that know something of them.

    Returns
    -------
    frame, y, probabilities
        Column `a` is a number, `c` a category, `s` one of two groups.
    """
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, rows)
    frame = pd.DataFrame(
        {
            "a": rng.normal(size=rows).round(3),
            "c": rng.choice(["red", "green", "blue"], rows),
            "s": rng.choice(["left", "right"], rows),
            "y": np.array(["no", "yes"])[y],
        }
    )
    return frame, y, probabilities(y, skill, seed + 1)


def probabilities(y: np.ndarray, skill: float, seed: int) -> np.ndarray:
    """Of two classes; the more skill, the nearer to the truth."""
    score = skill * (y - 0.5) + np.random.default_rng(seed).normal(size=len(y))
    p = 1 / (1 + np.exp(-score))
    return np.column_stack([1 - p, p])
