"""A version goes to this machine's Docker engine, in place of the one before, without a gap.

Two containers a model, on a network of their own: `sixfold-churn` answers; `sixfold-churn-front`
keeps the port of the host and hands each connection on to whichever container has that name
(`forward.py`). A new version starts beside the old one, which goes on answering. When it is ready
and gives the recorded predictions, the names change: new connections go to it. Only then the old
one is told to end: for some seconds it still answers what comes over connections that are open and
ends them with the answer (`connection: close`), finishes what it has begun, and is removed.

A canary is a third one, `sixfold-churn-canary-10`: to its name the front gives 10 % of the
predictions (`servers.py`). It is there until another takes its place, or a version all of them.

Guaranteed: a client that heeds `connection: close` loses no request, whether it keeps connections
or opens one a request, nor by a worker that dies (`exchange.py` says which requests are meant); a
new version that does not come up, or answers wrongly, has never had a request, and the old one
never stopped. The front costs some CPU a request, and is itself not replaced by a new version.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serving.deploy.container import (
    Wrong,
    ask,
    end,
    is_kept,
    keep,
    sample,
    sizes,
    start,
    token_file,
    version,
)
from serving.deploy.front import HOST, INSIDE, ROLE, find, keep_port, published_port
from serving.deploy.names import MODEL, deployment
from serving.deploy.networks import remove_networks
from serving.deploy.recording import PROJECT, forget, kept
from serving.deploy.servers import canary_of, share_of
from serving.deploy.state import State
from serving.deploy.wanted import Release, Wanted, read_token, sized, without_stable
from training.errors import SixfoldError, UserError

#: Longer than a front takes what it knows of names for known (`servers._FRESH`, `_LOOK`).
_SETTLE = 1.0
#: What a server's name ends in from when another gets it until that one has proved itself.
_OLD = "-old"


@dataclass(frozen=True)
class Switched:
    """What answers now.

    Attributes
    ----------
    name : str
        Of the container.
    url : str
    share : int
        Of the predictions, in percent.
    before : str
        The version that it is in place of, or a canary is beside; '' if there was none.
    sample : dict
        A request that works.
    asks_token : bool
    """

    name: str
    url: str
    share: int
    before: str
    sample: dict[str, Any]
    asks_token: bool


def switch(engine: Any, release: Release, wanted: Wanted, say: Callable[[str], None]) -> Switched:
    """Bring a version up in place of the one that is there, or beside it.

    Raises
    ------
    UserError
        The port is taken, or there is no such image; another deployment is going on; there is
        nothing that a canary can be beside.
    SixfoldError
        It did not come up or does not answer as recorded; the one before still answers.
    """
    name = deployment(release.model)
    with State(name) as state:
        _recover(engine, release.model)
        check(engine, wanted)
        old, former = find(engine, name, release.model), _canary(engine, release.model)
        token, wanted = _token(state, wanted, old), sized(wanted, **sizes(old))
        recorded = kept(engine, release.model, "docker")
        made: list[Any] = []
        renamed: list[tuple[Any, str]] = []
        try:
            _network(engine, name, release.model)
            front, front_before = keep_port(engine, release, wanted, made, say)
            beside = f" beside {version(old)}" if old else ""
            say(f"{release.model} version {release.version}: starting{beside}")
            new = start(engine, release, wanted, token)
            made.append(new)
            ask(new, f"http://127.0.0.1:{INSIDE}", release)
            if wanted.canary:
                _exchange([former], new, canary_of(name, wanted.canary), renamed)
            else:
                _exchange([former, old], new, name, renamed)
                # A canary is not asked there: the front gives it no more than a share.
                ask(new, f"http://{front.name}:{INSIDE}", release)
        except BaseException as error:
            asked = [container for container, _ in renamed if container in made]
            _exchange_back(renamed)
            if asked:  # it had the name: requests are under way, and some may still come
                time.sleep(_SETTLE)
            for container in reversed(made):
                if container in asked:
                    end(container)
                else:
                    container.remove(force=True)
            if not (old or former):
                if not recorded:  # what is there by now is of this version alone
                    forget(engine, release.model, "docker")
                remove_networks(engine, say, names=[f"^{name}$"])
            if isinstance(error, Wrong):
                raise SixfoldError(
                    f"{release.model} version {release.version} did not come up: {error}; "
                    + (f"{version(old)} goes on answering" if old else "nothing of it is left")
                ) from None
            raise
        keep(new)
        keep(front)
        for container, _ in renamed:
            if container.id != new.id:
                say(f"draining {version(container)}")
                end(container)
        if front_before:
            end(front_before)
            front.rename(f"{name}-front")
        state.forget_tokens(but=token)
        new.reload()
        return Switched(
            name=new.name,
            url=f"http://{HOST}:{published_port(front)}",
            share=wanted.canary or 100,
            before=version(old) if old else "",
            sample=sample(new),
            asks_token=token is not None,
        )


def remove(engine: Any, model: str, say: Callable[[str], None]) -> list[str]:
    """Remove a model's containers after they have drained; what was there.

    Its network stays while somebody else's container is on it, and `say` is told.
    """
    with State(deployment(model)) as state:
        # A front first: it takes no more connections, and waits for those it has.
        there = sorted(_every(engine, model), key=lambda one: one.labels.get(ROLE) != "front")
        for container in there:
            if container.status == "running":
                container.kill("SIGTERM")  # all at once: none is away while another is needed
        for container in there:
            end(container)
        gone = [f"container {container.name}" for container in there]
        state.forget_tokens()
        gone += remove_networks(engine, say, filters={"label": f"{MODEL}={model}"})
    return gone


def check(engine: Any, wanted: Wanted) -> None:
    """Refuse a canary that cannot be, before anything is done for it.

    Raises
    ------
    UserError
        There is nothing that it can be beside; the port is not the one that is kept.
    """
    if not wanted.canary:
        return
    name = deployment(wanted.model)
    names = (name, f"{name}{_OLD}")  # the latter where an exchange was killed
    if not any(find(engine, each, wanted.model) for each in names):
        raise without_stable(wanted.model, "here")
    front = find(engine, f"{name}-front", wanted.model)
    if front and wanted.port not in (0, port := published_port(front)):
        raise UserError(
            f"expected no --port with --canary, or {port}, which both versions have, got "
            f"{wanted.port}; leave it out, or first deploy the version that is there with it"
        )


def _recover(engine: Any, model: str) -> None:
    """Finish or undo what an earlier deployment was at when it was killed."""
    name = deployment(model)
    front, after = (find(engine, f"{name}-{suffix}", model) for suffix in ("front", "front-next"))
    if after and is_kept(after):  # it has the new port already, and the one before was ending
        if front:
            end(front)
        after.rename(f"{name}-front")
    elif after:
        after.remove(force=True)
    if left := find(engine, f"{name}-next", model):
        left.remove(force=True)
    stable, old = find(engine, name, model), find(engine, f"{name}{_OLD}", model)
    canary, former = _canary(engine, model), _canary(engine, model, _OLD)
    for before, after in ((former, canary or (stable and old)), (old, stable)):
        if before and after:
            end(before)
        elif before:
            before.rename(before.name.removesuffix(_OLD))
    for server in (find(engine, name, model), _canary(engine, model)):
        if server:
            keep(server)


def _every(engine: Any, model: str) -> list[Any]:
    """The containers of a model that are not Compose's."""
    every = engine.containers.list(all=True, filters={"label": f"{MODEL}={model}"})
    return [found for found in every if PROJECT not in found.labels]


