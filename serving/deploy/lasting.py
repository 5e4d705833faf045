"""What outlives a version on Kubernetes: the Secret with the token, the claim of recordings."""

import json
import re
from typing import Any

from serving.deploy.kubectl import Kubectl
from serving.deploy.names import deployment
from serving.deploy.recording import volume_name
from serving.deploy.wanted import Wanted
from training.errors import UserError

#: Of a claim's size as Kubernetes writes it.
_UNITS = {"": 1, "k": 10**3, "Ki": 1 << 10}
_UNITS |= {"M": 10**6, "Mi": 1 << 20, "G": 10**9, "Gi": 1 << 30}
_UNITS |= {"T": 10**12, "Ti": 1 << 40, "P": 10**15, "Pi": 1 << 50}


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
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([kKMGTP]?i?)", size)
    there = float(match[1]) * _UNITS.get(match[2], 0) if match else 0
    if wanted.record and 0 < there < wanted.record.size:
        raise UserError(
            f"expected --record-size of at most {size}, as the claim {name} has, got "
            f"{wanted.record.size >> 20}Mi; name a smaller one, or enlarge the claim first"
        )
    return True


def secret_name(model: str) -> str:
    """What the Secret with a deployed model's token is called."""
    return f"{deployment(model)}-token"


def mark(secret: Any) -> str:
    """What changes with the token in a Secret; '' for none."""
    return str(secret["metadata"]["resourceVersion"]) if secret else ""


def restore(kubectl: Kubectl, model: str, former: Any) -> None:
    """Bring back the Secret that was there, or that there was none."""
    name = secret_name(model)
    if not former:
        kubectl.delete(f"secret/{name}")
        return
    ours = ("name", "namespace", "labels", "annotations")
    metadata = {key: value for key, value in former["metadata"].items() if key in ours}
    verb = "replace" if kubectl.get("secret", name) else "create"
    kubectl.run(verb, "--filename", "-", given=json.dumps({**former, "metadata": metadata}))
