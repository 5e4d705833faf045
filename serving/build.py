"""The way from a registered version to an image that answers predictions.

version -> its model's files -> compiled -> image -> tried in a container -> named -> pushed. Each
step is a function of a module beside this one.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from registry.store import find_version, in_stage, reported
from registry.version import Version, local_model
from serving import engine as engines
from serving.base import base_image
from serving.candidates import new_name, remove_left
from serving.check import Checked, check_image
from serving.compile import Compiled
from serving.image import PLATFORM, check_platform, with_mlflow, without_mlflow
from serving.labels import image_labels, image_name
from serving.origin import read_origin
from serving.pipeline_image import pipeline_base, pyfunc_base
from serving.sbom import check_file, file_name, keep, sbom
from serving.server.bundle import PYFUNC
from training.aside import call_aside, import_ahead
from training.console import write_report
from training.errors import SixfoldError, UserError

if TYPE_CHECKING:
    from mlflow import MlflowClient


@dataclass(frozen=True)
class Wanted:
    """What to build.

    Attributes
    ----------
    model : str
    version : str
        '' for the one in Production.
    tag : str
        '' for MODEL:VERSION.
    push : bool
    platform : str
    slim : bool
        Without MLflow's build.
    sbom : str
        A file that the list of what is in the image is written to; '' for none.
    """

    model: str
    version: str = ""
    tag: str = ""
    push: bool = False
    platform: str = PLATFORM
    slim: bool = False
    sbom: str = ""


@dataclass(frozen=True)
class Built:
    """An image that has passed its checks.

    Attributes
    ----------
    model, version, run_id : str
    tag, image : str
        Its name and its id.
    path, why : str
        The form that the model was compiled to, and the reason.
    bytes, own_bytes : int
        Its size, and what of it no other image of the same base has.
    ready_seconds : float
        From the container's start to the first answer.
    checks : list of str
        What was tried.
    seconds : dict of str to float
        How long each step took.
    pushed : bool
    """

    model: str
    version: str
    run_id: str
    tag: str
    image: str
    path: str
    why: str
    bytes: int
    own_bytes: int
    ready_seconds: float
    checks: list[str]
    seconds: dict[str, float] = field(default_factory=dict)
    pushed: bool = False


def build(client: "MlflowClient", wanted: Wanted, say: Callable[[str], None]) -> Built:
    """Build a version's image.

    Parameters
    ----------
    client : MlflowClient
    wanted : Wanted
    say : callable
        Told each step.

    Raises
    ------
    UserError
        No such version, nothing in Production, no Docker, a platform or name that no image may
        have, a model without a signature, a registry that does not take the image, or a file that
        cannot be written to.
    SixfoldError
        The image has failed one of its checks, and is removed.
    """
    check_platform(wanted.platform)
    check_file(wanted.sbom)
    import_ahead("serving.preload")
    with reported("reading the registry"):
        version = find(client, wanted.model, wanted.version)
    tag = image_name(version.model, version.version, wanted.tag)
    engine = engines.connect()
    with reported("reading the registry"):
        origin = read_origin(client, version)
    remove_left(engine, version.model, version.version, say)
    seconds: dict[str, float] = {}
    base = base_image(engine, wanted.platform, slim=wanted.slim, say=say)
    candidate = new_name()
    try:
        with TemporaryDirectory(prefix="sixfold-") as name:
            folder = Path(name)
            (downloads := folder / "download").mkdir()
            say(f"{version.name}: downloading the model")
            with _timed(seconds, "download"), reported("downloading the model"):
                model = local_model(version, downloads)
            say(f"{version.name}: compiling")
            bundle = folder / "bundle"
            with _timed(seconds, "compile"):
                compiled = _compiled(model, bundle, _told(version))
            say(f"{version.name}: {compiled.why}")
            if compiled.path == "pipeline":
                base = pipeline_base(engine, base, model, wanted.platform, say)
            elif compiled.path == PYFUNC:
                base = pyfunc_base(engine, base, model, wanted.platform, say)
            labels = image_labels(origin, compiled.path)
            with _timed(seconds, "image"):
                of_version = (bundle, labels, candidate, version.created, wanted.platform)
                if wanted.slim:
                    say(f"building {tag}")
                    image = without_mlflow(engine, base, *of_version)
                else:
                    say(f"building {tag} by MLflow")
                    image = with_mlflow(engine, base, *of_version, model, folder)
        with _timed(seconds, "check"), ThreadPoolExecutor(1) as beside:
            listing = beside.submit(sbom, engine, image, version.model, version.created)
            checked: Checked = check_image(engine, image, version, say)
            listed = listing.result()
        _name(engine, image, tag)
    finally:
        engines.remove(engine, candidate)
    with _timed(seconds, "record"):
        keep(client, origin.run_id, listed, file_name(version, wanted.platform, wanted.slim), say)
    try:
        if wanted.push:
            say(f"pushing {tag}")
            with _timed(seconds, "push"):
                push(engine, tag)
    finally:
        if wanted.sbom:
            write_report(wanted.sbom, listed, "--sbom")
    size = image.attrs["Size"]
    return Built(
        model=version.model,
        version=version.version,
        run_id=origin.run_id,
        tag=tag,
        image=image.id,
        path=compiled.path,
        why=compiled.why,
        bytes=size,
        own_bytes=size - base.attrs["Size"],
        ready_seconds=checked.ready_seconds,
        checks=checked.checks,
        seconds=seconds,
        pushed=wanted.push,
    )


def find(client: "MlflowClient", model: str, number: str) -> Version:
    """A version by its number, or the one in Production.

    Raises
    ------
    UserError
        There is none.
    """
    if number:
        return find_version(client, model, number)
    found = in_stage(client, model, "Production")
    if found is None:
        raise UserError(
            f"expected a version of {model} in Production, got none there; bring one in with "
            f"`sixfold promote {model}`, or name one: --version N"
        )
    return found


def push(engine: Any, tag: str) -> None:
    """Push an image to the registry that its name names.

    Raises
    ------
    UserError
        The registry does not take it.
    """
    from docker.errors import APIError

    repository, number = _split(tag)
    refused = ""
    try:
        for event in engine.images.push(repository, number, stream=True, decode=True):
            refused = event.get("error", "") or refused
    except APIError as error:
        refused = error.explanation or str(error)
    if refused:
        raise UserError(
            f"expected a registry that takes {tag}, got: {refused}; the image is built: log in "
            f"(docker login) or correct --tag, then `docker push {tag}`"
        )


def _compiled(model: Path, bundle: Path, facts: dict[str, str]) -> Compiled:
    try:
        found: Compiled = call_aside("serving.compile:compile_model", model, bundle, facts)
    except BrokenProcessPool:
        raise SixfoldError(
            "compiling ended without a word, most likely because memory ran out; give it more"
        ) from None
    return found


def _name(engine: Any, image: Any, tag: str) -> None:
    """Give an image its name; one that had it goes, unless it has another or somebody runs it."""
    before = engine.images.list(name=tag)
    image.tag(*_split(tag))
    for old in before:
        if old.id != image.id and not engine.images.get(old.id).tags:
            engines.remove(engine, old.id)


def _told(version: Version) -> dict[str, str]:
    """What the server is to say of itself."""
    return {"model": version.model, "version": version.version, "run_id": version.run_id}


def _split(tag: str) -> tuple[str, str]:
    repository, _, number = tag.rpartition(":")
    return repository, number


@contextmanager
def _timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    seconds[step] = round(time.monotonic() - began, 3)
