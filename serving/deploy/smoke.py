"""A pod in the cluster asks a version's Service for the recorded predictions."""

import json
import time

from serving.deploy import manifests
from serving.deploy.kubectl import Kubectl
from serving.deploy.rollout import Failed
from serving.deploy.wanted import Release
from serving.tried import smoke_script

_POLL = 0.5
_PATIENCE = 130.0


def ask(kubectl: Kubectl, release: Release, service: str, times: int, token: bool) -> int:
    """How many answers were right.

    Raises
    ------
    Failed
        One was not, or the pod has gone.
    """
    pod = manifests.smoke_pod(release, service, smoke_script(), times, token)
    name = pod["metadata"]["name"]
    kubectl.delete(f"pod/{name}")
    try:
        kubectl.run("create", "--filename", "-", given=json.dumps(pod))
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until:
            found = kubectl.get("pod", name)
            if not found:  # evicted, or deleted by somebody
                raise Failed(f"the smoke request has not come to an end: its pod {name} has gone")
            if found["status"].get("phase", "") in ("Succeeded", "Failed"):
                break
            time.sleep(_POLL)
        printed = kubectl.run("logs", name)
        try:
            said = json.loads(printed.strip().splitlines()[-1])
        except (ValueError, IndexError):
            raise Failed(
                f"the smoke request has not come to an end: {printed.strip()[-300:]}"
            ) from None
        if said["wrong"]:
            raise Failed(f"the smoke request has failed: {said['wrong']}")
        return int(said["answers"])
    finally:
        kubectl.delete(f"pod/{name}")
