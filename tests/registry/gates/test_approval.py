"""Who has approved what."""

import pytest

from registry.evidence import Approval
from tests.registry.evidence_of import approval, binary, evidence_of, result_of

_POLICY = 'approvers = ["ada", "bob", "eve"]\napprovals = 2\n'  # ada has trained it


@pytest.mark.parametrize(
    ("approvals", "count", "words"),
    [
        ([], 0, "0 of 2 approvals; bob or eve may approve"),
        ([approval("bob")], 1, "1 of 2 approvals by bob; eve may approve"),
        ([approval("bob"), approval("bob")], 1, "1 of 2"),
        ([approval("bob"), approval("mallory")], 1, "mallory may not approve"),
        ([approval("bob"), approval("ada")], 1, "ada trained it"),
        ([approval("bob"), approval("eve", "other")], 1, "eve approved other files"),
        ([approval("bob"), approval("eve")], 2, "2 of 2 approvals by bob, eve"),
        ([approval("eve", "other"), approval("eve"), approval("bob")], 2, "2 of 2"),
    ],
)
def test_distinct_listed_approvers_of_these_files_count(
    approvals: list[Approval], count: int, words: str
) -> None:
    evidence = evidence_of(*binary(), policy=_POLICY, approvals=tuple(approvals))
    result = result_of("approval", evidence)
    assert (result.figure, result.threshold) == (count, 2)
    assert result.stops == (count < 2)
    assert words in result.sentence


def test_the_trainer_counts_where_the_policy_says_so() -> None:
    approvals = (approval("ada"), approval("bob"))
    policy = _POLICY + "trainer_may_approve = true"
    result = result_of("approval", evidence_of(*binary(), policy=policy, approvals=approvals))
    assert result.outcome == "passed"


def test_no_approval_is_asked_for_by_default() -> None:
    assert result_of("approval", evidence_of(*binary())).outcome == "passed"
