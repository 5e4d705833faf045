"""Building in a real engine: the same image from the same files, and nothing left of a failure."""

import os
import secrets
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from serving import engine as engines
from serving.base import PYTHON
from serving.labels import label
from training.errors import SixfoldError

pytestmark = pytest.mark.docker


@pytest.fixture
def engine() -> Any:
    return engines.connect()


@pytest.fixture
def tag(engine: Any) -> Iterator[str]:
    """A name for an image, which is removed."""
    name = f"sixfold-test:{secrets.token_hex(6)}"
    yield name
    engines.remove(engine, name)


def test_the_same_files_make_the_same_layers(engine: Any, tag: str) -> None:
    dockerfile = "FROM scratch\nCOPY folder /folder\n"
    files = {"folder/b/c.txt": b"two", "folder/a.txt": b"one"}
    layers = []
    for given in (files, dict(reversed(files.items()))):
        built = engines.build(engine, dockerfile, given, tag=tag, times=1.7e9, nocache=True)
        layers.append(built.attrs["RootFS"]["Layers"])
        engines.remove(engine, tag)
    assert layers[0] == layers[1]


def test_labels_arrive_as_they_are(engine: Any, tag: str) -> None:
    wanted = {"a": 'it"s $HOME \\ {b}', "org.x.y": "Umsätze 'über' alles", "empty": ""}
    built = engines.build(engine, f"FROM scratch\n{label(wanted)}\n", {}, tag=tag)
    assert built.labels == wanted
    assert len(built.history()) == 1


def test_a_failed_build_says_why_and_leaves_nothing(engine: Any, tag: str) -> None:
    before = holds(engine)
    dockerfile = f"FROM {PYTHON}\nCOPY a /a\nRUN echo made > /b\nRUN echo no such luck; exit 3\n"
    with pytest.raises(SixfoldError, match=r"no such luck.*non-zero code: 3"):
        engines.build(engine, dockerfile, {"a": tag.encode()}, tag=tag)
    assert holds(engine) == before


def test_what_a_command_prints_is_shown_where_it_fails_only(
    engine: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    with engines.told(engine, "churn:1"):
        subprocess.run(["sh", "-c", "echo loud; echo louder >&2"], check=True)
        os.write(1, b"and this\n")
    with pytest.raises(SixfoldError, match=r"could not build churn:1: Step 2 \| no such file"):
        _fail(engine)
    print("heard again", flush=True)
    assert capfd.readouterr() == ("heard again\n", "")


def _fail(engine: Any) -> None:
    with engines.told(engine, "churn:1"):
        subprocess.run(["sh", "-c", "echo Step 2; echo no such file >&2"], check=True)
        raise RuntimeError("Docker build failed.")


def holds(engine: Any) -> tuple[set[str], set[str]]:
    """All containers and dangling images, by id."""
    containers = {container.id for container in engine.containers.list(all=True)}
    return containers, {image.id for image in engine.images.list(filters={"dangling": True})}
