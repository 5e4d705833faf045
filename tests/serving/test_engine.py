"""Building in a real engine: the same image from the same files, and nothing left of a failure."""

import os
import secrets
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.models.containers import Container

from serving import candidates
from serving import engine as engines
from serving.base import PYTHON
from serving.command import told
from serving.labels import MODEL, VERSION, label
from tests.waiting import wait_until
from training.errors import SixfoldError, UserError

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
    dockerfile = "FROM scratch\nCOPY root /\n"
    files = {"root/opt/b/c.txt": b"two", "root/opt/a.txt": b"one"}
    layers = []
    for given in (files, dict(reversed(files.items()))):
        built = engines.build(engine, dockerfile, given, tag=tag, times=1.7e9, nocache=True)
        layers.append(built.attrs["RootFS"]["Layers"])
        engines.remove(engine, tag)
        time.sleep(1.1)  # times in a layer are whole seconds
    assert layers[0] == layers[1]


def test_labels_arrive_as_they_are(engine: Any, tag: str) -> None:
    wanted = {"a": ' it"s  $HOME \\ {b} ', "org.x.y": "Umsätze 'über' alles", "empty": ""}
    built = engines.build(engine, f"FROM scratch\n{label(wanted)}\n", {}, tag=tag)
    assert built.labels == wanted
    assert len(built.history()) == 1


