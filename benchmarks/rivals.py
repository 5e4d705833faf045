"""The images of the servers that ours is compared with: each serves every model of a training."""

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.trainings import build_docker_command, run
from serving import engine as engines
from serving.base import PYTHON, network
from serving.packages import model_packages

_HERE = Path(__file__).parent
_SERVICE = "bentoml_service.py"
#: Put after the packages; a model's own code is in its folder, which is mounted.
_BENTOML = f"""
COPY {_SERVICE} /service/
ENV PYTHONPATH=/model/code BENTOML_DO_NOT_TRACK=true
WORKDIR /service
CMD ["bentoml", "serve", "bentoml_service:Candidate", "--host", "0.0.0.0", "--port", "8080"]
"""


def build_stock(model: Path, tag: str, folder: Path) -> float:
    """MLflow's own image of a logged model, by its own command.

    Parameters
    ----------
    model : Path
    tag : str
    folder : Path
        To run the command in.

    Returns
    -------
    float
        Seconds.
    """
    seconds, _ = run(build_docker_command(str(model), tag), folder)
    return seconds


def build_bentoml(engine: Any, model: Path, tag: str) -> float:
    """BentoML's image with the packages of a logged model.

    Returns
    -------
    float
        Seconds.
    """
    start = time.perf_counter()
    # The versions that the model was trained with come before BentoML's.
    packages = _by_name([*_lines(_HERE / "bentoml.txt"), *model_packages(model)])
    files = {_SERVICE: (_HERE / _SERVICE).read_bytes()}
    _build(engine, PYTHON, packages, tag, files, _BENTOML)
    return time.perf_counter() - start


def add_engines(engine: Any, models: Iterable[Path], base: str, tag: str) -> None:
    """An image with what these models need besides: engines that the image's own model has not."""
    packages = _by_name(line for model in models for line in model_packages(model))
    _build(engine, base, packages, tag)


def plainest(models: Iterable[Path]) -> Path:
    """The model with the fewest packages."""
    return min(models, key=lambda model: len(_lines(model / "requirements.txt")))


def _build(
    engine: Any,
    base: str,
    packages: dict[str, str],
    tag: str,
    files: dict[str, bytes] | None = None,
    more: str = "",
) -> None:
    certificates, arguments = network()
    wanted = "\n".join(packages.values()).encode()
    engines.build(
        engine,
        (_HERE / "packages.Dockerfile").read_text() + more,
        {"requirements.txt": wanted, **(files or {}), **certificates},
        tag=tag,
        network_mode="host",
        buildargs={"BASE": base, **arguments},
    )


def _by_name(lines: Iterable[str]) -> dict[str, str]:
    return {line.partition("==")[0]: line for line in lines}


def _lines(file: Path) -> list[str]:
    return [line for line in file.read_text().splitlines() if line and not line.startswith("#")]
