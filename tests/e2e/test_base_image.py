"""The serving base on a machine whose packages come through a proxy, and for another platform."""

import gzip
import json
import os
import secrets
import tarfile
import tempfile
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import pytest
from docker.errors import ImageNotFound

from serving import base, build
from serving import engine as engines
from serving.labels import BASE
from tests.registry.versions import MODEL, registered
from tests.services.package_index import HOST, Index, download, serving
from tests.training.problems import frame_of
from tests.training.trained import store_in, train_quietly
from training.errors import SixfoldError, UserError

pytestmark = [pytest.mark.docker, pytest.mark.slow]

_ROOT = Path(__file__).parents[2]
_LOCKS = [_ROOT / f"requirements-{part}.lock" for part in ("server", "traces", "recording")]
#: What the machine that the tests run on has instead.
_OWN = ("NO_PROXY", "no_proxy", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_TRUSTED_HOST")


@dataclass(frozen=True)
class Machine:
    """A machine whose packages come from an index of its own.

    Attributes
    ----------
    engine : DockerClient
    index : Index
    platform : str
        Another one than the engine's, by name: the programs in its image are the engine's own, as
        not every engine has emulation.
    """

    engine: Any
    index: Index
    platform: str

    @property
    def secrets(self) -> list[bytes]:
        """The passwords, and what they are sent as."""
        words = [self.index.password, self.index.proxy_password]
        sent = [b64encode(f"ada:{word}".encode()) for word in words]
        return [word.encode() for word in words] + sent


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    folder = tmp_path_factory.mktemp("index")
    engine = engines.connect()
    (wheels := folder / "wheels").mkdir()
    download(_LOCKS, wheels)
    name = f"sixfold-test-{secrets.token_hex(4)}"
    passwords = secrets.token_hex(12), secrets.token_hex(12)
    python = engine.images.get(base.PYTHON)
    here = python.attrs["Architecture"]
    platform = "linux/arm64" if here == "amd64" else "linux/amd64"
    with serving(wheels, folder, *passwords) as index, pytest.MonkeyPatch.context() as patch:
        for variable in _OWN:
            patch.delenv(variable, raising=False)
        patch.setenv("PIP_CONFIG_FILE", os.devnull)
        patch.setenv("PIP_INDEX_URL", index.url)
        patch.setenv("HTTPS_PROXY", index.proxy)
        patch.setenv("https_proxy", index.proxy)
        patch.setenv("PIP_CERT", str(index.certificate))
        patch.setattr(base, "NAME", name)
        patch.setattr(base, "PYTHON", f"{name}-python:3.11-slim")
        try:
            python.tag(base.PYTHON)
            _called(engine, base.PYTHON, python, platform)
            yield Machine(engine, index, platform)
        finally:
            for image in engine.images.list():
                for tag in image.tags:
                    if tag.startswith(name):
                        engines.remove(engine, tag)


def _called(engine: Any, name: str, python: Any, platform: str) -> None:
    """An image with the same programs that says it is for another platform.

    One more file keeps the engine from taking up layers of the other, which it knows by content.
    """
    there = f"{python.attrs['Os']}/{python.attrs['Architecture']}"
    lines = [f"FROM --platform={there} {name} AS there", "FROM scratch", "COPY --from=there / /"]
    lines += [f"ENV {setting}" for setting in python.attrs["Config"]["Env"] if " " not in setting]
    lines += ["COPY platform /etc/platform"]
    tag = f"{name}-{platform.replace('/', '-')}"
    files = {"platform": platform.encode()}
    engines.build(engine, "\n".join(lines), files, tag=tag, platform=platform)


def test_a_password_that_is_wrong_is_not_said(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    wrong = secrets.token_hex(12)
    monkeypatch.setenv("PIP_INDEX_URL", machine.index.url.replace(machine.index.password, wrong))
    with pytest.raises(SixfoldError, match="could not build") as refused:
        base.base_image(machine.engine, machine.platform, slim=True, say=print)
    said = "".join([str(refused.value), *capfd.readouterr()])
    assert machine.index.refused
    assert not [word for word in (wrong, machine.index.proxy_password) if word in said]


def test_packages_come_from_ones_own_index_and_no_password_stays(
    machine: Machine, capfd: pytest.CaptureFixture[str]
) -> None:
    """Through a proxy, with a CA of one's own; in no layer, in no history, and it is not said."""
    before = {image["Id"] for image in machine.engine.api.images(all=True)}
    built = base.base_image(machine.engine, machine.platform, slim=False, say=print)
    assert set(machine.index.tunnels) == {f"{HOST}:443"}
    served = {path.split("/")[2] for path in machine.index.served if path.startswith("/simple/")}
    assert {"onnxruntime", "uvicorn", "opentelemetry-sdk", "arro3-io"} <= served
    inside = machine.engine.containers.run(
        built.id, ["-c", "import onnxruntime; print(1)"], entrypoint="python", remove=True
    )
    assert inside == b"1\n"

    said = "".join(capfd.readouterr())
    assert built.tags[0] in said
    left = {image["Id"] for image in machine.engine.api.images(all=True)} - before
    assert built.id in left
    told = "".join(described(machine.engine, image) for image in left)
    for secret in machine.secrets:
        assert secret.decode() not in said
        assert secret.decode() not in told
    certificate = machine.index.certificate.read_bytes()
    searched = 0
    for content in contents(built):
        searched += len(content)
        assert not [secret for secret in (*machine.secrets, certificate) if secret in content]
    assert searched > built.attrs["Size"]


def described(engine: Any, image: str) -> str:
    """All that an engine says of an image, which another build beside this one may have removed."""
    try:
        return json.dumps([engine.api.inspect_image(image), engine.api.history(image)])
    except ImageNotFound:
        return ""


def contents(image: Any) -> Iterator[bytes]:
    """Every file of an image as it is saved: its description, and its layers unpacked."""
    with tempfile.TemporaryFile() as file:
        for chunk in image.save():
            file.write(chunk)
        file.seek(0)
        with tarfile.open(fileobj=file) as archive:
            for item in archive:
                if found := archive.extractfile(item):
                    content = found.read()
                    yield gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content


def test_a_version_is_built_for_another_platform(machine: Machine, tmp_path: Path) -> None:
    """From what MLflow generates, whose own build is for linux/amd64 only."""
    with store_in(tmp_path):
        frame_of("categorical", "binary").to_parquet("table.parquet")
        registered(train_quietly(data="table.parquet", algorithms="decision_tree"))
        wanted = build.Wanted(MODEL, "1", f"{base.NAME}-{MODEL}:1", platform=machine.platform)
        built = build.build(mlflow.MlflowClient(), wanted, print)
    image = machine.engine.images.get(built.image)
    assert f"{image.attrs['Os']}/{image.attrs['Architecture']}" == machine.platform
    assert "recorded predictions" in built.checks
    start = machine.engine.images.get(f"{base.NAME}:{image.labels[BASE]}")
    assert start.attrs["Architecture"] == image.attrs["Architecture"]


def test_a_platform_that_cannot_be_had_is_one_line(machine: Machine) -> None:
    with pytest.raises(UserError, match=r"for linux/s390x, got none here.*docker load"):
        base.python_image(machine.engine, "linux/s390x")
