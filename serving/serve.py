"""A version answers on this machine: its image is found or built, runs, and is ready."""

import json
import shlex
import socket
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from typing import TYPE_CHECKING, Any

from serving import engine as engines
from serving.base import base_name, own_platform, read_file
from serving.build import Wanted, build, find
from serving.candidates import own_names
from serving.check import SEALED
from serving.deploy.recording import Recording, mounted
from serving.image import BUNDLE, PLATFORM
from serving.labels import BASE, identity, image_name
from training.errors import SixfoldError, UserError

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from registry.version import Version
    from serving.origin import Origin

_HOST = "127.0.0.1"
_INSIDE = "8080/tcp"
_PATIENCE = 120.0  # a model of others imports what it likes
_POLL = 0.02
_STOP_SECONDS = 45  # the longest request, and some more


@dataclass(frozen=True)
class Served:
    """A container that answers.

    Attributes
    ----------
    container : Container
    url : str
    tag : str
        Its image.
    curl : str
        A command that asks it for a prediction.
    """

    container: Any
    url: str
    tag: str
    curl: str


def start(
    client: "MlflowClient",
    model: str,
    number: str,
    port: int,
    workers: int,
    memory: int | str,
    say: Callable[[str], None],
    record: Recording | None = None,
) -> Served:
    """Run a version's image, built if there is none, and wait until it is ready.

    Parameters
    ----------
    client : MlflowClient
    model : str
    number : str
        '' for the version in Production.
    port : int
        Of this machine, reachable from it alone; 0 for a free one.
    workers : int
        0 for as many as there are CPUs for the container.
    memory : int or str
        The most that the container may use, in bytes or as `1g`.
    say : callable
    record : Recording, optional
        Keep requests and predictions.

    Raises
    ------
    UserError
        The port is taken, or one of those of `build`.
    SixfoldError
        The container has ended, or is not ready in time.
    """
    from registry.store import reported

    with reported("reading the registry"):
        version = find(client, model, number)
    engine = engines.connect()
    port = _free(port)
    tag = image_of(client, engine, version, say, whole=record is not None, here=True)
    return run(engine, tag, port, workers, memory, mounted(engine, model, record))


def run(
    engine: Any, tag: str, port: int, workers: int, memory: int | str, options: dict[str, Any]
) -> Served:
    """Run an image and wait until it is ready.

    Parameters
    ----------
    engine : DockerClient
    tag : str
    port : int
    workers : int
    memory : int or str
        All three as for `start`.
    options : dict
        What else the container is created with; has an `environment`.

    Raises
    ------
    UserError, SixfoldError
        As for `start`.
    """
    port = _free(port)
    container = _run(engine, tag, port, workers, memory, options)
    try:
        url = f"http://{_HOST}:{port}"
        _wait(container, url)
        sample = json.loads(read_file(engine, tag, f"{BUNDLE}/sample.json"))
        return Served(container, url, tag, curl(url, request_of(sample)))
    except BaseException:
        engines.drop(container)
        raise


def image_of(
    client: "MlflowClient",
    engine: Any,
    version: "Version",
    say: Callable[[str], None],
    *,
    whole: bool = False,
    here: bool = False,
) -> str:
    """The name of the image of a version, which is built if there is none.

    Parameters
    ----------
    client : MlflowClient
    engine : DockerClient
    version : Version
    say : callable
    whole : bool, default False
        No slim one, which neither records nor traces.
    here : bool, default False
        For this engine's own platform; else for linux/amd64.

    Raises
    ------
    UserError, SixfoldError
        Those of `build`.
    """
    from registry.store import reported
    from serving.origin import read_origin

    with reported("reading the registry"):
        origin = read_origin(client, version)
    platform = own_platform(engine) if here else PLATFORM
    tag = _built_image(engine, origin, platform, whole)
    if tag:
        say(f"{version.name}: re-using the image {tag}")
        return tag
    tag = image_name(version.model, version.version)
    if platform != PLATFORM:  # that name is the other's, which may be on its way to a registry
        tag = f"{tag}-{platform.partition('/')[2]}"
    return build(client, Wanted(version.model, version.version, tag, platform=platform), say).tag


def _built_image(engine: Any, origin: "Origin", platform: str, whole: bool) -> str:
    """The name of an image of a version that was built on a base of now; '' if there is none."""
    labels = [f"{name}={value}" for name, value in identity(origin).items()]
    found = engine.images.list(filters={"label": labels})
    for slim in (False,) if whole else (False, True):
        base = base_name(engine, platform, slim=slim).partition(":")[2]
        names = [own_names(image.tags) for image in found if image.labels.get(BASE) == base]
        if any(names):
            return min(name for each in names for name in each)
    return ""


def request_of(sample: dict[str, Any]) -> dict[str, Any]:
    """A request that works, of what an image has in its `sample.json`."""
    return sample.get("request") or {"dataframe_records": sample["rows"][:1]}


def curl(url: str, request: dict[str, Any]) -> str:
    """A command that sends a request for predictions."""
    body = json.dumps(request, ensure_ascii=False)
    kind = shlex.quote("Content-Type: application/json")
    return f"curl {url}/invocations -H {kind} -d {shlex.quote(body)}"


def stop(served: Served) -> int:
    """Let the server finish what it is at, and remove the container; what it has ended with."""
    try:
        served.container.stop(timeout=_STOP_SECONDS)
        return int(served.container.wait()["StatusCode"])
    finally:
        engines.drop(served.container)


def _free(port: int) -> int:
    """The port, if nobody listens on it.

    Raises
    ------
    UserError
    """
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((_HOST, port))
        except OSError as error:
            raise UserError(
                f"expected a free port, got {port}: {error.strerror}; choose another one: --port, "
                "0 for any"
            ) from None
        return int(tried.getsockname()[1])


def _run(
    engine: Any, tag: str, port: int, workers: int, memory: int | str, options: dict[str, Any]
) -> Any:
    from docker.errors import APIError

    if workers:
        options["environment"]["SIXFOLD_WORKERS"] = str(workers)
    try:
        return engines.run(
            engine,
            tag,
            ports={_INSIDE: (_HOST, port)},
            mem_limit=memory,
            labels={"sixfold.serve": tag},
            **options,
            **SEALED,
        )
    except APIError as error:
        raise engines.not_started(error, port) from None


def _wait(container: Any, url: str) -> None:
    # A proxy of the environment's does not reach this machine's own ports.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        try:
            with opener.open(f"{url}/readyz", timeout=2) as answer:
                if answer.status == 200:
                    return
        except (OSError, HTTPException):  # with nobody at a port, a connection may be its own
            pass
        container.reload()
        if container.status in ("exited", "dead"):
            break
        time.sleep(_POLL)
    lines = container.logs(tail=5).decode(errors="replace").strip().splitlines()
    raise SixfoldError(
        f"the container has not become ready: {lines[-1][:300] if lines else 'it has said nothing'}"
    )
