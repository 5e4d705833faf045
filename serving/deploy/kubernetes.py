"""A version goes to Kubernetes: checked, applied, rolled out, asked through its Service; or not.

The rollout replaces pods one by one and never has fewer ready ones than before. A pod that ends
has left the Service's endpoints first, goes on answering for some seconds, and ends the connections
that are still open with an answer: clients lose no request. When pods do not become ready, or the
Service does not answer the recorded sample as recorded, `kubectl rollout undo` brings back what
was there, with the token that it asks for; of a first deployment nothing is left.
"""

import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serving.deploy import manifests, valid
from serving.deploy.kubectl import Kubectl, KubectlError, selector
from serving.deploy.lasting import has_claim, mark, restore, secret_name
from serving.deploy.manifests import PORT
from serving.deploy.names import deployment, slug
from serving.deploy.recording import volume_name
from serving.deploy.rollout import Failed, NoImage, find, wait, wait_for_route
from serving.deploy.rollout import revision as revision_of
from serving.deploy.wanted import Release, Wanted, read_token, without_stable, written
from serving.tried import smoke_script
from training.errors import SixfoldError, UserError

_POLL = 0.5
_ASKED = 10  # times a replica, so that each is likely to answer some
_SMOKE_PATIENCE = 130.0


@dataclass(frozen=True)
class RolledOut:
    """What answers now.

    Attributes
    ----------
    name, namespace : str
    url : str
        In the cluster.
    replicas : int
    share : int
        Of the requests, in percent.
    answers : int
        Right ones to the recorded sample, through the Service.
    """

    name: str
    namespace: str
    url: str
    replicas: int
    share: int
    answers: int


def roll_out(
    kubectl: Kubectl, release: Release, wanted: Wanted, say: Callable[[str], None]
) -> RolledOut:
    """Bring a version up, in place of the one that is there or beside it.

    Raises
    ------
    UserError
        No cluster, an object that is not valid, no such namespace, no Gateway API for a canary, a
        claim that has not the size that recordings may have, or an image that the cluster cannot
        pull.
    SixfoldError
        It did not come up or does not answer as recorded, and was taken back.
    """
    apis, before = check(kubectl, wanted)
    name = deployment(release.model)
    given, former = read_token(wanted.token_file), kubectl.get("secret", secret_name(release.model))
    secrets = [manifests.secret(release.model, given)] if given else []
    token = mark(former) or ("given" if given else "")
    if wanted.canary:
        objects = manifests.canary(release, wanted, token)
        routes = [manifests.route(release.model, wanted.canary, apis, wanted.gateway)]
        service = f"{name}-canary"
    else:
        replicas = _replicas(kubectl, name, before, wanted)
        objects = manifests.stable(release, wanted, apis, replicas, token)
        routes = []
        service = name
    is_new = bool(wanted.record) and not has_claim(kubectl, release.model, wanted)
    if wanted.record and is_new:  # one that is there stays as it is
        objects.append(manifests.claim(release.model, wanted.record))
    valid.check([*secrets, *objects, *routes], kubectl.version, say)
    kubectl.check(manifests.as_yaml([*secrets, *objects, *routes]))
    went = f"version {release.version} of {release.model}"
    say(f"{went}: applying {len(objects)} objects to namespace {kubectl.namespace()}")
    revision = revision_of(kubectl.get("deployment", service))
    replicas = objects[0]["spec"]["replicas"]
    try:
        if secrets:
            kubectl.apply(manifests.as_yaml(secrets))
            token = mark(kubectl.get("secret", secret_name(release.model)))
            objects[0]["spec"]["template"]["metadata"]["annotations"][manifests.TOKEN] = token
        kubectl.apply(manifests.as_yaml(objects))
        say(f"{went}: rolling out {replicas} replicas")
        wait(kubectl, service, replicas)
        say(f"{went}: asking the Service for the recorded predictions")
        answers = _smoke(kubectl, release, service, _ASKED * replicas, bool(token))
    except BaseException as error:
        try:
            try:
                if secrets:  # before pods of what was there come up again: they read it then
                    restore(kubectl, release.model, former)
            finally:
                left = _take_back(kubectl, release.model, service, revision, apis, wanted, say)
            if is_new and not before:  # nobody has asked for anything
                kubectl.delete(f"persistentvolumeclaim/{volume_name(release.model)}")
        except SixfoldError as other:
            left = f"that failed too: {other}"
        if not isinstance(error, (Failed, KubectlError)):
            raise
        kind = UserError if isinstance(error, NoImage) else SixfoldError
        raise kind(f"{went} was taken back: {error}; {left}") from None
    if routes:
        kubectl.apply(manifests.as_yaml(routes))
    else:
        _end_canary(kubectl, release.model, apis, wanted.gateway)
    namespace = kubectl.namespace()
    return RolledOut(
        name=service,
        namespace=namespace,
        url=f"http://{service}.{namespace}:{PORT}",
        replicas=replicas,
        share=wanted.canary or 100,
        answers=answers,
    )


