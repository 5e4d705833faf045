"""The files of `deploy/`, rendered for a version: objects in, objects out, no cluster asked."""

import copy
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from serving.deploy.collector import egress
from serving.deploy.names import deployment, slug
from serving.deploy.recording import INSIDE, Recording, volume_name
from serving.deploy.wanted import Release, Wanted, settings, sized
from serving.image import BUNDLE

Object = dict[str, Any]

FOLDER = Path(__file__).parents[2] / "deploy"
PORT = 8080
#: Labels and annotations of ours.
MODEL, VERSION, TRACK = "sixfold/model", "sixfold/version", "sixfold/track"
RUN, NAME, TOKEN = "sixfold/run", "sixfold/name", "sixfold/token"
#: What the files of `deploy/` are called by.
_PLACEHOLDER = "sixfold-model"
_GATEWAY = ("gateway.networking.k8s.io/v1", "gateway.networking.k8s.io/v1beta1")
_MONITOR = "monitoring.coreos.com/v1"
_TOKEN_FOLDER = "/run/sixfold"  # noqa: S105  a folder
#: Times those that are asked for, when there is much to do.
MOST_REPLICAS = 4
_SMOKE_SECONDS = 60
#: Pods that are told to end go on for as long, and a Service may find them meanwhile.
_LATE_SECONDS = 10


def stable(
    release: Release, wanted: Wanted, apis: Iterable[str], replicas: int = 0, token: str = ""
) -> list[Object]:
    """What serves a version.

    Parameters
    ----------
    release : Release
    wanted : Wanted
    apis : iterable of str
        The API versions that the cluster has: what it lacks is rendered in its older form. Empty
        if no cluster was asked: the newest.
    replicas : int
        To begin with; 0 for what is wanted.
    token : str
        Mark of the Secret with the token, which changes with it; '' for none.

    Returns
    -------
    list of dict
        Deployment, Service, NetworkPolicy, HorizontalPodAutoscaler, PodDisruptionBudget, and a
        ServiceMonitor if that is wanted.
    """
    wanted = sized(wanted)
    found = read("base") + [_of_its_time(item, set(apis)) for item in read("overlays/current")]
    if wanted.monitor:
        found += read("overlays/service-monitor")
    name = deployment(release.model)
    objects = [_named(item, release.model, {_PLACEHOLDER: name}) for item in found]
    by_kind = {item["kind"]: item for item in objects}
    _fill(by_kind["Deployment"], release, wanted, token)
    by_kind["Deployment"]["spec"]["replicas"] = replicas or wanted.replicas
    scaler = by_kind["HorizontalPodAutoscaler"]["spec"]
    scaler["minReplicas"] = wanted.replicas
    scaler["maxReplicas"] = wanted.replicas * MOST_REPLICAS
    if wanted.traces:
        by_kind["NetworkPolicy"]["spec"]["egress"] = egress(wanted.traces)
    if wanted.monitor and token:
        credentials = {"name": f"{name}-token", "key": "token"}
        for endpoint in by_kind["ServiceMonitor"]["spec"]["endpoints"]:
            endpoint["authorization"] = {"type": "Bearer", "credentials": credentials}
    return objects


def canary(release: Release, wanted: Wanted, token: str = "") -> list[Object]:
    """A Deployment and a Service of a version beside the one that is there."""
    wanted = sized(wanted)
    name = deployment(release.model)
    objects = []
    for item in read("base"):
        if item["kind"] not in ("Deployment", "Service"):
            continue
        found = _named(item, release.model, {_PLACEHOLDER: name, "stable": "canary"})
        found["metadata"]["name"] = f"{name}-canary"
        objects.append(found)
    _fill(objects[0], release, wanted, token)
    objects[0]["spec"]["replicas"] = max(1, round(wanted.replicas * wanted.canary / 100))
    return objects


def route(
    model: str,
    share: int,
    apis: Iterable[str],
    gateway: str = "",
    host: str = "",
    there: Object | None = None,
) -> Object:
    """The route that gives the canary its share of the requests.

    Parameters
    ----------
    model : str
    share : int
        In percent; 0 without a canary.
    apis : iterable of str
    gateway : str
        `NAME` or `NAMESPACE/NAME`; '' for that of the route that is there, or that of the file.
    host : str
        '' for those of the route that is there, or all.
    there : dict, optional
    """
    name = deployment(model)
    (item,) = read("overlays/canary")
    names = {_PLACEHOLDER: name, f"{_PLACEHOLDER}-canary": f"{name}-canary"}
    found = _named(item, model, names)
    found["apiVersion"] = gateway_api(apis) or _GATEWAY[0]
    before = there["spec"] if there else {}
    if gateway:
        *namespace, gateway = gateway.split("/")
        parent = {"namespace": namespace[0]} if namespace else {}
        found["spec"]["parentRefs"] = [{**parent, "name": gateway}]
    elif before.get("parentRefs"):
        found["spec"]["parentRefs"] = before["parentRefs"]
    if hosts := [host] if host else before.get("hostnames"):
        found["spec"]["hostnames"] = hosts
    (rule,) = found["spec"]["rules"]
    rule["backendRefs"][0]["weight"] = 100 - share
    rule["backendRefs"][1]["weight"] = share
    if not share:
        del rule["backendRefs"][1]
    return found


