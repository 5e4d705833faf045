"""The Docker engine: finding it, building in it, and leaving nothing of a failed build behind."""

import io
import re
import shutil
import tarfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.errors import SixfoldError, UserError

if TYPE_CHECKING:
    from docker.errors import APIError

#: Of the stages of our builds; the images that come of them do not have it.
STAGE = "sixfold.serving.stage"
_NO_EMULATION = (
    "expected an engine that runs programs of {}, got one that does not; have it emulate them "
    "(Debian, Ubuntu: sudo apt-get install qemu-user-static binfmt-support)"
)
_PATIENCE = 600.0
_SHOWN_LINES = 3
_NEW = 3600.0  # seconds
_TIMES = 0  # of the files in a build's context: the same files make the same layer
_INDEXES = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL")
#: No login and no query; tokens in a path have digits or capitals (`containers/setup` has it, too).
_PLAIN = re.compile(r"https?://[^/@?#]*[a-z/+._-]*")
_IMAGE = re.compile(r"^ ---> ([0-9a-f]{12})$", re.MULTILINE)
_CONTAINER = re.compile(r"^ ---> Running in ([0-9a-f]{12})$", re.MULTILINE)


def connect() -> Any:
    """The engine's client.

    Raises
    ------
    UserError
        No engine answers, it does not let this user in, or it is behind ssh; or there is no
        `docker` command, which MLflow builds with.
    """
    import docker
    from docker.errors import DockerException

    try:
        engine = docker.from_env(timeout=_PATIENCE)
        engine.ping()
    except DockerException as error:
        if "permission denied" in str(error).lower():
            raise UserError(
                "expected a Docker engine that this user may ask, got permission denied; have it "
                "let you in (`sudo usermod -aG docker $USER`, then log in again), or set "
                "DOCKER_HOST to one of your own"
            ) from None
        if "paramiko" in str(error).lower():
            raise UserError(
                "expected a Docker engine of this machine, got one behind ssh, whose containers "
                "cannot be asked from here; run this there, or name another: `docker context use`, "
                "or DOCKER_HOST"
            ) from None
        raise UserError(
            "expected a Docker engine, got none that answers; start it (`containers/setup engine` "
            "does where it can), or name another: `docker context use`, or DOCKER_HOST"
        ) from None
    if not shutil.which("docker"):
        raise UserError(
            "expected the command `docker`, which MLflow builds with, got none in PATH; install it "
            "(Debian, Ubuntu: sudo apt-get install docker.io)"
        )
    return engine


@contextmanager
def reported(doing: str) -> Iterator[None]:
    """Say in one line what the engine could not do.

    Raises
    ------
    SixfoldError
    """
    from docker.errors import APIError, DockerException
    from requests import RequestException

    try:
        yield
    except (DockerException, RequestException) as error:
        said = error.explanation if isinstance(error, APIError) else None
        raise SixfoldError(f"the Docker engine failed while {doing}: {said or error}") from None


def run(engine: Any, image: str, **options: Any) -> Any:
    """A container that runs; nothing is left of one that does not start, or is interrupted.

    Parameters
    ----------
    engine : DockerClient
    image : str
    **options
        Of the client's own `containers.create`.

    Raises
    ------
    APIError
    """
    container = engine.containers.create(image, **options)
    try:
        container.start()
    except BaseException:
        drop(container)
        raise
    return container


def drop(container: Any) -> None:
    """Remove a container, whatever it is at; one that has gone hides no error."""
    from docker.errors import APIError

    try:
        container.remove(force=True)
    except APIError as error:
        if error.status_code not in (404, 409):  # not there; or going already
            raise


def not_started(error: "APIError", port: int) -> UserError:
    """What a user is told of a container that was to have a port and has not started."""
    said = error.explanation or str(error)
    if "port is already allocated" in said or "address already in use" in said:
        return UserError(
            f"expected a free port, got {port}, which is taken; choose another one: --port"
        )
    return UserError(f"expected a container that starts, got: {said}")


