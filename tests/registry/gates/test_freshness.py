"""The age of a training."""

from dataclasses import replace

import pytest

from tests.registry.evidence_of import DAY, NOW, binary, evidence_of, result_of


@pytest.mark.parametrize(("days", "outcome"), [(0, "passed"), (89.9, "passed"), (90.1, "failed")])
def test_days_are_those_of_the_policy(days: float, outcome: str) -> None:
    evidence = evidence_of(*binary())
    facts = replace(evidence.candidate, trained=NOW - days * DAY)
    result = result_of("freshness", replace(evidence, candidate=facts))
    assert result.outcome == outcome
    assert result.figure == pytest.approx(days)
    assert f"{days:.1f} days ago" in result.sentence