def test_what_a_killed_build_has_left_goes_with_a_later_one(
    engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An hour later, unless a container has it, if it is of the same version."""
    model, told = f"sixfold-test-{secrets.token_hex(6)}", list[str]()
    listed = engine.api.images

    def own(name: str) -> list[Any]:  # not what a build beside this test has
        return [item for item in listed(name=name) if model in (item["Labels"] or {}).values()]

    dockerfile = f"FROM {PYTHON}\n{label({MODEL: model, VERSION: '7'})}\n"
    name, later = candidates.new_name(), time.time() + 3700
    engines.build(engine, dockerfile, {}, tag=name)
    container = engine.containers.create(name)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(engine.api, "images", own)
            candidates.remove_left(engine, model, "7", told.append)
            candidates.remove_left(engine, model, "7", told.append, now=later)
            container.remove()
            candidates.remove_left(engine, model, "8", told.append, now=later)
            assert engine.images.get(name)
            assert not told
            candidates.remove_left(engine, model, "7", told.append, now=later)
        assert not own(candidates.REPOSITORY)
    finally:
        engines.remove(engine, name)
    assert told == [f"removed {name}, which a build that was killed had left"]


def test_a_failed_build_says_why_and_leaves_nothing(engine: Any, tag: str) -> None:
    mark = f"sixfold.test={tag}"
    dockerfile = (
        f"FROM {PYTHON}\nLABEL {mark}\nCOPY a /a\nRUN echo made > /b\n"
        "RUN echo no such luck; exit 3\n"
    )
    with pytest.raises(SixfoldError, match=r"no such luck.*non-zero code: 3"):
        engines.build(engine, dockerfile, {"a": tag.encode()}, tag=tag)
    assert not engine.containers.list(all=True, filters={"label": mark})
    assert not engine.images.list(all=True, filters={"label": mark})


def test_programs_of_another_machine_are_one_line(engine: Any, tag: str) -> None:
    """As an engine without emulation finds them: no program that it knows."""
    dockerfile = f"FROM {PYTHON}\nCOPY sh /sh\nRUN chmod 755 /sh && mv /sh /bin/sh\nRUN true\n"
    here = "/".join(engine.images.get(PYTHON).attrs[name] for name in ("Os", "Architecture"))
    with pytest.raises(UserError, match=f"expected an engine that runs programs of {here}, got"):
        engines.build(engine, dockerfile, {"sh": b"\0" * 64}, tag=tag, platform=here)


def test_a_runtime_that_refuses_programs_of_another_machine_is_one_line(
    engine: Any, tag: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This engine's starts them; others say so in the build's error, not in its log."""
    refused = "OCI runtime create failed: open executable: exec format error"
    monkeypatch.setattr(engine.api, "build", lambda **_: iter([{"error": refused}]))
    with pytest.raises(UserError, match="expected an engine that runs programs of linux/arm64"):
        engines.build(engine, f"FROM {PYTHON}\n", {}, tag=tag, platform="linux/arm64")


@pytest.mark.parametrize(
    ("variable", "index", "is_kept"),
    [
        ("PIP_INDEX_URL", "https://{}.example/team/simple/", True),
        ("PIP_INDEX_URL", "https://ada:{}@index.example/", False),
        ("PIP_INDEX_URL", "https://index.example/{}/simple", False),
        ("PIP_EXTRA_INDEX_URL", "https://a.example/ https://b.example/simple?token={} ", False),
    ],
)
def test_a_stage_is_kept_unless_a_secret_is_in_its_history(
    engine: Any, tag: str, variable: str, index: str, is_kept: bool
) -> None:
    word = secrets.token_hex(8)
    dockerfile = (
        f"FROM {PYTHON} AS packages\nLABEL {engines.STAGE}=test\n"
        f"ARG {variable}\nRUN echo > /made\nFROM scratch\nCOPY --from=packages /made /\n"
    )
    engines.build(engine, dockerfile, {}, tag=tag, buildargs={variable: index.format(word)})
    stages = engine.api.images(all=True, filters={"label": f"{engines.STAGE}=test"})
    texts = [str(engine.api.history(stage["Id"])) for stage in stages]
    try:
        assert any(word in text for text in texts) == is_kept
        assert word not in str(engine.api.history(tag))
    finally:
        for stage in engine.images.list(filters={"label": f"{engines.STAGE}=test"}):
            engines.remove(engine, stage.id)


def test_what_a_command_prints_is_shown_where_it_fails_only(
    engine: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    with told(engine, "churn:1"):
        subprocess.run(["sh", "-c", "echo loud; echo louder >&2"], check=True)
        os.write(1, b"and this\n")
    with pytest.raises(SixfoldError, match=r"could not build churn:1: Step 2 \| no such file"):
        _fail(engine)
    print("heard again", flush=True)
    assert capfd.readouterr() == ("heard again\n", "")


def _fail(engine: Any) -> None:
    with told(engine, "churn:1"):
        subprocess.run(["sh", "-c", "echo Step 2; echo no such file >&2"], check=True)
        raise RuntimeError("Docker build failed.")


def test_a_build_ends_with_the_command_that_began_it(engine: Any, tag: str, tmp_path: Path) -> None:
    """A signal may be for that one alone."""
    (tmp_path / "Dockerfile").write_text(f"FROM {PYTHON}\nRUN echo begun && sleep 60\n")
    with pytest.raises(KeyboardInterrupt):
        _interrupted(engine, tag, tmp_path)
    wait_until(lambda: not any("sleep 60" in each for each in _running(engine)))
    assert not engine.images.list(name=tag)


def _interrupted(engine: Any, tag: str, folder: Path) -> None:
    with told(engine, tag), subprocess.Popen(["docker", "build", "--tag", tag, folder]):
        wait_until(lambda: any("sleep 60" in each for each in _running(engine)))
        raise KeyboardInterrupt


def _running(engine: Any) -> list[str]:
    return [str(each["Command"]) for each in engine.api.containers(all=True)]


def test_a_container_whose_start_is_interrupted_is_removed(
    engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(container: Container) -> None:
        engine.api.start(container.id)
        raise KeyboardInterrupt

    name = f"sixfold-test-{secrets.token_hex(6)}"
    monkeypatch.setattr(Container, "start", start)
    with pytest.raises(KeyboardInterrupt):
        engines.run(engine, PYTHON, command=["sleep", "60"], name=name)
    assert not engine.containers.list(all=True, filters={"name": name})


def test_an_engine_that_goes_away_is_one_line(tmp_path: Path) -> None:
    gone = docker.DockerClient(f"unix://{tmp_path}/gone.sock", version="1.41")
    said = "the Docker engine failed while building: "
    with pytest.raises(SixfoldError, match=said), engines.reported("building"):
        gone.images.list()
