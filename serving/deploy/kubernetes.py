"""A version goes to Kubernetes: checked, applied, rolled out, asked through its Service; or not.

The rollout replaces pods one by one and never has fewer ready ones than before. A pod that ends
has left the Service's endpoints first, goes on answering for some seconds, and ends the connections
that are still open with an answer: clients lose no request. When pods do not become ready, or the
Service does not answer the recorded sample as recorded, or the Gateway does not accept a canary's
route, all objects are put back as they were (`former.py`), with the token that is asked for; of a
first deployment nothing is left.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from serving.deploy import manifests, smoke, valid
from serving.deploy.former import Former, mark, put_back, read_former, restore
from serving.deploy.kubectl import Kubectl, KubectlError, selector
from serving.deploy.lasting import has_claim, secret_name
from serving.deploy.manifests import PORT
from serving.deploy.names import deployment, slug
from serving.deploy.recording import volume_name
from serving.deploy.rollout import Failed, NoImage, find, wait
from serving.deploy.routes import end_canary, gateway_of, wait_until_accepted
from serving.deploy.sizes import sizes_of
from serving.deploy.wanted import Release, Wanted, read_token, sized, without_stable
from training.errors import SixfoldError, UserError

_ASKED = 10  # times a replica, so that each is likely to answer some


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
    gateway : str
        That gives a canary its share, and for which host; '' for what is no canary.
    """

    name: str
    namespace: str
    url: str
    replicas: int
    share: int
    answers: int
    gateway: str = ""


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
    scaler = kubectl.get("horizontalpodautoscaler", name) if before else None
    wanted = sized(wanted, **sizes_of(before, scaler))
    given, former = read_token(wanted.token_file), kubectl.get("secret", secret_name(release.model))
    secrets = [manifests.secret(release.model, given)] if given else []
    token = mark(former) or ("given" if given else "")
    routes = []
    if wanted.canary:
        objects = manifests.canary(release, wanted, token)
        routes.append(_route(kubectl, release.model, apis, wanted))
    else:
        replicas = _replicas(before, scaler, wanted)
        objects = manifests.stable(release, wanted, apis, replicas, token)
    service = objects[0]["metadata"]["name"]
    is_new = bool(wanted.record) and not has_claim(kubectl, release.model, wanted)
    if wanted.record and is_new:  # one that is there stays as it is
        objects.append(manifests.claim(release.model, wanted.record))
    valid.check([*secrets, *objects, *routes], kubectl.version, say)
    kubectl.check(manifests.as_yaml([*secrets, *objects, *routes]))
    went = f"version {release.version} of {release.model}"
    say(f"{went}: applying {len(objects)} objects to namespace {kubectl.namespace()}")
    there = read_former(kubectl, service, [*objects, *routes])
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
        answers = smoke.ask(kubectl, release, service, _ASKED * replicas, bool(token))
        if routes:
            kubectl.apply(manifests.as_yaml(routes))
            say(f"{went}: waiting for Gateway {gateway_of(routes[0])}")
            wait_until_accepted(kubectl, name)
    except BaseException as error:
        try:
            try:
                if secrets:  # before pods of what was there come up again: they read it then
                    restore(kubectl, f"secret/{secret_name(release.model)}", former)
            finally:
                left = _take_back(kubectl, release.model, there, bool(wanted.canary), say)
            if is_new and not before:  # nobody has asked for anything
                kubectl.delete(f"persistentvolumeclaim/{volume_name(release.model)}")
        except SixfoldError as other:
            left = f"that failed too: {other}"
        if not isinstance(error, (Failed, KubectlError)):
            raise
        kind = UserError if isinstance(error, NoImage) else SixfoldError
        raise kind(f"{went} was taken back: {error}; {left}") from None
    if not routes:
        end_canary(kubectl, release.model, apis)
    namespace = kubectl.namespace()
    return RolledOut(
        name=service,
        namespace=namespace,
        url=f"http://{service}.{namespace}:{PORT}",
        replicas=replicas,
        share=wanted.canary or 100,
        answers=answers,
        gateway=gateway_of(routes[0]) if routes else "",
    )


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


def _route(kubectl: Kubectl, model: str, apis: list[str], wanted: Wanted) -> manifests.Object:
    """That of a canary, with the Gateway and the hosts that it has where none are named."""
    there = kubectl.get("httproute", deployment(model))
    return manifests.route(model, wanted.canary, apis, wanted.gateway, wanted.host, there)


def _replicas(before: Any, scaler: Any, wanted: Wanted) -> int:
    """Those wanted, or as many as the autoscaler has found to be needed."""
    there = int(before["spec"]["replicas"]) if before else 0
    if not scaler or there <= scaler["spec"].get("minReplicas", 1):
        return wanted.replicas
    return min(max(there, wanted.replicas), wanted.replicas * manifests.MOST_REPLICAS)


def _take_back(
    kubectl: Kubectl, model: str, there: Former, is_canary: bool, say: Callable[[str], None]
) -> str:
    """Bring back what was there before; what that is, in words."""
    if not there.pods and not is_canary:
        remove(kubectl, model)
        return "there was no other, and nothing of it is left"
    put_back(kubectl, there, say)
    if not there.pods:
        return "the canary is removed"
    version = there.pods["spec"]["template"]["metadata"]["labels"].get(manifests.VERSION, "?")
    return f"version {version} answers" + (" as the canary" if is_canary else "")
