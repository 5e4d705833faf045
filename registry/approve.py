"""That somebody has looked at a version and stands up for it: a record, like a promotion."""

from typing import TYPE_CHECKING

from registry import journal, store
from registry.evidence import Approval
from registry.journal import APPROVED
from registry.policy import Policy
from registry.version import Version
from training.errors import UserError, nearest

if TYPE_CHECKING:
    from mlflow import MlflowClient


def approve(client: "MlflowClient", version: Version, policy: Policy, note: str) -> Approval:
    """Record that the asking user approves of a version's files as they were registered.

    Raises
    ------
    UserError
        The policy does not list them, or they have approved already.
    """
    name = store.user()
    if name not in policy.approvers:
        said = nearest(name, policy.approvers) if policy.approvers else "it lists nobody yet"
        raise UserError(
            f"expected an approver of the policy, got {name!r}; {said} (approvers in policy.toml)"
        )
    digest = version.tags.get(journal.DIGEST, "")
    for known in approvals(client, version):
        if known.user == name and known.digest == digest:
            raise UserError(
                f"expected a version that {name} has not approved yet, got {version.name}, "
                f"approved in run {known.run_id}; nothing is left to do"
            )
    run_id = journal.begin(client, APPROVED, version, "", note)
    journal.end(client, run_id, "approved")
    return next(item for item in approvals(client, version) if item.run_id == run_id)


def approvals(client: "MlflowClient", version: Version) -> list[Approval]:
    """Who has approved a version, the first one first; which of them count is the gate's to say."""
    return [
        Approval(record.user, record.began, record.note, record.run_id, record.digest)
        for record in journal.read(client, version.model)
        if record.kind == APPROVED
        and record.version == version.version
        and record.outcome == "approved"
    ]
