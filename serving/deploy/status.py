"""What is in Production, what is built, what answers where, and whether that is one version."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from serving.candidates import own_names
from serving.deploy import manifests
from serving.deploy.compose_text import SHARE
from serving.deploy.front import HOST, ROLE, published_port
from serving.deploy.front import find as find_container
from serving.deploy.kubectl import Kubectl, KubectlError, selector
from serving.deploy.names import MODEL, deployment, slug
from serving.deploy.recording import PROJECT, SERVICE
from serving.deploy.servers import share_of
from serving.labels import MODEL as IMAGE_MODEL
from serving.labels import VERSION
from training.errors import UserError

if TYPE_CHECKING:
    from mlflow import MlflowClient


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


@dataclass(frozen=True)
class Status:
    """Where a model is.

    Attributes
    ----------
    model : str
    production : str
        Version; '' for none.
    built : dict of version to names
        The images on this machine.
    deployed : list of Deployed
    unseen : list of str
        Where could not be looked, and why.
    differences : list of str
        What does not agree, a sentence each.
    """

    model: str
    production: str
    built: dict[str, list[str]]
    deployed: list[Deployed]
    unseen: list[str]
    differences: list[str] = field(default_factory=list)

    @property
    def agree(self) -> bool:
        return not self.differences


def read_status(client: "MlflowClient", model: str, engine: Any, kubectl: Kubectl | None) -> Status:
    """Look everywhere.

    Parameters
    ----------
    client : MlflowClient
    model : str
    engine : DockerClient or None
        None where no engine answers.
    kubectl : Kubectl or None
        None where it is not installed.

    Raises
    ------
    UserError
        No such model.
    """
    from registry.store import in_stage

    version = in_stage(client, model, "Production")
    production = version.version if version else ""
    deployed: list[Deployed] = []
    unseen = []
    built: dict[str, list[str]] = {}
    if engine is None:
        unseen.append("docker: no engine answers")
    else:
        built = images(engine, model)
        deployed += in_docker(engine, model)
    if kubectl is None:
        unseen.append("kubernetes: no kubectl")
    else:
        try:
            deployed += in_kubernetes(kubectl, model)
        except (KubectlError, UserError) as error:
            unseen.append(f"kubernetes: {error}")
    deployed = [_with_share(item, deployed) for item in deployed]
    return Status(model, production, built, deployed, unseen, compare(model, production, deployed))


def compare(model: str, production: str, deployed: Sequence[Deployed]) -> list[str]:
    """What does not agree, a sentence each; empty if all is as it should be."""
    found = []
    if not production:
        found.append(f"nothing of {model} is in Production")
    elif not deployed:
        found.append(f"version {production} is in Production and deployed nowhere")
    names = [item.name for item in deployed]
    for item in deployed:
        place = f"{item.where} ({item.name})"
        again = f"`sixfold deploy {model} --to {item.where}`"
        if item.beside and item.beside not in names:
            found.append(f"{place} is a canary beside nothing: {again}")
        if production and item.version != production and not item.beside:
            found.append(f"{place} has version {item.version}, Production is {production}: {again}")
        if not item.is_ready:
            found.append(f"{place} is not ready: {item.ready}")
    return found


def _with_share(item: Deployed, deployed: Sequence[Deployed]) -> Deployed:
    """What is no canary has what its canary leaves."""
    if item.beside:
        return item
    return replace(item, share=100 - sum(c.share for c in deployed if c.beside == item.name))


def images(engine: Any, model: str) -> dict[str, list[str]]:
    """The images of a model on this machine: version -> names."""
    found: dict[str, list[str]] = {}
    for image in engine.images.list(filters={"label": f"{IMAGE_MODEL}={model}"}):
        if names := own_names(image.tags):
            found.setdefault(image.labels.get(VERSION, "?"), []).extend(names)
    return {version: sorted(found[version]) for version in sorted(found, key=_number)}


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
            share = int(labels.get(SHARE, "100"))
            beside = servers.get(project, f"{project}_server") if share < 100 else ""
        else:
            share = 100 if container.name == name else share_of(name, container.name)
            beside = name if share < 100 else ""
        if labels.get(ROLE) == "front" or not share:
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
    )


def _share(kubectl: Kubectl, namespace: str, canary: str) -> int:
    """What the route gives to a canary, in percent."""
    name = canary.removesuffix("-canary")
    try:
        found = kubectl.get("httproute", name, "--namespace", namespace)
    except KubectlError:
        return 0
    for rule in found["spec"]["rules"] if found else []:
        for backend in rule["backendRefs"]:
            if backend["name"] == canary:
                return int(backend["weight"])
    return 0


def _number(version: str) -> tuple[int, str]:
    return (int(version) if version.isdecimal() else 0, version)
