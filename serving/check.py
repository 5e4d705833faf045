"""An image is tried in a container before it gets its name: what has failed is not kept."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from registry.version import Version
from serving.engine import run
from serving.image import BUNDLE
from serving.labels import PATH
from serving.server.bundle import PYFUNC
from serving.tried import run_script
from training.errors import SixfoldError

#: How a server is kept from everything that it does not need.
SEALED: dict[str, Any] = {
    "read_only": True,
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges"],
    "tmpfs": {"/tmp": "size=64m,mode=1777"},  # noqa: S108  in the container
    "pids_limit": 256,
}
_MEMORY = "1g"
_NOT_RUN = (126, 127, 137)  # a command that could not begin, or was killed
_PATIENCE, _LONG_PATIENCE = 20.0, 120.0  # a model of others imports what it likes


@dataclass(frozen=True)
class Checked:
    """What was tried, and has passed.

    Attributes
    ----------
    checks : list of str
    ready_seconds : float
        From the container's start until the server was ready.
    """

    checks: list[str]
    ready_seconds: float


def check_image(engine: Any, image: Any, version: Version, say: Callable[[str], None]) -> Checked:
    """Start an image without network, rights or a file system to write to, and try it.

    The recorded sample must give the recorded predictions (relative 1e-5, absolute 1e-6), in every
    format of a request. A model that Sixfold has not trained came without: it must answer its
    example, and the same in each format; as many predictions of the same kind, where the same
    request has other ones each time, which is said.

    Raises
    ------
    SixfoldError
        Something has failed; which check, and what was found.
    """
    say("trying the image: read-only, without a network or any rights")
    patience = _LONG_PATIENCE if image.labels.get(PATH) == PYFUNC else _PATIENCE
    words = [BUNDLE, version.model, version.version, f"{patience:g}"]
    with _sealed(engine, image) as container:
        printed = run_in(container, ["python", "-c", run_script(), *words])
        try:
            found = json.loads(printed)
        except ValueError:  # it has ended, or what tries it has failed
            said = printed.strip().rpartition("\n")[2][:300] or last_line(container)
            raise SixfoldError(_refusal("ready", said)) from None
        if failed := [(name, said) for name, said in found["checks"] if said]:
            name, said = failed[0]
            if name == "ready" and (last := last_line(container)):
                said = f"{said}; the server's last words: {last}"
            raise SixfoldError(_refusal(name, said))
    for note in found["notes"]:
        say(f"{version.name}: {note}")
    return Checked([name for name, _ in found["checks"]], found["ready_seconds"])


@contextmanager
def _sealed(engine: Any, image: Any) -> Iterator[Any]:
    container = run(engine, image.id, network_mode="none", mem_limit=_MEMORY, **SEALED)
    try:
        yield container
    finally:
        container.remove(force=True)


def run_in(container: Any, command: list[str]) -> str:
    """What a command prints in a container, or else its errors; '' in one that has ended."""
    from docker.errors import APIError

    try:
        code, (out, err) = container.exec_run(command, demux=True)
    except APIError:
        container.reload()
        if container.status == "running":
            raise
        return ""
    if code in _NOT_RUN:  # what it prints then are the engine's own words
        return ""
    return (out or err or b"").decode(errors="replace")


def last_line(container: Any) -> str:
    """The last that a container has printed; '' if nothing."""
    lines = container.logs(tail=20).decode(errors="replace").split("\n")
    return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "")


def _refusal(check: str, said: str) -> str:
    return f"the image has failed the check '{check}' and is not kept: {said}"
