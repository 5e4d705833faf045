"""What it takes to do the training again."""

from dataclasses import replace
from typing import Any

import pytest

from tests.registry.evidence_of import binary, evidence_of, result_of

_DIRTY: dict[str, Any] = {"commit": "c" * 40 + "-dirty"}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"commit": ""}, "no git commit"),
        (_DIRTY, "--allow-dirty"),
        ({"requirements": "\n"}, "no list of packages"),
    ],
)
def test_what_is_missing_is_named(given: dict[str, Any], words: str) -> None:
    evidence = evidence_of(*binary())
    facts = replace(evidence.candidate, **given)
    result = result_of("lineage", replace(evidence, candidate=facts))
    assert result.stops
    assert words in result.sentence


def test_another_table_in_the_tags_fails() -> None:
    evidence = evidence_of(*binary())
    version = replace(evidence.candidate.version, tags={"table": "f" * 32})
    facts = replace(evidence.candidate, version=version)
    assert "ffffffff" in result_of("lineage", replace(evidence, candidate=facts)).sentence


def test_a_dirty_tree_may_be_allowed_by_the_policy_or_once() -> None:
    once = evidence_of(*binary(), allow_dirty=True)
    always = evidence_of(*binary(), policy="[lineage]\nallow_dirty = true")
    for evidence in (once, always):
        facts = replace(evidence.candidate, **_DIRTY)
        result = result_of("lineage", replace(evidence, candidate=facts))
        assert result.outcome == "passed"
        assert "with changed files, which is allowed" in result.sentence
