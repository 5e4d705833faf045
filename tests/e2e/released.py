"""A model with two versions whose images are built, for the tests that deploy it."""

import json
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
from mlflow import MlflowClient

from serving.base import read_file
from serving.image import BUNDLE
from tests.e2e.command import call, start


@dataclass(frozen=True)
class Released:
    """Two versions of a model, the first in Production, in a folder's embedded store.

    Attributes
    ----------
    folder : Path
    model : str
        A name that nothing else on this machine has.
    images : dict of str to str
        Version -> name of its image.
    row : dict
        Of the recorded sample.
    """

    folder: Path
    model: str
    images: dict[str, str]
    row: dict[str, Any]

    @property
    def name(self) -> str:
        """What it is deployed as."""
        return f"sixfold-{self.model}"

    @property
    def body(self) -> dict[str, Any]:
        return {"dataframe_records": [self.row]}

    def deploy(
        self,
        to: str,
        version: str,
        *options: str,
        image: str = "",
        environment: dict[str, str] | None = None,
        code: int = 0,
    ) -> str:
        """`sixfold deploy`; what it printed."""
        words = self._words(to, version, image, options)
        return call(self.folder, "sixfold", words, environment, code)

    def begin(self, to: str, version: str, *options: str) -> subprocess.Popen[str]:
        """`sixfold deploy` that is not waited for."""
        return start(self.folder, "sixfold", self._words(to, version, "", options))

    def _words(self, to: str, version: str, image: str, options: tuple[str, ...]) -> list[str]:
        words = ["deploy", self.model, "--to", to, "--version", version]
        return [*words, "--image", image or self.images[version], *options]

    def changed(self, version: str, tag: str, *lines: str) -> str:
        """The name of an image that is a version's with more lines in its Dockerfile."""
        folder = self.folder / tag
        folder.mkdir(exist_ok=True)
        text = "\n".join([f"FROM {self.images[version]}", *lines])
        (folder / "Dockerfile").write_text(text)
        name = f"{self.model}:{tag}"
        docker.from_env().images.build(path=str(folder), tag=name, rm=True)
        return name


@contextmanager
def released(folder: Path) -> Iterator[Released]:
    """Train, register two candidates, build their images; removes the images at the end."""
    model = f"deployed-{secrets.token_hex(3)}"
    asked = ["--search", "none", "--budget", "60", "--quiet"]
    asked += ["--algorithms", "decision_tree,logistic_regression"]
    call(folder, "sixfold", ["train", "sklearn:wine", *asked])
    for algorithm in ("logistic_regression", "decision_tree"):
        call(folder, "sixfold", ["register", model, "--algorithm", algorithm])
    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    client.transition_model_version_stage(model, "1", "Production")
    engine = docker.from_env()
    try:
        for version in ("1", "2"):
            call(folder, "sixfold", ["build", model, "--version", version])
        images = {version: f"{model}:{version}" for version in ("1", "2")}
        sample = json.loads(read_file(engine, images["1"], f"{BUNDLE}/sample.json"))
        yield Released(folder, model, images, sample["rows"][0])
    finally:
        for image in engine.images.list(name=model):
            engine.images.remove(image.id, force=True)
