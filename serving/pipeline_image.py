"""The base of images whose model is not compiled: the serving base, and what the model imports."""

import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from serving import engine as engines
from serving.base import NAME, PYTHON, network, python_image, read_file
from serving.foreign import warnings_of
from serving.foreign_packages import requirements
from serving.packages import model_packages

_PROJECT = Path(__file__).parent.parent
_DOCKERFILE = "containers/pipeline.Dockerfile"
_PYFUNC = "containers/pyfunc.Dockerfile"
#: Where the packages are in an image.
_PACKAGES = "/opt/sixfold/model"


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
    wanted = "\n".join(model_packages(model)).encode()
    say_what = "the packages that this model's pipelines import"
    return _built(engine, base, _DOCKERFILE, {"requirements.txt": wanted}, platform, say_what, say)


def pyfunc_base(
    engine: Any, base: Any, model: Path, platform: str, say: Callable[[str], None]
) -> tuple[Any, list[str]]:
    """The base image with the packages of a model that Sixfold has not trained.

    Parameters are those of `pipeline_base`.

    Returns
    -------
    Image
    list of str
        `name==version` of what was installed.

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
        "inventory.py": (_PROJECT / "containers" / "inventory.py").read_bytes(),
    }
    built = _built(engine, base, _PYFUNC, files, platform, "the model's requirements", say)
    listed = json.loads(read_file(engine, built.id, f"{_PACKAGES}/packages.json"))
    return built, [f"{item['name']}=={item['version']}" for item in listed]


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
    built = engines.build(
        engine,
        dockerfile,
        {**files, **certificates},
        tag=tag,
        platform=platform,
        network_mode="host",
        buildargs={"BASE": python_image(engine, platform), "SERVING": serving, **arguments},
    )
    say(f"{tag} is built in {time.monotonic() - began:.0f} s")
    return built
