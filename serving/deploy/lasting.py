"""What outlives a version on Kubernetes: the Secret with the token, the claim of recordings."""

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
    name = volume_name(model)
    found = kubectl.get("persistentvolumeclaim", name)
    if not found:
        return False
    asked = found["spec"]["resources"]["requests"]["storage"]
    size = found.get("status", {}).get("capacity", {}).get("storage", asked)
    if wanted.record and 0 < quantity(size) < wanted.record.size:
        raise UserError(
            f"expected --record-size of at most {size}, as the claim {name} has, got "
            f"{wanted.record.size >> 20}Mi; name a smaller one, or enlarge the claim first"
        )
    return True


def secret_name(model: str) -> str:
    """What the Secret with a deployed model's token is called."""
    return f"{deployment(model)}-token"
