"""What outlives a version on Kubernetes: the Secret with the token, the claim of recordings."""

from typing import Any

from serving.deploy.kubectl import Kubectl
from serving.deploy.names import deployment
from serving.deploy.recording import volume_name
from serving.deploy.sizes import quantity
from serving.deploy.wanted import Wanted
from training.errors import UserError


def has_claim(kubectl: Kubectl, model: str, wanted: Wanted) -> bool:
    """Whether there is a claim for what is to be recorded.

    Raises
    ------
    UserError
        It is smaller than what recordings may take.
    """
    found = kubectl.get("persistentvolumeclaim", volume_name(model))
    if not found:
        return False
    check_size(found, wanted)
    return True


def check_size(claim: Any, wanted: Wanted) -> None:
    """Refuse to record more than a claim has room for. Raises UserError."""
    asked = claim["spec"]["resources"]["requests"]["storage"]
    size = claim.get("status", {}).get("capacity", {}).get("storage", asked)
    if wanted.record and 0 < quantity(size) < wanted.record.size:
        raise UserError(
            f"expected --record-size of at most {size}, as the claim {claim['metadata']['name']} "
            f"has, got {wanted.record.size >> 20}Mi; name a smaller one, or enlarge the claim first"
        )


def secret_name(model: str) -> str:
    """What the Secret with a deployed model's token is called."""
    return f"{deployment(model)}-token"