def write(release: Release, wanted: Wanted, folder: Path, say: Callable[[str], None]) -> list[Path]:
    """Write the objects as a kustomization, in the form of the cluster where one answers.

    A token is not written: the Secret must be there, `NAME-token` with the key `token`.

    Raises
    ------
    UserError
        An object is not valid, or the folder cannot be written to.
    """
    apis: list[str] = []
    version: Callable[[], str] = str  # '', the newest
    with suppress(UserError):
        kubectl = Kubectl(wanted.namespace)
        apis, version = kubectl.apis(), kubectl.version
    token = "given" if wanted.token_file else ""
    if wanted.canary:
        objects = manifests.canary(release, wanted, token)
        objects.append(manifests.route(release.model, wanted.canary, apis, wanted.gateway))
    else:
        objects = manifests.stable(release, wanted, apis, token=token)
    if wanted.record:
        objects.append(manifests.claim(release.model, wanted.record))
    valid.check(objects, version, say)
    with written(folder):
        return manifests.write(folder, objects)


def kept(kubectl: Kubectl, model: str) -> list[str]:
    """The claim that a model's recordings are in, if it is there."""
    name = volume_name(model)
    return [name] if kubectl.get("persistentvolumeclaim", name) else []


def remove(kubectl: Kubectl, model: str, recordings: bool = False) -> list[str]:
    """Remove all of a model's objects, its pods after they have drained; what was there.

    With `recordings`, also what its requests are recorded in.
    """
    apis = kubectl.apis()
    kinds = ["deployment", "service", "networkpolicy", "horizontalpodautoscaler"]
    kinds += ["poddisruptionbudget", "secret", "pod"]
    kinds += ["httproute"] if manifests.gateway_api(apis) else []
    kinds += ["servicemonitor"] if manifests.has_monitors(apis) else []
    chosen = selector([("app.kubernetes.io/managed-by", "sixfold"), (manifests.MODEL, slug(model))])
    found = kubectl.run("get", ",".join(kinds), "--selector", chosen, "--output", "name").split()
    # What only follows from others goes with them, and is not waited for one by one.
    owned = [name for name in found if not name.startswith("pod/")]
    owned += [name for name in found if name.startswith("pod/") and name.endswith("-smoke")]
    gone = kubectl.delete(*owned) if owned else []
    claims = [f"persistentvolumeclaim/{name}" for name in kept(kubectl, model)]
    return gone + (kubectl.delete(*claims) if claims and recordings else [])


