"""A version's Compose file: written, brought up by a person, and taken away."""

import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from serving.deploy.compose_file import has_canary, written_anew
from serving.deploy.compose_text import FRONT_FILE, quoted, quoted_before
from serving.deploy.front import ROLE, program
from serving.deploy.names import MODEL, deployment
from serving.deploy.networks import remove_networks
from serving.deploy.recording import PROJECT
from serving.deploy.wanted import Release, Wanted, read_token, without_stable, written
from serving.deploy.whole_file import write_whole
from training.errors import UserError

FILE = "compose.yaml"
_ENVIRONMENT = ".env"


def check(wanted: Wanted, folder: Path) -> str:
    """The text of the file that is there, '' if there is none; before anything is done for it.

    Raises
    ------
    UserError
        One that is not ours, or not in UTF-8, is there; there is none that a canary could be added
        to; the canary is to have a port of its own.
    """
    path = folder / FILE
    try:
        with written(folder):
            text = path.read_text(encoding="utf-8") if path.exists() else ""
    except UnicodeDecodeError:
        raise UserError(
            f"expected {path} in UTF-8, got another encoding; save it as UTF-8, or name another "
            "folder: --write"
        ) from None
    names = (quoted(wanted.model), quoted_before(wanted.model))
    if text and not any(f"{MODEL}: {name}\n" in text for name in names):
        raise UserError(
            f"expected no {path}, or the one of {wanted.model}, got another; name a folder: --write"
        )
    if wanted.canary and not text:
        raise without_stable(wanted.model, f"in {path}")
    if wanted.canary and wanted.port:
        raise UserError(
            "expected no --port with --canary, as both versions have that of the file; leave it out"
        )
    return text


def write(release: Release, wanted: Wanted, folder: Path) -> Path:
    """Write the file, or what is ours into the one that is there.

    Beside it `.env` with the project's name, if there is none, as docker-compose 1.29 refuses one
    in the file itself; and the program of a canary's front, which stays as long as it may run.

    Raises
    ------
    UserError
        It cannot be written; or those of `check`.
    """
    read_token(wanted.token_file)
    path, front = folder / FILE, folder / FRONT_FILE
    before = check(wanted, folder)
    text = written_anew(before, release, wanted)
    with written(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if wanted.canary:
            front.write_text(program())
            front.chmod(0o644)  # the container's user is another
        write_whole(path, text)
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
    up = "up --detach"
    if path.with_name(FRONT_FILE).exists() and not has_canary(path.read_text(encoding="utf-8")):
        up += " --remove-orphans"  # a canary and its front, who has the port
    if shutil.which("docker-compose") and not _has_plugin():
        return f"docker-compose {options} {up}"
    return f"docker compose {options} {up} --wait"


def remove(engine: Any, model: str, say: Callable[[str], None]) -> list[str]:
    """Remove the containers of a model that Compose has made, and their networks; what was there.

    What a person has put beside them in the file stays, and so does a network that it uses, or
    that another container is on; of the latter `say` is told.
    """
    gone, projects = [], set()
    there = engine.containers.list(all=True, filters={"label": [f"{MODEL}={model}", PROJECT]})
    # A front first: it takes no more connections, and waits for those it has.
    for container in sorted(there, key=lambda one: one.labels.get(ROLE) != "front"):
        projects.add(container.labels[PROJECT])
        container.stop(timeout=45)
        container.remove(force=True)
        gone.append(f"container {container.name}")
    for project in sorted(projects):
        chosen = {"label": f"{PROJECT}={project}"}
        if not engine.containers.list(all=True, filters=chosen):
            gone += remove_networks(engine, say, filters=chosen)
    return gone


def _has_plugin() -> bool:
    """Whether `docker` knows the command `compose`."""
    try:
        done = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0
