"""The training is not older than the policy allows."""

from datetime import UTC, datetime

from registry.evidence import Evidence
from registry.gates.result import Finding, outcome
from registry.settings import Freshness

_DAY = 86_400.0


def check(evidence: Evidence) -> Finding:
    """Days since the training began, when its table was read."""
    settings: Freshness = evidence.policy.gate("freshness")
    trained = evidence.candidate.trained
    days = max(0.0, evidence.now - trained) / _DAY
    day = datetime.fromtimestamp(trained, UTC).date().isoformat()
    return Finding(
        outcome(days <= settings.max_days),
        f"The table was read on {day}, {days:.1f} days ago, where "
        f"{settings.max_days:g} are allowed.",
        days,
        settings.max_days,
        {"trained": trained},
    )
