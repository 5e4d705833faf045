"""All gates together: what a policy switches off, what stops, and a gate that itself fails."""

import json
from dataclasses import replace
from typing import Any

import pytest

from registry.gates import GATES, check
from registry.settings import TABLES
from tests.registry.evidence_of import binary, evidence_of, probabilities, probe_of, result_of


def test_every_gate_has_its_table_in_the_policy() -> None:
    assert [gate.name for gate in GATES] == list(TABLES)


def test_an_ordinary_first_version_passes_the_default_policy() -> None:
    results = check(evidence_of(*binary()))
    assert not [result.sentence for result in results if result.outcome == "failed"]
    outcomes = {result.gate: result.outcome for result in results}
    assert outcomes.pop("slices") == outcomes.pop("fairness") == "skipped"
    assert set(outcomes.values()) == {"passed"}
    assert "calibration" not in outcomes


def test_an_equally_good_second_version_passes() -> None:
    frame, y, own = binary(2_000)
    results = check(evidence_of(frame, y, own, probabilities(y, 2.0, 7)))
    assert not [result.sentence for result in results if result.outcome == "failed"]


def test_results_are_json_and_sentences() -> None:
    frame, y, own = binary()
    policy = "[calibration]\nenforce = 'warn'\n[fairness]\ncolumns = ['s']"
    results = check(evidence_of(frame, y, own, probabilities(y, 1.0, 7), policy))
    assert [result.gate for result in results] == list(TABLES)
    for result in results:
        json.dumps(result.details, allow_nan=False)
        assert result.sentence.endswith(".")
        assert "\n" not in result.sentence


def test_policy_decides_what_stops() -> None:
    frame, y, own = binary()
    slow = probe_of(own, p95=10.0)
    for enforce, stops in (("enforce", True), ("warn", False)):
        policy = f"[latency]\nenforce = '{enforce}'"
        evidence = evidence_of(frame, y, own, policy=policy, candidate_probe=slow)
        result = result_of("latency", evidence)
        assert (result.outcome, result.enforce, result.stops) == ("failed", enforce, stops)
    results = check(evidence_of(frame, y, own, policy="[latency]\nenforce = 'off'"))
    assert "latency" not in {result.gate for result in results}


def test_a_gate_that_itself_fails_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    evidence = evidence_of(*binary())
    tags: dict[str, Any] = {**evidence.candidate.version.tags, "sixfold.files": "{not json"}
    version = replace(evidence.candidate.version, tags=tags)
    broken = replace(evidence, candidate=replace(evidence.candidate, version=version))
    results = {result.gate: result for result in check(broken)}
    assert results["loads"].stops
    assert "JSONDecodeError" in results["loads"].sentence
    assert len(results) == len(check(evidence))
