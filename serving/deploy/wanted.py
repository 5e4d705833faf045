"""What to deploy: what the user asked for, checked, and the image that it comes to."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serving.build import find
from serving.deploy import collector
from serving.deploy.recording import Recording
from training.errors import UserError

if TYPE_CHECKING:
    from mlflow import MlflowClient

LEAST_MEMORY = 96 << 20  # a server with one worker and a small model
_CPU = re.compile(r"(\d+(?:\.\d+)?)(m?)")


@dataclass(frozen=True)
class Wanted:
    """What to deploy, and how.

    Attributes
    ----------
    model : str
    version : str
        '' for the one in Production.
    port : int
        0 for the one that it has, or 8080.
    cpu : float
        CPUs a replica; 0 for as many as there are, or 1.
    memory : int
        Bytes a replica; 0 for as many as there are, or 512 MiB.
    replicas : int
        0 for as many as there are, or 3.
    workers : int
        Processes a replica; 0 for one a CPU.
    canary : int
        Share of the requests for this version in percent, beside the one that is there; 0 for all
        in its place.
    namespace : str
        '' for that of kubectl's context.
    image : str
        '' to use the image of this version that is here, or build it.
    token_file : Path, optional
        Holds the token that requests must bring.
    gateway : str
        That the canary's route belongs to, `NAME` or `NAMESPACE/NAME`; '' for the one that it has,
        or `gateway`.
    host : str
        That the canary's route is for; '' for the one that it has, or all.
    monitor : bool
        With a ServiceMonitor.
    record : Recording, optional
        Keep requests and predictions.
    traces : str
        URL of the collector that traces go to; '' for none.
    """

    model: str
    version: str = ""
    port: int = 0
    cpu: float = 0.0
    memory: int = 0
    replicas: int = 0
    workers: int = 0
    canary: int = 0
    namespace: str = ""
    image: str = ""
    token_file: Path | None = None
    gateway: str = ""
    host: str = ""
    monitor: bool = False
    record: Recording | None = None
    traces: str = ""


def sized(
    wanted: Wanted, cpu: float = 0.0, memory: int = 0, replicas: int = 0, recorded: int = 0
) -> Wanted:
    """What is wanted, as large as what is there where no size is given, or else by default."""
    return replace(
        wanted,
        cpu=wanted.cpu or cpu or 1.0,
        memory=wanted.memory or memory or 512 << 20,
        replicas=wanted.replicas or replicas or 3,
        record=wanted.record and wanted.record.sized(recorded),
    )


@dataclass(frozen=True)
class Release:
    """A version and its image.

    Attributes
    ----------
    model, version, run_id : str
    image : str
    """

    model: str
    version: str
    run_id: str
    image: str


def release(
    client: "MlflowClient", wanted: Wanted, say: Callable[[str], None], *, here: bool = False
) -> Release:
    """The version that is wanted and its image, which is built if there is none.

    Parameters
    ----------
    client : MlflowClient
    wanted : Wanted
    say : callable
    here : bool, default False
        For this engine's own platform; else for linux/amd64.

    Raises
    ------
    UserError
        No such version, nothing in Production, or one of those of `build`.
    """
    version = find(client, wanted.model, wanted.version)
    image = wanted.image
    if not image:
        from serving.engine import connect
        from serving.serve import image_of

        whole = bool(wanted.record or wanted.traces)
        image = image_of(client, connect(), version, say, whole=whole, here=here)
    return Release(version.model, version.version, version.run_id, image)


def without_stable(model: str, where: str) -> UserError:
    """What a canary is refused with where nothing else answers."""
    return UserError(
        f"expected a version of {model} that a canary can be beside, got none {where}; deploy one "
        "without --canary first"
    )


def read_token(file: Path | None) -> str:
    """The token in a file; '' if there is no file.

    Raises
    ------
    UserError
        It cannot be read, or is no token.
    """
    if file is None:
        return ""
    try:
        token = file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "no text"
        raise UserError(
            f"expected a token in {file}, got: {reason}; correct --token-file"
        ) from None
    if not token or not re.fullmatch(r"[\x21-\x7e]+", token):
        raise UserError(
            f"expected one line of visible characters in {file}, got something else; "
            "`openssl rand -hex 32` makes a token"
        )
    return token


@contextmanager
def written(folder: Path) -> Iterator[None]:
    """Say in one line that a folder cannot be written to.

    Raises
    ------
    UserError
    """
    try:
        yield
    except OSError as error:
        raise UserError(
            f"expected a folder that can be written to, got {folder}: {error.strerror}; name "
            "another: --write"
        ) from None


def parse_cpu(text: str) -> float:
    """CPUs from `1`, `0.5` or `500m`.

    Raises
    ------
    UserError
    """
    match = _CPU.fullmatch(text.strip().lower())
    cpu = float(match[1]) / (1_000 if match[2] else 1) if match else 0.0
    if not 0.05 <= cpu <= 1_024:
        raise UserError(f"expected --cpu such as 1, 0.5 or 500m, got {text!r}")
    return cpu


def settings(wanted: Wanted) -> dict[str, str]:
    """The server's environment."""
    found: dict[str, Any] = {}
    if wanted.workers:
        found["SIXFOLD_WORKERS"] = str(wanted.workers)
    if wanted.record:
        found |= wanted.record.settings()
    if wanted.traces:
        found |= collector.settings(wanted.traces)
    return found
