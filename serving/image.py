"""A bundle becomes an image: through MLflow's own build, or by a Dockerfile of ours."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from serving import engine as engines
from serving.command import told
from serving.labels import label
from training.errors import UserError

#: Where a bundle is in an image, and in the model's folder that MLflow puts there.
BUNDLE = "/opt/ml/model/sixfold"
#: That MLflow builds for.
PLATFORM = "linux/amd64"
_FOLDER = "sixfold"
_PLATFORM = re.compile(r"[a-z0-9]+/[a-z0-9_]+(?:/[a-z0-9.]+)?")


def check_platform(platform: str) -> None:
    """Refuse what is not one platform.

    Raises
    ------
    UserError
    """
    if not _PLATFORM.fullmatch(platform):
        raise UserError(
            f"expected one platform, OS/ARCHITECTURE or OS/ARCHITECTURE/VARIANT, got {platform!r}; "
            f"e.g. --platform {PLATFORM}; build again for another one, with a --tag of its own"
        )


def with_mlflow(
    engine: Any,
    base: Any,
    bundle: Path,
    labels: dict[str, str],
    tag: str,
    created: float,
    platform: str,
    model: Path,
    folder: Path,
) -> Any:
    """An image that MLflow's `build_docker` has built on our base.

    What MLflow generates starts the server by `mlflow.models.container`, which our base has its own
    of (`containers/mlflow_container.py`): no entry point needs to be put over it. It sets no
    labels: one more image on top, of no bytes, does.

    Parameters
    ----------
    engine : DockerClient
    base : Image
    bundle : Path
    labels : dict
    tag : str
    created : float
        When the version was made: the files' time, so that the same version makes the same layer.
    platform : str
        That of the base.
    model : Path
        The downloaded model. Its description goes into the image, not what the bundle replaces.
    folder : Path
        For what MLflow is handed.

    Returns
    -------
    Image
    """
    import mlflow.models

    handed = folder / "handed"
    shutil.copytree(bundle, handed / _FOLDER)
    (handed / "MLmodel").write_text(_described(model / "MLmodel"))
    for path in (handed, *handed.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
        os.utime(path, (created, created))
    below = f"{tag}-mlflow"
    try:
        with _readable_by_all(), told(engine, tag):
            if platform == PLATFORM:
                mlflow.models.build_docker(
                    model_uri=str(handed), name=below, env_manager="local", base_image=base.tags[0]
                )
            else:
                files = _generated(handed, base.tags[0], folder / "generated")
                dockerfile = files.pop("Dockerfile").decode()
                engines.build(
                    engine, dockerfile, files, tag=below, times=created, platform=platform
                )
        dockerfile = f"FROM {below}\n{label(labels)}\n"
        return engines.build(engine, dockerfile, {}, tag=tag, platform=platform)
    finally:
        engines.remove(engine, below, layers=False)


def without_mlflow(
    engine: Any,
    base: Any,
    bundle: Path,
    labels: dict[str, str],
    tag: str,
    created: float,
    platform: str,
) -> Any:
    """An image of the base and a layer with the bundle. Parameters are those of `with_mlflow`."""
    files = {f"root{BUNDLE}/{name}": content for name, content in _files(bundle).items()}
    # Into the root: a folder that COPY makes is of now, those that it finds keep their time.
    dockerfile = f"FROM {base.tags[0]}\nCOPY root /\n{label(labels)}\n"
    return engines.build(engine, dockerfile, files, tag=tag, times=created, platform=platform)


def _generated(model: Path, base: str, folder: Path) -> dict[str, bytes]:
    """What `build_docker` builds from: Dockerfile and model. It builds for `PLATFORM` only."""
    from mlflow.models.flavor_backend_registry import get_flavor_backend

    backend = get_flavor_backend(str(model), docker_build=True, env_manager="local")
    backend.generate_dockerfile(str(model), str(folder), base_image=base)
    return _files(folder)


def _files(folder: Path) -> dict[str, bytes]:
    """Those of a folder and of all below it, by their path in it."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def _described(file: Path) -> str:
    """A model's description without flavours that MLflow installs the system's packages for.

    The server loads it as `python_function`; what it needs is in the base.
    """
    import yaml

    text = file.read_text()
    described = yaml.safe_load(text)
    flavour = "python_function"
    if list(described["flavors"]) == [flavour]:
        return text
    described["flavors"] = {flavour: described["flavors"][flavour]}
    return str(yaml.safe_dump(described, sort_keys=False))


@contextmanager
def _readable_by_all() -> Iterator[None]:
    """MLflow copies the model; the image's user is none that this machine's umask knows of."""
    kept = os.umask(0o022)
    try:
        yield
    finally:
        os.umask(kept)
