"""A version goes to this machine's Docker engine, in place of the one before, without a gap.

Two containers a model, on a network of their own: `sixfold-churn` answers; `sixfold-churn-front`
keeps the port of the host and hands each connection on to whichever container has that name
(`forward.py`). A new version starts beside the old one, which goes on answering. When it is ready
and gives the recorded predictions, the names change: new connections go to it. Only then the old
one is told to end: for some seconds it still answers what comes over connections that are open and
ends them with the answer (`connection: close`), finishes what it has begun, and is removed.

Guaranteed: a client that heeds `connection: close` loses no request, whether it keeps connections
or opens one a request, nor by a worker that dies (`exchange.py` says which requests are meant); a
new version that does not come up, or answers wrongly, has never had a request, and the old one
never stopped. The front costs some CPU a request, and is itself not replaced by a new version.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serving.check import SEALED
from serving.deploy.front import (
    HOST,
    INSIDE,
    ROLE,
    begin,
    find,
    have_image,
    keep_port,
    published_port,
)
from serving.deploy.names import MODEL, deployment
from serving.deploy.recording import mounted
from serving.deploy.state import State
from serving.deploy.wanted import Release, Wanted, read_token, settings
from serving.image import BUNDLE
from serving.labels import RUN, VERSION
from serving.serve import request_of
from training.errors import SixfoldError

_SMOKE = Path(__file__).with_name("smoke.py")
_READY_SECONDS = 60
_ASKED = 3
_DRAIN_SECONDS = 3
#: Longer than a front takes an address for known (`forward._FRESH`).
_SETTLE = 1.0
_STOP_SECONDS = 45  # the drain, the longest request, and some more
_RESTART = {"Name": "unless-stopped", "MaximumRetryCount": 0}
_TOKEN = "/run/sixfold/token"  # noqa: S105  a path


@dataclass(frozen=True)
class Switched:
    """What answers now.

    Attributes
    ----------
    name : str
        Of the container.
    url : str
    before : str
        The version that it is in place of; '' if there was none.
    sample : dict
        A request that works.
    asks_token : bool
    """

    name: str
    url: str
    before: str
    sample: dict[str, Any]
    asks_token: bool


def switch(engine: Any, release: Release, wanted: Wanted, say: Callable[[str], None]) -> Switched:
    """Bring a version up in place of the one that is there.

    Raises
    ------
    UserError
        The port is taken, or there is no such image; another deployment is going on.
    SixfoldError
        It did not come up or does not answer as recorded; the one before still answers.
    """
    name = deployment(release.model)
    with State(name) as state:
        _recover(engine, name)
        old = find(engine, name)
        token = _token(state, wanted, old)
        first = old is None
        made: list[Any] = []
        try:
            _network(engine, name, release.model)
            front, front_before = keep_port(engine, release, wanted, made, say)
            beside = f" beside {_version(old)}" if old else ""
            say(f"{release.model} version {release.version}: starting{beside}")
            new = _start(engine, release, wanted, token)
            made.append(new)
            _ask(new, f"http://127.0.0.1:{INSIDE}", release, _READY_SECONDS)
            try:
                _exchange(name, old, new)
                _ask(new, f"http://{front.name}:{INSIDE}", release, _READY_SECONDS)
            except BaseException:
                _exchange_back(name, old, new)
                raise
        except BaseException as error:
            for container in reversed(made):
                container.remove(force=True)
            if first:
                _remove_network(engine, name)
            if isinstance(error, _Wrong):
                raise SixfoldError(
                    f"{release.model} version {release.version} did not come up: {error}; "
                    + ("nothing of it is left" if first else f"{_version(old)} goes on answering")
                ) from None
            raise
        new.update(restart_policy=_RESTART)
        front.update(restart_policy=_RESTART)
        if old:
            say(f"draining {_version(old)}")
            _end(old)
        if front_before:
            _end(front_before)
            front.rename(f"{name}-front")
        state.forget_tokens(but=token)
        return Switched(
            name=name,
            url=f"http://{HOST}:{published_port(front)}",
            before=_version(old) if old else "",
            sample=_sample(new),
            asks_token=token is not None,
        )


def remove(engine: Any, model: str) -> list[str]:
    """Remove a model's containers after they have drained; what was there."""
    name = deployment(model)
    with State(name) as state:
        front, server = find(engine, f"{name}-front"), find(engine, name)
        if front and front.status == "running":
            front.kill("SIGTERM")  # takes no more connections, and waits for those it has
        for container in filter(None, [server, front]):
            _end(container)
        gone = [f"container {c.name}" for c in (server, front) if c]
        for suffix in ("next", "old", "front-next"):
            if left := find(engine, f"{name}-{suffix}"):
                gone.append(f"container {left.name}")
                left.remove(force=True)
        if _remove_network(engine, name):
            gone.append(f"network {name}")
        state.forget_tokens()
    return gone


