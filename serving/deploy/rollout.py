"""A rollout is waited for, and given up as soon as a pod says that it will not come up."""

import subprocess
from contextlib import suppress
from typing import Any

from serving.deploy.kubectl import Kubectl, KubectlError, selector
from serving.deploy.manifests import MODEL
from serving.deploy.names import slug
from training.errors import SixfoldError, UserError

_REVISION = "deployment.kubernetes.io/revision"
_HASH = "pod-template-hash"
_POLL = 0.5
_BASE_SECONDS, _SECONDS_A_REPLICA = 60, 40
#: A pod that waits for one of these does not come up by waiting longer.
_NO_IMAGE = ("ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName")
_HOPELESS = ("CrashLoopBackOff", "CreateContainerConfigError", "RunContainerError")


class Failed(SixfoldError):
    """A version that does not come up, and is to be taken back."""


class NoImage(Failed, UserError):
    """The cluster has no image of it."""


def find(kubectl: Kubectl, name: str, model: str) -> Any:
    """A model's Deployment by its name; None if there is none.

    Raises
    ------
    UserError
        It is another model's.
    """
    found = kubectl.get("deployment", name)
    if found and found["metadata"].get("labels", {}).get(MODEL) != slug(model):
        raise UserError(
            f"expected no Deployment {name}, or one of {model}, got another's; remove it "
            f"(`kubectl delete deployment,service {name}`), or choose another --namespace"
        )
    return found


def wait(kubectl: Kubectl, name: str, replicas: int) -> None:
    """Until all replicas are of the new version and ready.

    Raises
    ------
    Failed
        They do not come up.
    """
    seconds = _BASE_SECONDS + _SECONDS_A_REPLICA * replicas
    status = kubectl.start("rollout", "status", f"deployment/{name}", f"--timeout={seconds}s")
    try:
        while not _ends_within(status, _POLL):
            with suppress(KubectlError):  # the rollout itself goes on; look again
                _look_at_pods(kubectl, name)
    finally:
        status.kill()
        printed, _ = status.communicate()
    if status.returncode:
        _look_at_pods(kubectl, name, last=True)
        lines = printed.strip().splitlines()
        raise Failed(lines[-1] if lines else "the rollout did not end")


def _ends_within(process: subprocess.Popen[str], seconds: float) -> bool:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def _look_at_pods(kubectl: Kubectl, name: str, last: bool = False) -> None:
    """Whether any of the newest revision's pods cannot come up; `last`: or has not."""
    found = kubectl.get("deployment", name)
    if not found:
        return
    labels = sorted(found["spec"]["selector"]["matchLabels"].items())
    sets = [
        item
        for item in kubectl.items("replicaset", "--selector", selector(labels))
        if revision(item) == revision(found)
    ]
    if not sets:
        return
    labels.append((_HASH, sets[0]["metadata"]["labels"][_HASH]))
    for pod in kubectl.items("pod", "--selector", selector(labels)):
        _look_at(kubectl, pod, last)


def _look_at(kubectl: Kubectl, pod: dict[str, Any], last: bool) -> None:
    name = pod["metadata"]["name"]
    for container in pod["status"].get("containerStatuses", []):
        waiting = container["state"].get("waiting", {})
        reason, message = waiting.get("reason", ""), waiting.get("message", "")
        if reason in _NO_IMAGE:
            raise NoImage(
                f"expected an image that the cluster can pull, got {container['image']}: {reason}; "
                "push it (`sixfold build NAME --tag REGISTRY/NAME --push`) and name it: --image"
            )
        if reason in _HOPELESS:
            raise Failed(f"{_last_line(kubectl, name) or message or reason} ({reason})")
        if last and not container["ready"]:
            raise Failed(f"not ready: {_last_line(kubectl, name) or reason or 'it says nothing'}")
    for condition in pod["status"].get("conditions", []) if last else []:
        if condition["type"] == "PodScheduled" and condition["status"] != "True":
            raise Failed(f"no node takes it: {condition.get('message', '')}")


def _last_line(kubectl: Kubectl, pod: str) -> str:
    """The last that a pod has said, in this life or the one before."""
    for more in ([], ["--previous"]):
        try:
            printed = kubectl.run("logs", pod, "--tail", "5", *more)
        except KubectlError:
            continue
        lines = [line.strip() for line in printed.splitlines() if line.strip()]
        if lines:
            return lines[-1][:300]
    return ""


def revision(found: Any) -> str:
    """Which template of its pods a Deployment or ReplicaSet has; '' for none."""
    return str(found["metadata"].get("annotations", {}).get(_REVISION, "")) if found else ""
