"""One-row predictions take no longer, and the files no more, than the policy's budget."""

from registry.evidence import Evidence
from registry.gates.result import FAILED, Finding, outcome
from registry.settings import Latency


def check(evidence: Evidence) -> Finding:
    """Hold the probe's figures against the budget."""
    settings: Latency = evidence.policy.gate("latency")
    probe, other = evidence.candidate_probe, evidence.production_probe
    megabytes = probe.size / 1e6
    details = {
        "size": probe.size,
        "max_size": settings.max_megabytes * 1e6,
        "calls": probe.calls,
        "production_size": other.size if other else None,
    }
    if probe.p95 is None or probe.p50 is None:
        return Finding(
            FAILED,
            f"One-row predictions could not be measured: {probe.error or 'there were none'}.",
            None,
            settings.p95_ms,
            details,
        )
    p50, p95 = 1e3 * probe.p50, 1e3 * probe.p95
    before = ""
    if other is not None and other.p95 is not None:
        before = f" (Production: {1e3 * other.p95:.1f} ms)"
        details |= {
            "production_p50_ms": 1e3 * (other.p50 or 0),
            "production_p95_ms": 1e3 * other.p95,
        }
    return Finding(
        outcome(p95 <= settings.p95_ms and megabytes <= settings.max_megabytes),
        f"95 of 100 one-row predictions take at most {p95:.1f} ms{before}, where "
        f"{settings.p95_ms:g} ms is allowed; the files take {megabytes:.1f} MB, where "
        f"{settings.max_megabytes:g} MB is allowed.",
        p95,
        settings.p95_ms,
        details | {"p50_ms": p50, "p95_ms": p95},
    )
