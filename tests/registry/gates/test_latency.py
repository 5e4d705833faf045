"""Time of one row, and bytes."""

import pytest

from tests.registry.evidence_of import binary, evidence_of, probe_of, result_of


@pytest.mark.parametrize(
    ("given", "outcome"),
    [
        ({}, "passed"),
        ({"p95": 0.499}, "passed"),
        ({"p95": 0.501}, "failed"),
        ({"size": 1_000_000_001}, "failed"),
        ({"p95": None, "p50": None, "error": "it did not load"}, "failed"),
    ],
)
def test_both_are_within_the_budget(given: dict[str, object], outcome: str) -> None:
    frame, y, own = binary()
    evidence = evidence_of(frame, y, own, own, candidate_probe=probe_of(own, **given))
    result = result_of("latency", evidence)
    assert result.outcome == outcome
    assert result.threshold == 500
    assert result.details["size"] == given.get("size", 1_000_000)


def test_productions_figures_are_beside_it() -> None:
    frame, y, own = binary()
    result = result_of("latency", evidence_of(frame, y, own, own))
    assert result.figure == pytest.approx(4.0)
    assert "Production: 4.0 ms" in result.sentence