def claim(model: str, asked: Recording) -> Object:
    """What requests are recorded in, by all replicas and versions of a model."""
    (item,) = read("overlays/record")
    names = {_PLACEHOLDER: deployment(model), f"{_PLACEHOLDER}-recordings": volume_name(model)}
    found = _named(item, model, names)
    found["spec"]["accessModes"] = [asked.access]
    found["spec"]["resources"]["requests"]["storage"] = f"{asked.size >> 20}Mi"
    if asked.storage_class:
        found["spec"]["storageClassName"] = asked.storage_class
    return found


def gateway_api(apis: Iterable[str]) -> str:
    """The newest version of the Gateway API that there is; '' for none."""
    known = set(apis)
    return next((name for name in _GATEWAY if name in known), "")


def has_monitors(apis: Iterable[str]) -> bool:
    """Whether the cluster has the Prometheus operator's objects."""
    return _MONITOR in set(apis)


def secret(model: str, token: str) -> Object:
    """The token that requests must bring."""
    name = deployment(model)
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": f"{name}-token", "labels": _labels(model)},
        "type": "Opaque",
        "stringData": {"token": token},
    }


def smoke_pod(release: Release, service: str, script: str, times: int, token: bool) -> Object:
    """A pod that asks a Service for the recorded predictions, as a client in the cluster would.

    It is none of the Service's own, and no policy keeps it from asking.
    """
    name = f"{service}-smoke"
    named = f"{release.model}/{release.version}"
    seconds = [str(_SMOKE_SECONDS), str(times), str(_LATE_SECONDS)]
    words = [f"http://{service}:{PORT}", BUNDLE, named, *seconds]
    (base,) = (item for item in read("base") if item["kind"] == "Deployment")
    spec = base["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    kept = {key: container[key] for key in ("imagePullPolicy", "securityContext", "volumeMounts")}
    asking = {
        **kept,
        "name": "smoke",
        "image": release.image,
        "command": ["python", "-c", script, *words],
        "resources": {
            "requests": {"cpu": "100m", "memory": "64Mi"},
            "limits": {"cpu": "1", "memory": "128Mi"},
        },
    }
    left_out = ("containers", "terminationGracePeriodSeconds", "topologySpreadConstraints")
    pod = {key: value for key, value in spec.items() if key not in left_out}
    pod |= {"restartPolicy": "Never", "terminationGracePeriodSeconds": 0}
    pod["activeDeadlineSeconds"] = 2 * _SMOKE_SECONDS
    if token:
        _mount_token(asking, pod, release.model)
    labels = {**_labels(release.model), "app.kubernetes.io/name": name}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels},
        "spec": {**pod, "containers": [asking]},
    }


def read(folder: str) -> list[Object]:
    """The objects of a folder of `deploy/`, in the order of its `kustomization.yaml`."""
    listed = yaml.safe_load((FOLDER / folder / "kustomization.yaml").read_text())["resources"]
    return [yaml.safe_load((FOLDER / folder / name).read_text()) for name in listed]


def as_yaml(objects: Iterable[Object]) -> str:
    """A stream of documents, as kubectl reads it."""
    return "---\n".join(yaml.safe_dump(item, sort_keys=False) for item in objects)


def _of_its_time(item: Object, apis: set[str]) -> Object:
    """An object in the form that the cluster has."""
    if not apis or item["apiVersion"] in apis:
        return item
    older = {other["kind"]: other for other in read("overlays/older")}
    return older[item["kind"]]


def _named(item: Object, model: str, names: Mapping[str, str]) -> Object:
    """A copy with the model's names in place of those of the files."""
    found: Object = _replaced(copy.deepcopy(item), names)
    found["metadata"]["labels"].update(_labels(model))
    return found


def _replaced(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _replaced(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [_replaced(item, names) for item in value]
    return names.get(value, value) if isinstance(value, str) else value


def _labels(model: str) -> dict[str, str]:
    return {"app.kubernetes.io/managed-by": "sixfold", MODEL: slug(model)}


def _fill(item: Object, release: Release, wanted: Wanted, token: str) -> None:
    """Write the version into a Deployment.

    All of it goes into the pods' template: that is what `kubectl rollout undo` takes back.
    """
    template = item["spec"]["template"]
    template["metadata"]["labels"].update({**_labels(release.model), VERSION: release.version})
    template["metadata"]["annotations"] = {NAME: release.model, RUN: release.run_id}
    pod = template["spec"]
    (container,) = pod["containers"]
    container["image"] = release.image
    sizes = {"cpu": f"{round(wanted.cpu * 1_000)}m", "memory": f"{wanted.memory >> 20}Mi"}
    container["resources"] = {"requests": dict(sizes), "limits": dict(sizes)}
    container["env"] += [{"name": k, "value": v} for k, v in settings(wanted).items()]
    if token:
        template["metadata"]["annotations"][TOKEN] = token
        _mount_token(container, pod, release.model)
    if wanted.record:
        container["volumeMounts"].append({"name": "recordings", "mountPath": INSIDE})
        source = {"persistentVolumeClaim": {"claimName": volume_name(release.model)}}
        pod["volumes"].append({"name": "recordings", **source})


def _mount_token(container: Object, pod: Object, model: str) -> None:
    variable = {"name": "SIXFOLD_TOKEN_FILE", "value": f"{_TOKEN_FOLDER}/token"}
    container["env"] = [*container.get("env", []), variable]
    mount = {"name": "token", "mountPath": _TOKEN_FOLDER, "readOnly": True}
    container["volumeMounts"] = [*container["volumeMounts"], mount]
    volume = {"secretName": f"{deployment(model)}-token", "defaultMode": 0o440}
    pod["volumes"] = [*pod["volumes"], {"name": "token", "secret": volume}]
