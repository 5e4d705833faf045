"""The image that all serving images start from: made again only when what it is made of changes."""

import hashlib
import io
import os
import secrets
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from serving import engine as engines
from serving.labels import BASE, LICENCES, label
from serving.licences import expression, read_inventory
from training.errors import UserError

NAME = "sixfold-serving"
#: What it starts from itself.
PYTHON = "python:3.11-slim"
#: Sixfold's own code in it: the server, and the reader of the schema.
_CODE = (
    "serving/__init__.py",
    "serving/server",
    "training/__init__.py",
    "training/missing.py",
    "training/schema.py",
)
#: What else its build needs.
_FILES = (
    *("requirements-server.lock", "requirements-traces.lock", "requirements-recording.lock"),
    "containers/inventory.py",
)
_DOCKERFILE = "containers/serving.Dockerfile"
#: The Python packages of the base, with what they say of their licences, as JSON.
INVENTORY = "/opt/sixfold/code/packages.json"
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
_PROJECT = Path(__file__).parent.parent


def base_image(engine: Any, platform: str, *, slim: bool, say: Callable[[str], None]) -> Any:
    """The base image, built if it is not there.

    Parameters
    ----------
    engine : DockerClient
    platform : str
        E.g. `linux/amd64`.
    slim : bool
        Without what MLflow's own build asks for.
    say : callable
        Told what takes long.

    Returns
    -------
    Image

    Raises
    ------
    UserError
        There is no `python:3.11-slim`.
    SixfoldError
        The build has failed.
    """
    from mlflow.version import VERSION

    files, python = context(), python_image(engine, platform)
    tag = base_name(engine, platform, slim=slim)
    if built := _found(engine, tag):
        return built
    say(f"building {tag}, which all serving images start from ...")
    began = time.monotonic()
    certificates, arguments = network()
    # A name of this build alone: somebody else may be building the same.
    draft = f"{tag}-{secrets.token_hex(4)}"
    engines.build(
        engine,
        (_PROJECT / _DOCKERFILE).read_text(),
        {**files, **certificates},
        tag=draft,
        target=_target(slim),
        platform=platform,
        # The host's: proxies and name servers that work here work in the build.
        network_mode="host",
        buildargs={"BASE": python, "MLFLOW_VERSION": VERSION, **arguments},
    )
    built = labelled(engine, draft, tag, platform, [INVENTORY], {BASE: tag.partition(":")[2]})
    say(f"{tag} is built in {time.monotonic() - began:.0f} s")
    return built


def base_name(engine: Any, platform: str, *, slim: bool) -> str:
    """What the base image of now is called, whether it is there or not.

    Parameters and exceptions are those of `base_image`.
    """
    from mlflow.version import VERSION

    python = engine.images.get(python_image(engine, platform))
    return f"{NAME}:{fingerprint(context(), [_target(slim), platform, python.id, VERSION])}"


def _target(slim: bool) -> str:
    return "slim" if slim else "mlflow"


def labelled(
    engine: Any,
    draft: str,
    tag: str,
    platform: str,
    inventories: Sequence[str],
    labels: Mapping[str, str],
) -> Any:
    """An image of another one, whose name goes, with a label of the licences that are in it.

    Parameters
    ----------
    engine : DockerClient
    draft, tag : str
        The names of both.
    platform : str
    inventories : sequence of str
        Files in the image: what packages it has.
    labels : mapping
        What else it has.
    """
    try:
        found = read_inventory(*(read_file(engine, draft, file) for file in inventories))
        whole = {LICENCES: expression(found.packages), **labels}
        dockerfile = f"FROM {draft}\n{label(whole)}\n"
        return engines.build(engine, dockerfile, {}, tag=tag, platform=platform)
    finally:
        engines.remove(engine, draft, layers=False)


