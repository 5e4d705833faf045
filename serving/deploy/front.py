"""The container that keeps the port of the host, whichever version answers behind it."""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serving.check import SEALED
from serving.deploy.names import MODEL, deployment
from serving.deploy.wanted import Release, Wanted
from serving.engine import not_started
from serving.labels import BASE
from training.errors import UserError

if TYPE_CHECKING:
    from docker.models.containers import Container

#: Of each container: what it is for.
ROLE = "sixfold.role"
#: Of a front: which program runs in it.
PROGRAM = "sixfold.front"
HOST = "127.0.0.1"
#: Of the server, and of the front in its own container.
INSIDE = 8080
_DEFAULT_PORT = 8080
_TEXTS = ("exchange.py", "servers.py", "forward.py")
_OURS = re.compile(r"^from serving\..*\n", re.MULTILINE)
_MEMORY = 128 << 20


def keep_port(
    engine: Any,
    release: Release,
    wanted: Wanted,
    made: list[Any],
    say: Callable[[str], None],
) -> tuple[Any, Any]:
    """The container that keeps the port; and the one before it, where the port is to change.

    Raises
    ------
    UserError
        The port is taken; a canary is wanted, and the front that is there does not know any.
    """
    name = deployment(release.model)
    before = find(engine, f"{name}-front", release.model)
    if before and wanted.port in (0, published_port(before)):
        if before.labels.get(PROGRAM) != mark():
            once = f"once: `sixfold undeploy {release.model} --to docker`, then deploy again"
            if wanted.canary:
                raise UserError(
                    f"expected a front of this Sixfold, which knows canaries, got {before.name} of "
                    f"another; {once}"
                )
            say(
                f"{before.name} is of another Sixfold, and goes on as it is; to have this one's, "
                f"{once}"
            )
        before.start()  # does nothing where it runs
        return before, None
    port = wanted.port or _DEFAULT_PORT
    have_image(engine, release.image)
    front = engine.containers.create(
        _front_image(engine, release.image),
        entrypoint=["python", "-c", program()],
        command=[str(INSIDE), name, str(INSIDE)],
        name=f"{name}-front-next" if before else f"{name}-front",
        network=name,
        ports={f"{INSIDE}/tcp": (HOST, port)},
        mem_limit=_MEMORY,
        # A name that nobody has for a moment is not looked for beyond the engine.
        dns_opt=["ndots:1"],
        dns_search=["."],
        labels={MODEL: release.model, ROLE: "front", PROGRAM: mark()},
        **SEALED,
    )
    made.append(front)
    begin(front, port)
    return front, before


def program() -> str:
    """What runs in it: one text, as the image that it starts from has none of these files."""
    texts = [Path(__file__).with_name(name).read_text() for name in _TEXTS]
    return "\n".join(_OURS.sub("", text) for text in texts)


def mark() -> str:
    """What changes with it."""
    return hashlib.sha256(program().encode()).hexdigest()[:12]


def begin(container: "Container", port: int) -> None:
    from docker.errors import APIError

    try:
        container.start()
    except APIError as error:
        raise not_started(error, port) from None


def _front_image(engine: Any, image: str) -> str:
    """The base that the image was built on, where it is here: it outlives the version."""
    from docker.errors import ImageNotFound

    from serving.base import NAME

    base = engine.images.get(image).labels.get(BASE, "")
    try:
        return str(engine.images.get(f"{NAME}:{base}").id) if base else image
    except ImageNotFound:
        return image


def have_image(engine: Any, image: str) -> None:
    """Have an image here.

    Raises
    ------
    UserError
        It is neither here nor in its registry.
    """
    from docker.errors import APIError, ImageNotFound

    try:
        engine.images.get(image)
    except ImageNotFound:
        try:
            engine.images.pull(image)
        except APIError as error:
            raise UserError(
                f"expected an image that is here or can be pulled, got {image}: "
                f"{error.explanation or error}; correct --image"
            ) from None


def find(engine: Any, name: str, model: str) -> Any:
    """A model's container by its name, as it is now; None if there is none, or it is another's."""
    from docker.errors import NotFound

    try:
        found = engine.containers.get(name)
    except NotFound:
        return None
    return found if found.labels.get(MODEL) == model else None


def published_port(front: Any) -> int:
    """The port of the host that a container keeps, whether it runs or not."""
    bound = front.attrs["HostConfig"]["PortBindings"].get(f"{INSIDE}/tcp") or [{}]
    return int(bound[0].get("HostPort") or 0)
