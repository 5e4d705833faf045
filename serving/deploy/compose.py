"""A version as a Compose file that a person can read, change and keep beside other services."""

import json
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

from serving.deploy.names import MODEL, deployment
from serving.deploy.recording import (
    INSIDE,
    PROJECT,
    Recording,
    compose_volume_name,
    folder_owner,
)
from serving.deploy.wanted import Release, Wanted, read_token, settings, written
from serving.labels import VERSION
from training.errors import UserError

FILE = "compose.yaml"
_ENVIRONMENT = ".env"
_PORT = 8080

_TEXT = """\
# {model}, version {version}, as `sixfold deploy {model} --to compose` wrote it.
#
#   docker compose --project-name {project} up --detach --wait
#   docker compose --project-name {project} down
#
# The first returns when it answers, the second ends it after the requests in flight. The project's
# name can be left out where `.env` beside this file says it. Without a name it is the folder's, and
# another file in a folder of that name would take this one's container away.
#
# Debian's docker-compose 1.29 reads it too, but has no `--wait`. Compose replaces a container by
# ending it first: a new version is away for some seconds. `sixfold deploy {model} --to docker` and
# `--to kubernetes` change versions without a gap.
services:
  server:
    image: {image}
    # Open on this machine only; before anybody else is let in, put a proxy with TLS in front of it.
    ports: ["127.0.0.1:{port}:8080"]
    restart: unless-stopped
    stop_grace_period: 45s
    # The image has a health check: ready is who has answered the model's own input example.
    read_only: true
    tmpfs: ["/tmp:size=64m,mode=1777"]
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
    pids_limit: 256
    cpus: {cpu}
    mem_limit: {memory}m
    memswap_limit: {memory}m
    labels:
      {label_model}: {model_quoted}
      {label_version}: {version_quoted}
"""


def render(release: Release, wanted: Wanted) -> str:
    """The file's text."""
    text = _TEXT.format(
        model=release.model,
        version=release.version,
        project=deployment(release.model),
        image=_quoted(release.image),
        port=wanted.port or _PORT,
        cpu=f"{wanted.cpu:g}",
        memory=wanted.memory >> 20,
        label_model=MODEL,
        label_version=VERSION,
        model_quoted=_quoted(release.model),
        version_quoted=_quoted(release.version),
    )
    environment = settings(wanted)
    if wanted.token_file:
        environment["SIXFOLD_TOKEN_FILE"] = "/run/secrets/token"  # noqa: S105  a path
    if environment:
        lines = [f"      {name}: {_quoted(value)}\n" for name, value in environment.items()]
        text += "    environment:\n" + "".join(lines)
    if wanted.record:
        text += _volume(wanted.record)
    if wanted.token_file:
        text += "    # The file is mounted as it is: user 10001 must be able to read it.\n"
        text += "    secrets: [token]\n\nsecrets:\n  token:\n"
        text += (
            f"    file: {_quoted(str(wanted.token_file.absolute()))}  # readable by user 10001\n"
        )
    if wanted.record and not wanted.record.folder:
        text += f"\nvolumes:\n  recordings: {{name: {compose_volume_name(release.model)}}}\n"
    return text


def _volume(asked: Recording) -> str:
    """Where requests are recorded, in the service."""
    if not asked.folder:
        return f'    volumes: ["recordings:{INSIDE}"]\n'
    user, volume = _quoted(folder_owner(asked.folder)), _quoted(f"{asked.folder}:{INSIDE}")
    return f"    user: {user}  # who owns the folder\n    volumes: [{volume}]\n"


def _quoted(text: str) -> str:
    """As Compose reads it, to whom a dollar begins a variable's name."""
    return json.dumps(text).replace("$", "$$")


def write(release: Release, wanted: Wanted, folder: Path) -> Path:
    """Write the file; beside it `.env` with the project's name, if there is none.

    A name in the file itself docker-compose 1.29 refuses.

    Raises
    ------
    UserError
        It cannot be written, or one that is not ours is there.
    """
    read_token(wanted.token_file)
    path = folder / FILE
    label = f"{MODEL}: {_quoted(release.model)}\n"
    with written(folder):
        if path.exists() and label not in path.read_text():
            raise UserError(
                f"expected no {path}, or the one of {release.model}, got another; name a folder: "
                "--write"
            )
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(render(release, wanted))
        environment = folder / _ENVIRONMENT
        if not environment.exists():
            environment.write_text(f"COMPOSE_PROJECT_NAME={deployment(release.model)}\n")
    return path


def default_folder(model: str) -> Path:
    """Where the file goes by default."""
    return Path(deployment(model).replace("sixfold-", "deploy-", 1))


def command(path: Path, model: str) -> str:
    """How the file is brought up, with the Compose that is here."""
    options = f"--project-name {deployment(model)} --file {shlex.quote(str(path))}"
    if shutil.which("docker-compose") and not _has_plugin():
        return f"docker-compose {options} up --detach"
    return f"docker compose {options} up --detach --wait"


def remove(engine: Any, model: str) -> list[str]:
    """Remove the containers of a model that Compose has made, and their networks; what was there.

    What a person has put beside them in the file stays, and so does a network that it uses.
    """
    gone, projects = [], set()
    for container in engine.containers.list(
        all=True, filters={"label": [f"{MODEL}={model}", PROJECT]}
    ):
        projects.add(container.labels[PROJECT])
        container.stop(timeout=45)
        container.remove(force=True)
        gone.append(f"container {container.name}")
    for project in sorted(projects):
        chosen = {"label": f"{PROJECT}={project}"}
        if engine.containers.list(all=True, filters=chosen):
            continue
        for network in engine.networks.list(filters=chosen):
            network.remove()
            gone.append(f"network {network.name}")
    return gone


def _has_plugin() -> bool:
    """Whether `docker` knows the command `compose`."""
    try:
        done = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0
