"""Who calls Production's version can call the candidate."""

from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from registry.evidence import Evidence
from registry.gates import Result
from tests.registry.evidence_of import binary, evidence_of, result_of


def checked(evidence: Evidence) -> Result:
    return result_of("signature", evidence)


def changed(change: str, signature: dict[str, Any]) -> dict[str, Any]:
    signature = deepcopy(signature)
    inputs = signature["inputs"]
    if change == "gone":
        del inputs[1]
    elif change == "new":
        inputs.append({"type": "any", "name": "d", "required": True})
    elif change == "type":
        inputs[1]["type"] = "double"
    elif change == "required":
        inputs[1]["required"] = False
    elif change == "output":
        signature["outputs"][0]["type"] = "long"
    elif change == "order":
        inputs.reverse()
    return signature


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("gone", "input 'c' is gone"),
        ("new", "input 'd' is new"),
        ("type", "input 'c' has type double where it had string"),
        ("required", "input 'c' has required False where it had True"),
        ("output", "output '0' has type long where it had string"),
    ],
)
def test_a_change_fails_unless_allowed(change: str, words: str) -> None:
    frame, y, own = binary()
    evidence = evidence_of(frame, y, own, own)
    other = replace(evidence, signature=changed(change, dict(evidence.signature or {})))
    result = checked(other)
    assert result.stops
    assert words in result.sentence
    assert (result.figure, result.threshold) == (1, 0)
    allowed = checked(replace(other, allow_schema_change=True))
    assert allowed.outcome == "passed"
    assert words in allowed.sentence


def test_the_order_of_inputs_is_no_change() -> None:
    frame, y, own = binary()
    evidence = evidence_of(frame, y, own, own)
    other = replace(evidence, signature=changed("order", dict(evidence.signature or {})))
    assert checked(other).outcome == "passed"


def test_other_labels_are_a_change() -> None:
    frame, y, own = binary()
    evidence = evidence_of(frame, y, own, own)
    schema = evidence.candidate.schema
    other = replace(schema, target=replace(schema.target, classes=["no", "maybe"]))
    result = checked(replace(evidence, candidate=replace(evidence.candidate, schema=other)))
    assert result.stops
    assert "label 'maybe' is new; label 'yes' is gone" in result.sentence


def test_a_model_without_signature_fails_even_if_it_is_the_first() -> None:
    assert checked(evidence_of(*binary(), signature=None)).stops
    assert checked(evidence_of(*binary())).outcome == "passed"
