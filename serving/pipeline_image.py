"""The base of images whose model is not compiled: the serving base, and what the model imports."""

import hashlib
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from serving import engine as engines
from serving.base import INVENTORY, NAME, PYTHON, labelled, network, python_image
from serving.foreign import warnings_of
from serving.foreign_packages import requirements
from serving.packages import model_packages

_PROJECT = Path(__file__).parent.parent
_DOCKERFILE = "containers/pipeline.Dockerfile"
_PYFUNC = "containers/pyfunc.Dockerfile"
#: What packages such an image has beside those of its base; as `INVENTORY` has those.
MODEL_INVENTORY = "/opt/sixfold/model/packages.json"


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
    files = {"requirements.txt": "\n".join(model_packages(model)).encode()}
    what = "the packages that this model's pipelines import"
    return _built(engine, base, _DOCKERFILE, files, platform, what, say)


def pyfunc_base(
    engine: Any, base: Any, model: Path, platform: str, say: Callable[[str], None]
) -> Any:
    """The base image with the packages of a model that Sixfold has not trained.

    Parameters and result are those of `pipeline_base`.

    Raises
    ------
    UserError
        Its requirements are none that can be installed.
    SixfoldError
        The build has failed.
    """
    for warning in warnings_of(model, PYTHON.partition(":")[2].partition("-")[0]):
        say(warning)
    needed = requirements(model)
    files = {
        "requirements.txt": "\n".join(needed.lines).encode(),
        "constraints.txt": "\n".join(needed.constraints).encode(),
    }
    return _built(engine, base, _PYFUNC, files, platform, "the model's requirements", say)


def _built(
    engine: Any,
    base: Any,
    file: str,
    files: dict[str, bytes],
    platform: str,
    what: str,
    say: Callable[[str], None],
) -> Any:
    from docker.errors import ImageNotFound

    dockerfile = (_PROJECT / file).read_text()
    files = files | {"inventory.py": (_PROJECT / "containers" / "inventory.py").read_bytes()}
    serving = base.tags[0]
    given = hashlib.sha256(b"\0".join([serving.encode(), dockerfile.encode(), *files.values()]))
    tag = f"{NAME}:{serving.partition(':')[2]}-{given.hexdigest()[:12]}"
    try:
        return engine.images.get(tag)
    except ImageNotFound:
        pass
    say(f"building {tag}, with {what} ...")
    began = time.monotonic()
    certificates, arguments = network()
    draft = f"{tag}-{secrets.token_hex(4)}"
    engines.build(
        engine,
        dockerfile,
        {**files, **certificates},
        tag=draft,
        platform=platform,
        network_mode="host",
        buildargs={"BASE": python_image(engine, platform), "SERVING": serving, **arguments},
    )
    built = labelled(engine, draft, tag, platform, [INVENTORY, MODEL_INVENTORY], {})
    say(f"{tag} is built in {time.monotonic() - began:.0f} s")
    return built
