"""What of a model is deployed: by the labels of containers and of Kubernetes' objects."""

import re
from dataclasses import dataclass
from typing import Any

from serving.deploy import manifests
from serving.deploy.compose_text import SHARE
from serving.deploy.front import HOST, ROLE, published_port
from serving.deploy.front import find as find_container
from serving.deploy.kubectl import Kubectl, KubectlError, selector
from serving.deploy.names import MODEL, deployment, slug
from serving.deploy.recording import FOLDER, PROJECT, SERVICE
from serving.deploy.servers import share_of
from serving.labels import RUN, VERSION


@dataclass(frozen=True)
class Deployed:
    """A version that is somewhere.

    Attributes
    ----------
    where : str
        `docker`, `compose`, `kubernetes`.
    name : str
        Of the container, or `namespace/deployment`.
    version, image : str
    ready : str
        In words: `healthy`, `3 of 3`.
    is_ready : bool
    share : int
        Of the requests in percent, as far as is known.
    url : str
    beside : str
        The name of what a canary is beside; '' for what is no canary.
    run : str
        That the version comes from; '' where nothing says it.
    folder : str
        Of the Compose file; '' for what has none.
    """

    where: str
    name: str
    version: str
    image: str
    ready: str
    is_ready: bool
    share: int = 100
    url: str = ""
    beside: str = ""
    run: str = ""
    folder: str = ""


def in_docker(engine: Any, model: str) -> list[Deployed]:
    """The containers that answer, of `--to docker` and of `--to compose`."""
    found = []
    name = deployment(model)
    there = engine.containers.list(all=True, filters={"label": f"{MODEL}={model}"})
    fronts = {c.labels.get(PROJECT, ""): c for c in there if c.labels.get(ROLE) == "front"}
    servers = {c.labels.get(PROJECT): c.name for c in there if c.labels.get(SERVICE) == "server"}
    fronts[""] = find_container(engine, f"{name}-front", model)
    for container in there:
        labels = container.labels
        project = labels.get(PROJECT, "")
        if project:
            share = _percent(labels[SHARE]) if SHARE in labels else 100
            beside = servers.get(project, f"{project}_server") if SHARE in labels else ""
        else:
            share = 100 if container.name == name else share_of(name, container.name)
            beside = name if share < 100 else ""
        if labels.get(ROLE) == "front" or not (share or project):
            continue  # what is coming or going counts for nothing
        state = container.attrs["State"]
        health = state.get("Health", {}).get("Status", "")
        front = fronts.get(project, container)
        ready = health or state["Status"]
        if front is None or front.status != "running":
            ready = "nothing keeps its port"
        port = published_port(front) if front else 0
        found.append(
            Deployed(
                where="compose" if project else "docker",
                name=container.name,
                version=labels.get(VERSION, "?"),
                image=container.attrs["Config"]["Image"],
                ready=ready,
                is_ready=ready in ("healthy", "running", "starting"),
                share=share,
                url=f"http://{HOST}:{port}" if port else "",
                beside=beside,
                run=labels.get(RUN, ""),
                folder=labels.get(FOLDER, "") if project else "",
            )
        )
    return found


def in_kubernetes(kubectl: Kubectl, model: str) -> list[Deployed]:
    """The Deployments of a model, in all namespaces that this user may look into.

    Raises
    ------
    UserError
        No cluster answers.
    """
    kubectl.apis()
    chosen = selector([("app.kubernetes.io/managed-by", "sixfold"), (manifests.MODEL, slug(model))])
    words = ("deployment", "--selector", chosen)
    try:
        items = kubectl.items(*words, "--all-namespaces")
    except KubectlError:
        items = kubectl.items(*words)  # this user may look into this one only
    return [_deployment(kubectl, item) for item in items]


def _deployment(kubectl: Kubectl, item: dict[str, Any]) -> Deployed:
    meta, spec, state = item["metadata"], item["spec"], item.get("status", {})
    template = spec["template"]
    wanted = int(spec.get("replicas", 1))
    # A rollout that has not ended has ready pods of the version before.
    ready = min(int(state.get("readyReplicas", 0)), int(state.get("updatedReplicas", 0)))
    is_canary = meta["labels"].get(manifests.TRACK) == "canary"
    namespace, name = meta["namespace"], meta["name"]
    return Deployed(
        where="kubernetes",
        name=f"{namespace}/{name}",
        version=template["metadata"]["labels"].get(manifests.VERSION, "?"),
        image=template["spec"]["containers"][0]["image"],
        ready=f"{ready} of {wanted}",
        is_ready=ready >= wanted > 0,
        share=_share(kubectl, namespace, name) if is_canary else 100,
        url=f"http://{name}.{namespace}:{manifests.PORT}",
        beside=f"{namespace}/{name.removesuffix('-canary')}" if is_canary else "",
        run=(template["metadata"].get("annotations") or {}).get(manifests.RUN, ""),
    )


def _share(kubectl: Kubectl, namespace: str, canary: str) -> int:
    """What the route gives to a canary, in percent."""
    name = canary.removesuffix("-canary")
    try:
        found = kubectl.get("httproute", name, "--namespace", namespace)
    except KubectlError:
        return 0
    for rule in found["spec"].get("rules", []) if found else []:
        # Weights are parts of their sum; one that is not said is 1.
        weights = {b["name"]: int(b.get("weight", 1)) for b in rule.get("backendRefs", [])}
        if weights.get(canary):
            return round(100 * weights[canary] / sum(weights.values()))
    return 0


def _percent(text: str) -> int:
    """A share that a person may have changed; 0 for what is none."""
    found = re.fullmatch(r"\s*(\d\d?)\s*%?\s*", text, re.ASCII)
    return int(found[1]) if found else 0
