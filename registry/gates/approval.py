"""Enough of those who may approve have approved these very files."""

from registry.evidence import Evidence
from registry.gates.result import PASSED, Finding, outcome
from registry.version import DIGEST


def check(evidence: Evidence) -> Finding:
    """Count the approvers, and say of the others why they do not count."""
    policy, facts = evidence.policy, evidence.candidate
    if not policy.approvals:
        return Finding(PASSED, "The policy asks for no approval.", 0, 0)
    digest = facts.version.tags.get(DIGEST, "")
    counted: list[str] = []
    others: dict[str, str] = {}
    for approval in evidence.approvals:
        if approval.user not in policy.approvers:
            others[approval.user] = "may not approve"
        elif approval.user == facts.trainer and not policy.trainer_may_approve:
            others[approval.user] = "trained it"
        elif not digest or approval.digest != digest:
            others[approval.user] = "approved other files"
        elif approval.user not in counted:
            counted.append(approval.user)
    left = {user: why for user, why in others.items() if user not in counted}
    passed = len(counted) >= policy.approvals
    count = f"{len(counted)} of {policy.approvals} approvals"
    by = f" by {', '.join(counted)}" if counted else ""
    why = "".join(f"; {user} {reason}" for user, reason in left.items())
    ask = "" if passed else f"; {_who(evidence, counted)} may approve"
    return Finding(
        outcome(passed),
        f"There are {count}{by}{why}{ask}.",
        len(counted),
        policy.approvals,
        {
            "approved_by": counted,
            "not_counted": left,
            "approvals": [
                {"user": item.user, "when": item.when, "note": item.note, "run_id": item.run_id}
                for item in evidence.approvals
            ],
        },
    )


def _who(evidence: Evidence, counted: list[str]) -> str:
    """Whose approval would count."""
    policy, trainer = evidence.policy, evidence.candidate.trainer
    names = [
        name
        for name in policy.approvers
        if name not in counted and (policy.trainer_may_approve or name != trainer)
    ]
    return " or ".join(names) or "nobody else"