def _canary(engine: Any, model: str, suffix: str = "") -> Any:
    """The container of a model's canary, or one whose name ends so; None if there is none."""
    name = deployment(model)
    return next(
        (
            found
            for found in _every(engine, model)
            if found.name.endswith(suffix) and share_of(name, found.name.removesuffix(suffix))
        ),
        None,
    )


def _network(engine: Any, name: str, model: str) -> None:
    if not engine.networks.list(names=[f"^{name}$"]):
        engine.networks.create(name, driver="bridge", check_duplicate=True, labels={MODEL: model})


def _exchange(leave: list[Any], new: Any, name: str, renamed: list[tuple[Any, str]]) -> None:
    """Give the new container the name that the front goes by, and have it known.

    `renamed` is told who has lost or got a name, and which was the one before.
    """
    names = [(container, f"{container.name}{_OLD}") for container in leave if container]
    for container, after in [*names, (new, name)]:
        renamed.append((container, container.name))
        container.rename(after)
    time.sleep(_SETTLE)


def _exchange_back(renamed: list[tuple[Any, str]]) -> None:
    """Undo an exchange, wherever it was interrupted."""
    for container, before in reversed(renamed):
        container.reload()
        if container.name != before:
            container.rename(before)


def _token(state: State, wanted: Wanted, old: Any) -> Path | None:
    """The file that is mounted: of the token given now, or of the one before."""
    token = read_token(wanted.token_file)
    if token:
        return state.keep_token(token)
    return token_file(old) if old else None
