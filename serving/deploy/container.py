"""A server's container on this machine's engine: started, asked for what it must answer, ended."""

import json
from pathlib import Path
from typing import Any

from serving.check import SEALED, last_line, run_in
from serving.deploy.front import ROLE, begin, have_image
from serving.deploy.names import MODEL, deployment
from serving.deploy.recording import mounted, size_of
from serving.deploy.servers import servers_of
from serving.deploy.wanted import Release, Wanted, settings, sized
from serving.image import BUNDLE
from serving.labels import RUN, VERSION
from serving.serve import request_of
from serving.tried import smoke_script

_READY_SECONDS = 60
_ASKED = 3
_DRAIN_SECONDS = 3
_STOP_SECONDS = 45  # the drain, the longest request, and some more
_RESTART = {"Name": "unless-stopped", "MaximumRetryCount": 0}
_TOKEN = "/run/sixfold/token"  # noqa: S105  a path


class Wrong(Exception):
    """What a container says or answers in place of what it must."""


def start(engine: Any, release: Release, wanted: Wanted, token: Path | None) -> Any:
    """A new server, called NAME-next until it has proved itself."""
    from docker.types import EndpointConfig

    name, wanted = deployment(release.model), sized(wanted)
    have_image(engine, release.image)
    environment = {**settings(wanted), "SIXFOLD_DRAIN_SECONDS": str(_DRAIN_SECONDS)}
    options = mounted(engine, release.model, wanted.record)
    options["environment"].update(environment)
    if token:
        options["environment"]["SIXFOLD_TOKEN_FILE"] = _TOKEN
        options["volumes"][str(token)] = {"bind": _TOKEN, "mode": "ro"}
    labels = {MODEL: release.model, ROLE: "server"}
    alias = EndpointConfig(engine.api.api_version, aliases=[servers_of(name)])
    container = engine.containers.create(
        release.image,
        name=f"{name}-next",
        network=name,
        networking_config={name: alias},
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


def ask(container: Any, url: str, release: Release) -> None:
    """Have a container's own Python ask a URL for the recorded predictions.

    Raises
    ------
    Wrong
        They are not answered.
    """
    named = f"{release.model}/{release.version}"
    words = [url, BUNDLE, named, str(_READY_SECONDS), str(_ASKED)]
    text = run_in(container, ["python", "-c", smoke_script(), *words]).strip()
    try:
        wrong = json.loads(text.splitlines()[-1])["wrong"]
    except (ValueError, IndexError, KeyError, TypeError):
        wrong = "its container has ended" if not text else text[-300:]
    if wrong:
        last = last_line(container)
        raise Wrong(f"{wrong}; its last words: {last}" if last else wrong)


def keep(container: Any) -> None:
    """Have the engine start it again whenever it ends by itself."""
    container.update(restart_policy=_RESTART)


def is_kept(container: Any) -> bool:
    """Whether the engine does."""
    return bool(container.attrs["HostConfig"]["RestartPolicy"]["Name"] == _RESTART["Name"])


def end(container: Any) -> None:
    """Let a container finish what it is at, and remove it."""
    container.stop(timeout=_STOP_SECONDS)
    container.remove(force=True)


def token_file(container: Any) -> Path | None:
    """The file that is mounted, with the token that it asks for; None if it asks for none."""
    mounts = container.attrs["Mounts"]
    return next((Path(m["Source"]) for m in mounts if m["Destination"] == _TOKEN), None)


def sizes(container: Any) -> dict[str, Any]:
    """CPUs and bytes that it may have, as `wanted.sized` takes them; empty for no container."""
    if container is None:
        return {}
    host, config = container.attrs["HostConfig"], container.attrs["Config"]
    environment = dict(each.partition("=")[::2] for each in config.get("Env") or ())
    return {
        "cpu": (host.get("NanoCpus") or 0) / 1e9,
        "memory": host.get("Memory") or 0,
        "recorded": size_of(environment),
    }


def version(container: Any) -> str:
    """Which one it is, in words."""
    return f"version {container.labels.get(VERSION, '?')}"


def sample(container: Any) -> dict[str, Any]:
    """A request that works."""
    _, output = container.exec_run(["cat", f"{BUNDLE}/sample.json"])
    return request_of(json.loads(output))
