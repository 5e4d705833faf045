"""What is in Production, what is built, what answers where, and whether that is one version."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from serving.candidates import own_names
from serving.deploy.deployed import Deployed, in_docker, in_kubernetes
from serving.deploy.kubectl import Kubectl, KubectlError
from serving.labels import MODEL, RUN, VERSION
from training.errors import UserError

if TYPE_CHECKING:
    from mlflow import MlflowClient


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
    built: list[tuple[str, str, str]] = []
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
    runs = _runs(client, model, {*(item.version for item in deployed), *(one[0] for one in built)})
    said = compare(model, production, deployed, runs)
    return Status(model, production, _of_runs(built, runs), deployed, unseen, said)


def compare(
    model: str, production: str, deployed: Sequence[Deployed], runs: Mapping[str, str] | None = None
) -> list[str]:
    """What does not agree, a sentence each; empty if all is as it should be.

    Parameters
    ----------
    model, production : str
    deployed : sequence of Deployed
    runs : mapping of version to run, optional
        As the registry has them: a version of the same name and number may be another registry's.
    """
    found = []
    if not production:
        found.append(f"nothing of {model} is in Production")
    elif not deployed:
        found.append(f"version {production} is in Production and deployed nowhere")
    names = [item.name for item in deployed]
    for item in deployed:
        place = f"{item.where} ({item.name})"
        again = f"`{_again(model, item)}`"
        run = (runs or {}).get(item.version, "")
        if item.beside and item.beside not in names:
            found.append(f"{place} is a canary beside nothing: {again}")
        if production and item.version != production and not item.beside:
            found.append(f"{place} has version {item.version}, Production is {production}: {again}")
        elif _differ(item.run, run):
            found.append(
                f"{place} has version {item.version} of another registry: it comes from run "
                f"{item.run}, this one's from {run}: {again}"
            )
        if not item.is_ready:
            found.append(f"{place} is not ready: {item.ready}")
    return found


def _again(model: str, item: Deployed) -> str:
    """How the version in Production gets there."""
    words = ["sixfold", "deploy", model, "--to", item.where]
    if item.where == "kubernetes":
        words += ["--namespace", item.name.partition("/")[0]]
    if item.folder:
        words += ["--write", item.folder]
    return shlex.join(words)


def _differ(run: str, other: str) -> bool:
    """Whether two runs are known not to be one."""
    return bool(run and other) and run != other


def _runs(client: "MlflowClient", model: str, versions: Iterable[str]) -> dict[str, str]:
    """The run of each version that the registry has."""
    from registry.store import find_version

    found = {}
    for version in versions:
        with suppress(UserError):  # it was deleted, or is another registry's
            found[version] = find_version(client, model, version).run_id
    return found


def _of_runs(
    built: Sequence[tuple[str, str, str]], runs: Mapping[str, str]
) -> dict[str, list[str]]:
    """Version -> names of images; those of another registry's version are left out."""
    found: dict[str, list[str]] = {}
    for version, run, name in built:
        if not _differ(run, runs.get(version, "")):
            found.setdefault(version, []).append(name)
    return {version: sorted(found[version]) for version in sorted(found, key=_number)}


def _with_share(item: Deployed, deployed: Sequence[Deployed]) -> Deployed:
    """What is no canary has what its canary leaves."""
    if item.beside:
        return item
    return replace(item, share=100 - sum(c.share for c in deployed if c.beside == item.name))


def images(engine: Any, model: str) -> list[tuple[str, str, str]]:
    """The images of a model on this machine: version, run and name of each."""
    return [
        (image.labels.get(VERSION, "?"), image.labels.get(RUN, ""), name)
        for image in engine.images.list(filters={"label": f"{MODEL}={model}"})
        for name in own_names(image.tags)
    ]


def _number(version: str) -> tuple[int, str]:
    return (int(version) if version.isdecimal() else 0, version)