def context() -> dict[str, bytes]:
    """The files that the base is made of, by their path in the build."""
    files = {}
    for name in _CODE:
        path = _PROJECT / name
        found = [path] if path.is_file() else sorted(path.rglob("*"))
        for file in found:
            if file.is_file() and "__pycache__" not in file.parts:
                files[f"code/{file.relative_to(_PROJECT)}"] = file.read_bytes()
    for name in _FILES:
        files[name] = (_PROJECT / name).read_bytes()
    stand_in = _PROJECT / "containers" / "mlflow_container.py"
    files["mlflow/mlflow/models/container.py"] = stand_in.read_bytes()
    return files


def fingerprint(files: dict[str, bytes], others: list[str]) -> str:
    """Twelve letters and digits that change with any of the files, the Dockerfile and the rest."""
    whole = hashlib.sha256((_PROJECT / _DOCKERFILE).read_bytes())
    for name in sorted(files):
        whole.update(f"\0{name}\0".encode() + hashlib.sha256(files[name]).digest())
    whole.update("\0".join(others).encode())
    return whole.hexdigest()[:12]


def read_file(engine: Any, image: str, path: str) -> bytes:
    """A file out of an image, without starting it."""
    container = engine.api.create_container(image, ["-"])["Id"]
    try:
        chunks, _ = engine.api.get_archive(container, path)
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
            member = archive.extractfile(archive.getmembers()[0])
            assert member, path
            return member.read()
    finally:
        engine.api.remove_container(container, force=True)


def python_image(engine: Any, platform: str) -> str:
    """The name of the Python image of a platform, which is pulled if it is not there.

    What is called `python:3.11-slim` already goes on being called so, and no image of another
    platform than the engine's comes to be: the training image starts from it.

    Raises
    ------
    UserError
        There is none.
    """
    from docker.errors import APIError

    own = f"{PYTHON}-{platform.replace('/', '-')}"
    before = _found(engine, PYTHON)
    for name, image in ((PYTHON, before), (own, _found(engine, own))):
        if image and _is_of(image, platform):
            return name
    try:
        pulled = engine.images.pull(PYTHON, platform=platform)
    except APIError:
        pulled = None
    # A registry that has the image of one platform alone hands that out, whatever is asked for.
    is_right = pulled is not None and _is_of(pulled, platform)
    if is_right and not before and platform == own_platform(engine):
        return PYTHON
    if is_right:
        pulled.tag(own)
    if before:
        before.tag(PYTHON)
    elif pulled:
        engines.remove(engine, PYTHON, layers=False)
    if not is_right:
        raise UserError(
            f"expected the image {PYTHON} for {platform}, got none here and no registry that has "
            f"it; load it (docker load -i FILE) and call it {own}, or for this machine's own "
            "platform: `containers/setup base`"
        )
    return own


def _found(engine: Any, name: str) -> Any:
    from docker.errors import ImageNotFound

    try:
        return engine.images.get(name)
    except ImageNotFound:
        return None


def own_platform(engine: Any) -> str:
    """The platform whose programs an engine runs without emulation."""
    about = engine.version()
    return f"{about['Os']}/{about['Arch']}"


def _is_of(image: Any, platform: str) -> bool:
    there = f"{image.attrs['Os']}/{image.attrs['Architecture']}"
    return there == "/".join(platform.split("/")[:2])


def network() -> tuple[dict[str, bytes], dict[str, str]]:
    """How a build reaches packages: as `containers/setup` finds it on this machine.

    Returns
    -------
    files : dict of name to content
        `host-ca.crt`, where this machine has a CA of its own.
    arguments : dict of str
        The package index and proxies, as arguments of a build.
    """
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    printed = subprocess.run(
        [_PROJECT / "containers" / "setup", "network"],
        env={**os.environ, "PATH": path},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
    found = dict(line.split("=", 1) for line in printed.splitlines())
    bundle = Path(found.pop("CA_BUNDLE"))
    files = {"host-ca.crt": bundle.read_bytes()} if bundle.is_file() else {}
    proxies = {name: os.environ[name] for name in _PROXIES if name in os.environ}
    return files, found | proxies
