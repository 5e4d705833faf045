"""The base of images whose model stays a pipeline: the serving base, and what pipelines import."""

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from serving import engine as engines
from serving.base import NAME, PYTHON, network
from serving.packages import model_packages

_PROJECT = Path(__file__).parent.parent
_DOCKERFILE = "containers/pipeline.Dockerfile"


def pipeline_base(
    engine: Any, base: Any, model: Path, platform: str, say: Callable[[str], None]
) -> Any:
    """The base image with a model's packages, built if it is not there.

    Parameters
    ----------
    engine : DockerClient
    base : Image
        The serving base.
    model : Path
        The downloaded model, which pins its packages.
    platform : str
    say : callable
        Told what takes long.

    Returns
    -------
    Image

    Raises
    ------
    SixfoldError
        The build has failed.
    """
    from docker.errors import ImageNotFound

    wanted = "\n".join(model_packages(model)).encode()
    dockerfile = (_PROJECT / _DOCKERFILE).read_text()
    serving = base.tags[0]
    given = hashlib.sha256(b"\0".join([serving.encode(), dockerfile.encode(), wanted]))
    tag = f"{NAME}:{serving.partition(':')[2]}-{given.hexdigest()[:12]}"
    try:
        return engine.images.get(tag)
    except ImageNotFound:
        pass
    say(f"building {tag}, with the packages that this model's pipelines import ...")
    began = time.monotonic()
    certificates, arguments = network()
    built = engines.build(
        engine,
        dockerfile,
        {"requirements.txt": wanted, **certificates},
        tag=tag,
        platform=platform,
        network_mode="host",
        buildargs={"BASE": PYTHON, "SERVING": serving, **arguments},
    )
    say(f"{tag} is built in {time.monotonic() - began:.0f} s")
    return built
