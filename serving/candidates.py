"""Names of images that are being tried, and what a build that was killed has left of them."""

import re
import secrets
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from serving.labels import MODEL, VERSION

REPOSITORY = "sixfold-candidate"
_OURS = re.compile(rf"{REPOSITORY}:[0-9a-f]{{12}}(-mlflow)?")
_NEW = 3600.0  # seconds


def new_name() -> str:
    """A name that no other build has."""
    return f"{REPOSITORY}:{secrets.token_hex(6)}"


def own_names(names: Iterable[str]) -> list[str]:
    """Those of an image's names that it has got by passing its checks."""
    return sorted(name for name in names if not name.startswith(f"{REPOSITORY}:"))


def remove_left(
    engine: Any, model: str, version: str, say: Callable[[str], None], now: float | None = None
) -> None:
    """Remove candidates of a version that nobody tries any more, and what came before their labels.

    What is new may belong to a build that goes on beside this one; what a container has stays.

    Parameters
    ----------
    engine : DockerClient
    model, version : str
    say : callable
    now : float, optional
        Seconds since the epoch.
    """
    from docker.errors import APIError

    before = (time.time() if now is None else now) - _NEW
    # Not `engine.images.list`, which asks for each once more: it may be gone by then.
    for image in engine.api.images(name=REPOSITORY):
        labels = image["Labels"] or {}
        if MODEL in labels and (labels[MODEL], labels.get(VERSION)) != (model, version):
            continue
        for name in filter(_OURS.fullmatch, image["RepoTags"] or []):
            try:
                if _named(engine, name) < before:
                    engine.images.remove(name)
                    say(f"removed {name}, which a build that was killed had left")
            except APIError as error:
                if error.status_code not in (404, 409):  # not there; or a container has it
                    raise


def _named(engine: Any, name: str) -> float:
    """When an image was made or last given a name, which one of a build before may be today."""
    found = engine.api.inspect_image(name)
    times = [found["Created"], (found.get("Metadata") or {}).get("LastTagTime") or ""]
    return max(_seconds(text) for text in times)


def _seconds(text: str) -> float:
    """Of the engine's times, which have nanoseconds, or the year 1 for none."""
    try:
        return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text)).timestamp()
    except (ValueError, OverflowError):
        return 0.0