def check(kubectl: Kubectl, wanted: Wanted) -> tuple[list[str], Any]:
    """Refuse what the cluster cannot have, before anything is done for it.

    Returns
    -------
    list of str
        The API versions that the cluster has.
    dict or None
        The Deployment that is there.

    Raises
    ------
    UserError
        One of those of `roll_out`; what is there is another model's.
    """
    apis, name = kubectl.apis(), deployment(wanted.model)
    before, _ = (find(kubectl, each, wanted.model) for each in (name, f"{name}-canary"))
    if wanted.canary and not before:
        raise without_stable(wanted.model, "in this namespace")
    if wanted.canary and not manifests.gateway_api(apis):
        raise UserError(
            "expected a cluster with the Gateway API, got one without gateway.networking.k8s.io; "
            "install it and a gateway, or leave --canary out"
        )
    if wanted.monitor and not manifests.has_monitors(apis):
        raise UserError(
            "expected a cluster with the Prometheus operator, got one without "
            "monitoring.coreos.com/v1; install it, or leave --monitor out"
        )
    return apis, before


def _replicas(kubectl: Kubectl, name: str, before: Any, wanted: Wanted) -> int:
    """Those wanted, or as many as the autoscaler has found to be needed."""
    scaler = kubectl.get("horizontalpodautoscaler", name) if before else None
    there = int(before["spec"]["replicas"]) if before else 0
    if not scaler or there <= scaler["spec"]["minReplicas"]:
        return wanted.replicas
    return min(max(there, wanted.replicas), wanted.replicas * manifests.MOST_REPLICAS)


def _smoke(kubectl: Kubectl, release: Release, service: str, times: int, token: bool) -> int:
    """Ask the Service from a pod beside it; how many answers were right.

    Raises
    ------
    Failed
        One was not.
    """
    pod = manifests.smoke_pod(release, service, smoke_script(), times, token)
    name = pod["metadata"]["name"]
    kubectl.delete(f"pod/{name}")
    try:
        kubectl.run("create", "--filename", "-", given=json.dumps(pod))
        until = time.monotonic() + _SMOKE_PATIENCE
        while time.monotonic() < until:
            phase = kubectl.get("pod", name)["status"].get("phase", "")
            if phase in ("Succeeded", "Failed"):
                break
            time.sleep(_POLL)
        printed = kubectl.run("logs", name)
        try:
            found = json.loads(printed.strip().splitlines()[-1])
        except (ValueError, IndexError):
            raise Failed(
                f"the smoke request has not come to an end: {printed.strip()[-300:]}"
            ) from None
        if found["wrong"]:
            raise Failed(f"the smoke request has failed: {found['wrong']}")
        return int(found["answers"])
    finally:
        kubectl.delete(f"pod/{name}")


def _take_back(
    kubectl: Kubectl,
    model: str,
    name: str,
    revision: str,
    apis: list[str],
    wanted: Wanted,
    say: Callable[[str], None],
) -> str:
    """Bring back what was there before; what that is, in words."""
    if wanted.canary:
        _end_canary(kubectl, model, apis, wanted.gateway)
        return "the canary is removed"
    if not revision:
        remove(kubectl, model)
        return "there was no other, and nothing of it is left"
    found = kubectl.get("deployment", name)
    if revision_of(found) != revision:
        say("going back to what was there before")
        kubectl.run("rollout", "undo", f"deployment/{name}", f"--to-revision={revision}")
    kubectl.run("rollout", "status", f"deployment/{name}", "--timeout=300s", timeout=310)
    found = kubectl.get("deployment", name)
    version = found["spec"]["template"]["metadata"]["labels"].get(manifests.VERSION, "?")
    return f"version {version} answers"


def _end_canary(kubectl: Kubectl, model: str, apis: list[str], gateway: str) -> None:
    """A canary ends: first its route leads to the one Service again."""
    name = deployment(model)
    found = kubectl.get("httproute", name) if manifests.gateway_api(apis) else None
    if found:
        parents = found["spec"].get("parentRefs") or [{"name": gateway}]
        item = manifests.route(model, 0, apis, parents[0]["name"])
        kubectl.apply(manifests.as_yaml([item]))
        wait_for_route(kubectl, name)
    if kubectl.get("deployment", f"{name}-canary"):
        kubectl.delete(f"deployment/{name}-canary", f"service/{name}-canary")
