"""The gates: one file a gate, one table of them.

A new gate is a file with `check(evidence) -> Finding`, a row here, its settings in
`settings.py` and their values in `policy.toml`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from registry.evidence import Evidence
from registry.gates import (
    approval,
    calibration,
    fairness,
    freshness,
    latency,
    lineage,
    loads,
    quality,
    signature,
    slices,
)
from registry.gates.result import FAILED, Finding, Result
from training.leaderboard import plain

__all__ = ["GATES", "Gate", "Result", "check"]


@dataclass(frozen=True)
class Gate:
    """A check that a version must pass before it is promoted.

    Attributes
    ----------
    name : str
        Its table in the policy.
    check : callable (Evidence) -> Finding
    """

    name: str
    check: Callable[[Evidence], Finding]


GATES = (
    Gate("loads", loads.check),
    Gate("signature", signature.check),
    Gate("quality", quality.check),
    Gate("slices", slices.check),
    Gate("calibration", calibration.check),
    Gate("latency", latency.check),
    Gate("fairness", fairness.check),
    Gate("freshness", freshness.check),
    Gate("lineage", lineage.check),
    Gate("approval", approval.check),
)


def check(evidence: Evidence) -> list[Result]:
    """Run all gates that the policy does not switch off, whatever the ones before have found."""
    return [
        _run(gate, evidence) for gate in GATES if evidence.policy.gate(gate.name).enforce != "off"
    ]


def _run(gate: Gate, evidence: Evidence) -> Result:
    try:
        found = gate.check(evidence)
    except Exception as error:  # noqa: BLE001  what a gate cannot do, it has not passed
        first = (str(error).strip().splitlines() or ["no more is known"])[0]
        found = Finding(FAILED, f"The gate itself failed: {type(error).__name__}: {first[:300]}.")
    return Result(
        gate=gate.name,
        outcome=found.outcome,
        enforce=evidence.policy.gate(gate.name).enforce,
        figure=plain(found.figure),
        threshold=plain(found.threshold),
        sentence=found.sentence,
        details=plain(dict(found.details)),
    )
