"""Facts of versions made by hand, for what only shows them."""

from dataclasses import replace
from typing import Any

from registry.gates.result import Result
from registry.version import Facts, Version
from training.leaderboard import row
from training.schema import Column, Schema, Target

SCHEMA = Schema(
    task="binary",
    target=Target("churned", "string", ["no", "yes"]),
    columns=(
        Column("id", "dropped", "int64", "unique for every row"),
        Column("age", "numeric", "float64", missing=12),
        Column("zip", "categorical", "int64", levels=("8001", "8002")),
    ),
    rows=1000,
    fingerprint="0123456789abcdef" * 2,
)
NOW = 1_700_000_000.0


def shown_facts(number: str = "7", candidate: str = "svm", **given: Any) -> Facts:
    """Facts of a version with scores, as a training of `SCHEMA` would have left them."""
    version = Version("churn", number, f"run{number}", "None", (), {}, "models:/m-1", NOW)
    facts = Facts(
        version=version,
        candidate=candidate,
        row=row(
            candidate, "finished", cv_mean=0.91, cv_std=0.01, test=0.92, test_low=0.9,
            test_high=0.94, fit_seconds=1.5, predict_seconds_per_row=0.0012, model_bytes=45_678,
        ),
        task="binary",
        metric="roc_auc",
        schema=SCHEMA,
        source="data/churn.csv",
        parent_run_id=f"parent{number}",
        run_id=f"run{number}",
        trained=NOW - 86_400,
        trainer="ada",
        commit="c" * 40,
        image="",
        requirements="numpy==2.4.0\n",
        importance=[("age", 0.2), ("zip", 0.05)],
        params={"seed": "0"},
    )  # fmt: skip
    return replace(facts, **given)


def quality(**details: Any) -> Result:
    """The quality gate's result after a comparison on the same rows."""
    found = {
        "metric": "roc_auc", "candidate": 0.92, "production": 0.9, "difference": 0.02,
        "low": 0.005, "high": 0.035, "probability_better": 0.9985, "rows": 1_234, "allowed": 0.01,
    }  # fmt: skip
    return result("quality", figure=0.02, threshold=-0.01, details=found | details)


def result(gate: str, outcome: str = "passed", **given: Any) -> Result:
    """A gate's result."""
    fields: dict[str, Any] = {
        "enforce": "enforce", "figure": None, "threshold": None, "details": {},
        "sentence": f"What {gate} has found.",
    }  # fmt: skip
    return Result(gate=gate, outcome=outcome, **fields | given)
