"""A bundle becomes an image: through MLflow's own build, or by a Dockerfile of ours."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from serving import engine as engines
from serving.labels import label

#: Where a bundle is in an image, and in the model's folder that MLflow puts there.
BUNDLE = "/opt/ml/model/sixfold"
_FOLDER = "sixfold"


def with_mlflow(
    engine: Any,
    base: Any,
    model: Path,
    bundle: Path,
    labels: dict[str, str],
    tag: str,
    created: float,
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
    model : Path
        The downloaded model. Its description goes into the image, not what the bundle replaces.
    bundle : Path
    labels : dict
    tag : str
    created : float
        When the version was made: the files' time, so that the same version makes the same layer.
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
        with _readable_by_all(), engines.told(engine, tag):
            mlflow.models.build_docker(
                model_uri=str(handed), name=below, env_manager="local", base_image=base.tags[0]
            )
        return engines.build(engine, f"FROM {below}\n{label(labels)}\n", {}, tag=tag)
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
    files = {
        f"root{BUNDLE}/{path.relative_to(bundle)}": path.read_bytes()
        for path in bundle.rglob("*")
        if path.is_file()
    }
    # Into the root: a folder that COPY makes is of now, those that it finds keep their time.
    dockerfile = f"FROM {base.tags[0]}\nCOPY root /\n{label(labels)}\n"
    return engines.build(engine, dockerfile, files, tag=tag, times=created, platform=platform)


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
