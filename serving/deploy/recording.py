"""Where a deployed version keeps the requests that it records, and how much of them."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from serving.deploy.names import MODEL, deployment
from training.errors import UserError
from training.sizes import parse_size

#: Of what Compose has made.
PROJECT = "com.docker.compose.project"
SERVICE = "com.docker.compose.service"
FOLDER = "com.docker.compose.project.working_dir"
#: In the container.
INSIDE = "/recordings"
#: The image's user and group, who own that folder there.
_USER = 10001
ACCESS = ("ReadWriteMany", "ReadWriteOnce")
_LEAST, _USUAL = 16 << 20, 1 << 30
_BYTES = "SIXFOLD_RECORD_BYTES"
#: Of a claim: a file system keeps some for itself.
_USABLE = 0.9

_OPTIONS = (
    click.option(
        "--record",
        is_flag=False,
        flag_value="",
        default=None,
        metavar="[DIR]",
        help="Keep requests and predictions, in a folder or in a volume.",
    ),
    click.option(
        "--record-size",
        "--record_size",
        default=None,
        help="The most that they take; the oldest go. Default: as the version before, or 1g.",
    ),
    click.option(
        "--record-share",
        "--record_share",
        type=click.FloatRange(0, 1, min_open=True),
        default=None,
        help="Of the requests that are kept. Default: all.",
    ),
)


def record_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--record` and what goes with it."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@dataclass(frozen=True)
class Recording:
    """What is kept of requests.

    Attributes
    ----------
    folder : Path, optional
        Of this machine; None for a volume.
    size : int
        Bytes that it may have; 0 for as many as the version before has, or 1 GiB.
    share : float
        Of the requests.
    storage_class : str
        Of the claim on Kubernetes; '' for the cluster's default.
    access : str
        One of `ACCESS`.
    """

    folder: Path | None = None
    size: int = 0
    share: float = 1.0
    storage_class: str = ""
    access: str = ACCESS[0]

    def settings(self) -> dict[str, str]:
        """The server's environment."""
        size = self.size or _USUAL
        found = {"SIXFOLD_RECORD": INSIDE, _BYTES: str(int(size * _USABLE))}
        if self.share < 1:
            found["SIXFOLD_RECORD_SHARE"] = f"{self.share:g}"
        return found

    def sized(self, recorded: int) -> "Recording":
        """The same, as large as what is there where no size was given, or else as usual."""
        return replace(self, size=self.size or recorded or _USUAL)


def size_of(environment: Mapping[str, Any]) -> int:
    """The size of the recording whose `settings` a server has, in whole MiB; 0 for none."""
    try:
        return _whole(int(environment.get(_BYTES, 0)) / _USABLE + (1 << 19))
    except (TypeError, ValueError):  # changed by hand
        return 0


def _whole(size: float) -> int:
    """In whole MiB, as claims are written."""
    return int(size) >> 20 << 20


def recording(asked: Mapping[str, Any], default: Path | None = None) -> Recording | None:
    """What was asked for by `record_options`, checked; None without `--record`.

    Parameters
    ----------
    asked : mapping
        The options by name.
    default : Path, optional
        The folder where none is named; None for a volume.

    Raises
    ------
    UserError
    """
    named = asked["record"]
    if named is None:
        for name in ("record_size", "record_share", "record_class", "record_access"):
            if asked.get(name) is not None:
                option = name.replace("_", "-")
                raise UserError(f"expected --record with --{option}, got none; add it")
        return None
    found, size = Recording(), asked["record_size"]
    return Recording(
        folder=Path(named).absolute() if named else default,
        size=_whole(parse_size(size, "--record-size", _LEAST)) if size else found.size,
        share=asked["record_share"] or found.share,
        storage_class=asked.get("record_class") or found.storage_class,
        access=asked.get("record_access") or found.access,
    )


def volume_name(model: str) -> str:
    """What the volume, or the claim, of a deployed model is called."""
    return f"{deployment(model)}-recordings"


def compose_volume_name(model: str) -> str:
    """What it is called in a Compose file."""
    return f"{deployment(model)}_recordings"


def mounted(engine: Any, model: str, asked: Recording | None) -> dict[str, Any]:
    """How a container is created that records; the volume is made if it is not there.

    Returns
    -------
    dict
        `volumes`, `user` and `environment` as the Docker engine's client takes them.
    """
    if asked is None:
        return {"volumes": {}, "environment": {}}
    how = {"bind": INSIDE, "mode": "rw"}
    if asked.folder:
        user = folder_owner(asked.folder)
        volumes = {str(asked.folder): how}
        return {"volumes": volumes, "environment": asked.settings(), "user": user}
    name = volume_name(model)
    if not _volumes(engine, name):
        engine.volumes.create(name, labels={MODEL: model})
    return {"volumes": {name: how}, "environment": asked.settings()}


def folder_owner(folder: Path) -> str:
    """Who writes to a folder of this machine, as `user:group`: its owner. Makes it if need be.

    Raises
    ------
    UserError
        It cannot be made, or belongs to root, whom no server runs as.
    """
    try:
        is_new = not folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
        if is_new and os.geteuid() == 0:
            os.chown(folder, _USER, _USER)
        facts = folder.stat()
    except OSError as error:
        raise UserError(
            f"expected a folder to record in, got {folder}: {error.strerror}; name another: "
            "--record DIR"
        ) from None
    if facts.st_uid == 0:
        raise UserError(
            f"expected a folder that is not root's, got {folder}; `chown {_USER}:{_USER} "
            f"{folder}`, or name another: --record DIR"
        )
    return f"{facts.st_uid}:{facts.st_gid}"


def kept(engine: Any, model: str, to: str) -> list[str]:
    """The volume on this machine that a model's recordings are in, if it is there and ours.

    Parameters
    ----------
    engine : DockerClient
    model : str
    to : str
        `docker` or `compose`: each has its own.
    """
    if to == "compose":
        return _volumes(engine, compose_volume_name(model), PROJECT)
    return _volumes(engine, volume_name(model), f"{MODEL}={model}")


def check_unused(engine: Any, model: str, to: str) -> None:
    """Whether nothing but the deployment itself is at this volume.

    Raises
    ------
    UserError
        Another container is.
    """
    for name in kept(engine, model, to):
        users = engine.containers.list(all=True, filters={"volume": name})
        others = [user.name for user in users if not _is_ours(user.labels, model, to)]
        if others:
            raise UserError(
                f"expected a volume that nobody else uses, got {name}, which {', '.join(others)} "
                "has; remove that first, or leave --recordings out"
            )


def forget(engine: Any, model: str, to: str) -> list[str]:
    """Delete this volume; what was there.

    Raises
    ------
    UserError
        A container has it.
    """
    from docker.errors import APIError

    names = kept(engine, model, to)
    for name in names:
        try:
            engine.volumes.get(name).remove()
        except APIError as error:
            if error.status_code != 409:
                raise
            raise UserError(
                f"expected a volume that nobody uses, got {name}: {error.explanation}; remove what "
                f"has it, then `docker volume rm {name}`"
            ) from None
    return [f"volume {name}" for name in names]


def _is_ours(labels: Mapping[str, str], model: str, to: str) -> bool:
    """Whether a container goes by `undeploy` from there."""
    return labels.get(MODEL) == model and (PROJECT in labels) == (to == "compose")


def _volumes(engine: Any, name: str, label: str = "") -> list[str]:
    filters = {"name": name, **({"label": label} if label else {})}
    return [name for volume in engine.volumes.list(filters=filters) if volume.name == name]