def build(
    engine: Any,
    dockerfile: str,
    files: Mapping[str, bytes],
    *,
    tag: str,
    times: float = _TIMES,
    **options: Any,
) -> Any:
    """Build an image from files in memory.

    Parameters
    ----------
    engine : DockerClient
    dockerfile : str
        Its text.
    files : mapping of path to bytes
        The context: files that anybody may read.
    tag : str
    times : float
        Of the files, in seconds since the epoch.
    **options
        Of the engine's own `build`: `target`, `platform`, `buildargs`, `labels`, …

    Returns
    -------
    Image

    Raises
    ------
    UserError
        The engine does not run programs of the platform.
    SixfoldError
        The build has failed; the message has its last lines.
    """
    from docker.errors import APIError

    log = ""
    try:
        for event in engine.api.build(
            fileobj=_context({**files, "Dockerfile": dockerfile.encode()}, times),
            custom_context=True,
            tag=tag,
            rm=True,
            forcerm=True,
            decode=True,
            **options,
        ):
            log += event.get("stream", "")
            if "error" in event:
                # Some runtimes start the program, others refuse to.
                if "exec format error" in log + event["error"]:
                    raise UserError(_NO_EMULATION.format(options.get("platform")))
                raise SixfoldError(failure(tag, f"{log}\n{event['error']}"))
        return engine.images.get(tag)
    except APIError as error:
        raise SixfoldError(failure(tag, error.explanation or str(error))) from None
    finally:
        # A stage's history has the arguments of the build that it asks for.
        remove_left(engine, log, stages=_have_secret(options.get("buildargs", {})))
        if "target" in options:
            _remove_stages(engine, dockerfile, log)


def remove(engine: Any, name: str, *, layers: bool = True) -> None:
    """Remove an image or a name of one, if it is there.

    Parameters
    ----------
    engine : DockerClient
    name : str
    layers : bool, default True
        Also the layers that no other image has.
    """
    from docker.errors import APIError

    try:
        engine.images.remove(name, force=True, noprune=not layers)
    except APIError as error:
        if error.status_code not in (404, 409):  # not there; or somebody's container runs from it
            raise


def _have_secret(arguments: Mapping[str, str]) -> bool:
    """Whether a build's package indexes have anything in their addresses that may be a secret."""
    addresses = [address for name in _INDEXES for address in arguments.get(name, "").split()]
    return not all(_PLAIN.fullmatch(address) for address in addresses)


def remove_left(engine: Any, log: str, *, stages: bool = False) -> None:
    """Remove what a classic build has left: its containers, and images without a name.

    With `stages`, also those that would make the next build quick.
    """
    from docker.errors import APIError

    for short in _CONTAINER.findall(log):
        try:
            engine.api.remove_container(short, force=True)
        except APIError as error:
            if error.status_code != 404:
                raise
    made = set(_IMAGE.findall(log))
    for image in _nameless(engine):
        if _short(image) in made and (stages or STAGE not in (image["Labels"] or {})):
            remove(engine, image["Id"])


def _remove_stages(engine: Any, dockerfile: str, log: str) -> None:
    """Remove stages of earlier builds; those of this one make the next one quick.

    What is new may belong to a build that goes on beside this one.
    """
    made, before = set(_IMAGE.findall(log)), time.time() - _NEW
    stages = set(re.findall(rf"^LABEL {re.escape(STAGE)}=(\S+)", dockerfile, re.MULTILINE))
    for image in _nameless(engine):
        is_stage = (image["Labels"] or {}).get(STAGE) in stages
        if is_stage and _short(image) not in made and image["Created"] < before:
            remove(engine, image["Id"])


def _nameless(engine: Any) -> list[dict[str, Any]]:
    # Not `engine.images.list`, which asks for each once more: it may be gone by then.
    images: list[dict[str, Any]] = engine.api.images(filters={"dangling": True})
    return images


def _short(image: dict[str, Any]) -> str:
    return str(image["Id"]).split(":")[-1][:12]


def _context(files: Mapping[str, bytes], times: float) -> io.BytesIO:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        folders = {str(parent) for name in files for parent in Path(name).parents} - {"."}
        for name in sorted({*files, *folders}):
            item = tarfile.TarInfo(name)
            item.mtime, item.mode = int(times), 0o644
            if name in folders:
                item.type, item.mode = tarfile.DIRTYPE, 0o755
            item.size = len(files.get(name, b""))
            archive.addfile(item, io.BytesIO(files.get(name, b"")))
    packed.seek(0)
    return packed


def failure(what: str, log: str) -> str:
    """That a build has failed, with its last lines."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    return f"could not build {what}: {' | '.join(lines[-_SHOWN_LINES:])[:600]}"