class _Wrong(Exception):
    """What a container says or answers in place of what it must."""


def _recover(engine: Any, name: str) -> None:
    """Finish or undo what an earlier deployment was at when it was killed."""
    for suffix in ("next", "front-next"):
        if left := find(engine, f"{name}-{suffix}"):
            left.remove(force=True)
    if old := find(engine, f"{name}-old"):
        if find(engine, name):
            _end(old)
        else:
            old.rename(name)


def _network(engine: Any, name: str, model: str) -> None:
    if not engine.networks.list(names=[f"^{name}$"]):
        engine.networks.create(name, driver="bridge", check_duplicate=True, labels={MODEL: model})


def _remove_network(engine: Any, name: str) -> bool:
    found = engine.networks.list(names=[f"^{name}$"])
    for network in found:
        network.remove()
    return bool(found)


def _start(engine: Any, release: Release, wanted: Wanted, token: Path | None) -> Any:
    """The new server, beside the one that answers."""
    name = deployment(release.model)
    have_image(engine, release.image)
    environment = {**settings(wanted), "SIXFOLD_DRAIN_SECONDS": str(_DRAIN_SECONDS)}
    options = mounted(engine, release.model, wanted.record)
    options["environment"].update(environment)
    if token:
        options["environment"]["SIXFOLD_TOKEN_FILE"] = _TOKEN
        options["volumes"][str(token)] = {"bind": _TOKEN, "mode": "ro"}
    labels = {MODEL: release.model, ROLE: "server"}
    container = engine.containers.create(
        release.image,
        name=f"{name}-next",
        network=name,
        nano_cpus=round(wanted.cpu * 1e9),
        mem_limit=wanted.memory,
        memswap_limit=wanted.memory,
        labels={**labels, VERSION: release.version, RUN: release.run_id},
        **options,
        **SEALED,
    )
    try:
        begin(container, 0)
    except BaseException:
        container.remove(force=True)
        raise
    return container


def _ask(container: Any, url: str, release: Release, seconds: float) -> None:
    """Have a container's own Python ask a URL for the recorded predictions.

    Raises
    ------
    _Wrong
        They are not answered.
    """
    from docker.errors import APIError

    named = f"{release.model}/{release.version}"
    words = [url, BUNDLE, named, f"{seconds:g}", str(_ASKED)]
    try:
        _, output = container.exec_run(["python", "-c", _SMOKE.read_text(), *words])
    except APIError as error:
        if error.status_code != 409:  # it has ended
            raise
        output = b""
    text = (output or b"").decode(errors="replace").strip()
    try:
        wrong = json.loads(text.splitlines()[-1])["wrong"]
    except (ValueError, IndexError, KeyError, TypeError):
        wrong = "its container has ended" if not text else text[-300:]
    if wrong:
        last = _last_line(container)
        raise _Wrong(f"{wrong}; its last words: {last}" if last else wrong)


def _last_line(container: Any) -> str:
    lines = container.logs(tail=20).decode(errors="replace").splitlines()
    return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "")


def _exchange(name: str, old: Any, new: Any) -> None:
    """Give the new container the name that connections are handed on to, and have it known."""
    if old:
        old.rename(f"{name}-old")
    new.rename(name)
    time.sleep(_SETTLE)


def _exchange_back(name: str, old: Any, new: Any) -> None:
    """Undo an exchange, wherever it was interrupted."""
    new.reload()
    if new.name == name:
        new.rename(f"{name}-next")
    if old:
        old.reload()
        if old.name != name:
            old.rename(name)


def _end(container: Any) -> None:
    """Let a container finish what it is at, and remove it."""
    container.stop(timeout=_STOP_SECONDS)
    container.remove(force=True)


def _token(state: State, wanted: Wanted, old: Any) -> Path | None:
    """The file that is mounted: of the token given now, or of the one before."""
    token = read_token(wanted.token_file)
    if token:
        return state.keep_token(token)
    mounts = old.attrs["Mounts"] if old else []
    return next((Path(m["Source"]) for m in mounts if m["Destination"] == _TOKEN), None)


def _version(container: Any) -> str:
    return f"version {container.labels.get(VERSION, '?')}"


def _sample(container: Any) -> dict[str, Any]:
    """A request that works."""
    _, output = container.exec_run(["cat", f"{BUNDLE}/sample.json"])
    return request_of(json.loads(output))
