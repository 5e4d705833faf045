"""What was there before a version's objects were applied, and how it is put back.

`kubectl rollout undo` brings back the pods of a Deployment and nothing else: its replicas, and the
objects beside it, are read before and put back as they were.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from serving.deploy.kubectl import Kubectl, KubectlError
from serving.deploy.manifests import Object
from serving.deploy.rollout import revision
from serving.deploy.routes import wait_for_route

#: Of an object's metadata, what is the cluster's alone.
_THEIRS = {"resourceVersion", "uid", "creationTimestamp", "generation", "managedFields", "selfLink"}
_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_ATTEMPTS = 3
#: Outlives the version that it was made for.
_LASTING = "persistentvolumeclaim"


@dataclass(frozen=True)
class Former:
    """What was there.

    Attributes
    ----------
    deployment : str
        Its name.
    objects : dict of str to dict
        By `kind/name`, in the order in which they are put back; None for one that was not there.
    """

    deployment: str
    objects: dict[str, Object | None]

    @property
    def pods(self) -> Object | None:
        """The Deployment, if it was there."""
        return self.objects[f"deployment/{self.deployment}"]


def read_former(kubectl: Kubectl, deployment: str, objects: Iterable[Object]) -> Former:
    """Look at what is there of objects that are to be applied."""
    found = {}
    for item in objects:
        kind, name = item["kind"].lower(), item["metadata"]["name"]
        if kind != _LASTING:
            found[f"{kind}/{name}"] = kubectl.get(kind, name)
    # The way to pods is put back before they are: an HTTPRoute leads to Services that may go.
    order = sorted(found, key=lambda key: (key.startswith("deployment/"), key))
    return Former(deployment, {key: found[key] for key in order})


def put_back(kubectl: Kubectl, former: Former, say: Callable[[str], None]) -> None:
    """Put objects back as they were, and delete those that were not there.

    Raises
    ------
    KubectlError
        The cluster does not take one; the Deployment that was there is put back in any case.
    """
    try:
        for key, item in former.objects.items():
            kind, _, name = key.partition("/")
            if kind == "deployment":
                continue
            is_other = restore(kubectl, key, item)
            if is_other and kind == "httproute":
                wait_for_route(kubectl, name)
    finally:
        if former.pods:
            _roll_back(kubectl, former.deployment, former.pods, say)
    if not former.pods:  # nothing leads to it any more
        kubectl.delete(f"deployment/{former.deployment}")


def restore(kubectl: Kubectl, key: str, item: Object | None) -> bool:
    """Bring back an object as it was, or that there was none; whether that was to be done.

    Parameters
    ----------
    kubectl : Kubectl
    key : str
        `kind/name`.
    item : dict or None

    Raises
    ------
    KubectlError
    """
    if item is None:
        return bool(kubectl.delete(key))
    ours = {name: value for name, value in item["metadata"].items() if name not in _THEIRS}
    given = {name: value for name, value in item.items() if name != "status"} | {"metadata": ours}
    for attempt in range(1, _ATTEMPTS + 1):
        found = kubectl.get(*key.split("/"))
        if mark(found) == mark(item):
            return False
        verb = "replace" if found else "create"
        try:
            kubectl.run(verb, "--filename", "-", given=json.dumps(given))
            break
        except KubectlError as error:  # a controller has written to it meanwhile
            if attempt == _ATTEMPTS or "(Conflict)" not in str(error):
                raise
    _take_for_applied(kubectl, item)
    return True


def mark(item: Any) -> str:
    """What changes with an object; '' for none."""
    return str(item["metadata"]["resourceVersion"]) if item else ""


def _take_for_applied(kubectl: Kubectl, item: Object) -> None:
    """Have the next `apply` compare with what was applied before: what is in neither it leaves.

    `replace` takes all of an object for applied, and after an undo it is what was taken back: a
    variable of the version that answers would outlive it.
    """
    applied = item["metadata"].get("annotations", {}).get(_APPLIED)
    if applied:  # by standard input: of a Secret it is the token
        kubectl.run("apply", "set-last-applied", "--filename", "-", given=applied)


def _roll_back(kubectl: Kubectl, name: str, pods: Object, say: Callable[[str], None]) -> None:
    found = kubectl.get("deployment", name)
    if not found:
        restore(kubectl, f"deployment/{name}", pods)
    else:
        replicas = pods["spec"]["replicas"]
        if found["spec"]["replicas"] != replicas:
            kubectl.run("scale", f"deployment/{name}", f"--replicas={replicas}")
        if revision(found) != revision(pods):
            say("going back to what was there before")
            number = f"--to-revision={revision(pods)}"
            kubectl.run("rollout", "undo", f"deployment/{name}", number)
        _take_for_applied(kubectl, pods)
    kubectl.run("rollout", "status", f"deployment/{name}", "--timeout=300s", timeout=310)
