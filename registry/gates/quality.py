"""The scores: beyond the baseline, at the policy's thresholds, and not below Production's.

Against Production the rule is the policy's `judge`. By `estimate`, the candidate fails if it scored
worse by more than the margin on the rows: a refusal needs no proof that it is worse, and a version
that is surely, but hardly, worse passes. By `interval`, it passes only if the whole 95 % interval
lies above the margin. Either way the interval and the probability are kept.
"""

import math
from typing import Any

import numpy as np

from registry.evidence import Evidence
from registry.gates.result import SKIPPED, Finding, outcome
from registry.scores import Difference, allowed, difference, gain
from registry.settings import Quality
from training.evaluate import METRICS, score
from training.lettering import number, percent

_SEED = 0


def check(evidence: Evidence) -> Finding:
    """Hold the scores against the baseline, the thresholds and Production."""
    settings: Quality = evidence.policy.gate("quality")
    details: dict[str, Any] = {"metric": evidence.candidate.metric, "thresholds": []}
    parts = [_against_baseline(evidence, settings, details)]
    parts += [
        _against_threshold(evidence, name, value, details)
        for name, value in settings.thresholds.items()
    ]
    if evidence.production is not None:
        parts.append(_against_production(evidence, settings, details))
    judged = [part for part in parts if part is not None]
    failed = [sentence for passed, sentence in judged if not passed]
    said = failed or [sentence for _, sentence in reversed(judged)]
    if evidence.production is None:
        said.append("there is no Production to compare with")
    if not judged:
        sentence = "There is neither a baseline, nor a threshold, nor Production to compare with."
        return Finding(SKIPPED, sentence, details=details)
    figure, threshold = _figure(details)
    return Finding(outcome(not failed), "; ".join(said) + ".", figure, threshold, details)


_Judged = tuple[bool, str] | None


def _against_baseline(evidence: Evidence, settings: Quality, details: dict[str, Any]) -> _Judged:
    """At least a share of the way from the baseline to a perfect score, on the test rows."""
    facts, metric = evidence.candidate, evidence.candidate.metric
    base, own = facts.baseline.get("test"), facts.row.get("test")
    if base is None or own is None or not (math.isfinite(base) and math.isfinite(own)):
        return None
    perfect = 1.0 if METRICS[metric].greater_is_better else 0.0
    needed = base + settings.above_baseline * (perfect - base)
    details |= {"score": own, "baseline": base, "needed": needed}
    passed = gain(metric, own, needed) >= 0
    verb = "is beyond" if passed else "is not beyond"
    return passed, (
        f"test {metric} {number(own)} {verb} {number(needed)}, which is "
        f"{settings.above_baseline:g} of the way from the baseline's {number(base)} to {perfect:g}"
    )


def _against_threshold(
    evidence: Evidence, metric: str, value: float, details: dict[str, Any]
) -> _Judged:
    """On the table that the user named, else on the test rows as the training recorded it."""
    facts, item = evidence.candidate, METRICS[metric]
    if facts.task not in item.tasks:
        details["thresholds"].append({"metric": metric, "threshold": value, "passed": False})
        return (
            False,
            f"{metric}, for which the policy has a threshold, has no meaning for {facts.task}",
        )
    compared, rows = evidence.compared, evidence.rows
    if compared is not None and rows is not None and not rows.own:
        found, where = score(metric, compared.y, compared.candidate), rows.where
    else:
        found, where = evidence.scores.get(metric, math.nan), "its test rows"
    passed = gain(metric, found, value) >= 0  # False where it is not defined
    details["thresholds"].append(
        {"metric": metric, "score": found, "threshold": value, "passed": passed, "rows": where}
    )
    wanted = "at least" if item.greater_is_better else "at most"
    return (
        passed,
        f"{metric} {number(found)} on {where}, where {wanted} {number(value)} is asked for",
    )


def _against_production(evidence: Evidence, settings: Quality, details: dict[str, Any]) -> _Judged:
    compared, rows, production = evidence.compared, evidence.rows, evidence.production
    if evidence.not_compared or compared is None or compared.production is None:
        return False, evidence.not_compared
    assert rows is not None
    assert production is not None
    metric = evidence.candidate.metric
    if not np.isfinite(compared.candidate).all():
        return False, f"{metric} is not defined: not all predictions on {rows.said} are numbers"
    found = difference(
        metric, compared.y, compared.candidate, compared.production, _SEED, settings.resamples
    )
    limit = allowed(metric, settings.margin, found.production)
    judged = found.low if settings.judge == "interval" else found.gain
    passed = judged >= -limit  # False where it is not defined
    details |= {
        "candidate": found.candidate,
        "production": found.production,
        "difference": found.gain,
        "low": found.low,
        "high": found.high,
        "probability_better": found.probability,
        "allowed": limit,
        "judge": settings.judge,
        "resamples": settings.resamples,
        "rows": len(rows),
        "where": rows.where,
        "own_test_rows": rows.own,
        "removed": rows.removed,
        "told": rows.told,
        "against": production.version.version,
        "greater_is_better": METRICS[metric].greater_is_better,
    }
    return passed, _sentence(metric, found, limit, settings.judge, rows.said, evidence)


def _sentence(
    metric: str, found: Difference, limit: float, judge: str, rows: str, evidence: Evidence
) -> str:
    assert evidence.production is not None
    word = "better" if found.gain > 0 else "worse" if found.gain < 0 else "different"
    what = "the interval's lower end " if judge == "interval" else ""
    return (
        f"{metric} {number(found.candidate)} on {rows}, "
        f"{evidence.production.version.name} has {number(found.production)}: {word} by "
        f"{number(abs(found.gain))} (95 % interval of the gain {number(found.low)} to "
        f"{number(found.high)}), better with a probability of {percent(found.probability)}; {what}"
        f"at most {number(limit)} worse is allowed"
    )


def _figure(details: dict[str, Any]) -> tuple[float | None, float | None]:
    """The gain over Production where it is known, else the score against the baseline."""
    if "difference" in details:
        judged = details["low"] if details["judge"] == "interval" else details["difference"]
        return judged, -details["allowed"]
    return details.get("score"), details.get("needed")
