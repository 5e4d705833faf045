"""What `--record` and its options come to, and whose a folder must be."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from docker.errors import APIError

from serving.deploy.names import MODEL
from serving.deploy.recording import (
    PROJECT,
    Recording,
    check_unused,
    folder_owner,
    forget,
    kept,
    recording,
    size_of,
)
from training.errors import UserError

NOTHING: dict[str, Any] = {"record": None, "record_size": None, "record_share": None}


def test_options_become_a_recording(tmp_path: Path) -> None:
    assert recording(NOTHING) is None
    assert recording(NOTHING | {"record": ""}) == Recording()
    assert recording(NOTHING | {"record": ""}, default=tmp_path) == Recording(folder=tmp_path)
    asked = {"record": str(tmp_path), "record_size": "10Gi", "record_share": 0.5}
    asked |= {"record_class": "nfs", "record_access": "ReadWriteOnce"}
    assert recording(asked) == Recording(tmp_path, 10 << 30, 0.5, "nfs", "ReadWriteOnce")
    with pytest.raises(UserError, match="expected --record with --record-share"):
        recording(NOTHING | {"record_share": 0.5})


@pytest.mark.parametrize("text", ["10", "15m", "lots"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(UserError, match=f"expected --record-size from 16m .* got '{text}'"):
        recording(NOTHING | {"record": "", "record_size": text})


def test_the_settings_leave_room_in_the_volume() -> None:
    found = Recording(size=1 << 30).settings()
    assert set(found) == {"SIXFOLD_RECORD", "SIXFOLD_RECORD_BYTES"}
    assert int(found["SIXFOLD_RECORD_BYTES"]) < 1 << 30


@pytest.mark.parametrize("text", ["16m", "100m", "1g", "1.7g", "1.9g", "10g", "777Mi", "2Ti"])
def test_a_size_is_read_from_the_settings_that_it_became(text: str) -> None:
    asked = recording(NOTHING | {"record": "", "record_size": text})
    assert asked
    assert size_of(asked.settings()) == asked.size > 0
    assert asked.size % (1 << 20) == 0  # as a claim has it
    for environment in ({}, {"SIXFOLD_RECORD_BYTES": "many"}, {"SIXFOLD_RECORD_BYTES": None}):
        assert size_of(environment) == 0


def test_a_new_folder_is_one_that_a_server_may_write_to(tmp_path: Path) -> None:
    owner = folder_owner(tmp_path / "a" / "b")
    expected = (10001, 10001) if os.geteuid() == 0 else (os.getuid(), os.getgid())
    assert owner == "{}:{}".format(*expected)
    assert folder_owner(tmp_path / "a" / "b") == owner


def test_no_server_runs_as_root_to_write(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="expected a folder that is not root's"):
        folder_owner(Path("/usr"))
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="Not a directory"):
        folder_owner(tmp_path / "file" / "folder")


class Engine:
    """Volumes with their labels, and containers that have one: (name, volume, labels)."""

    def __init__(self, containers: list[tuple[str, str, dict[str, str]]] | None = None) -> None:
        ours, projects = {MODEL: "churn"}, {PROJECT: "deploy-churn"}
        self.labels = {
            "sixfold-churn-recordings": ours,
            "sixfold-churn_recordings": projects,
            "my-sixfold-churn-recordings": ours,
        }
        self._users = containers or []
        self.volumes = SimpleNamespace(list=self._volumes, get=self._volume)
        self.containers = SimpleNamespace(list=self._containers)

    def _volumes(self, filters: dict[str, str]) -> list[Any]:
        label, _, value = filters["label"].partition("=")
        return [
            self._volume(name)
            for name, labels in self.labels.items()
            if filters["name"] in name and label in labels and value in ("", labels[label])
        ]

    def _volume(self, name: str) -> Any:
        return SimpleNamespace(name=name, remove=lambda: self._remove(name))

    def _containers(self, filters: dict[str, str], **_: bool) -> list[Any]:
        return [
            SimpleNamespace(name=name, labels=labels)
            for name, volume, labels in self._users
            if volume == filters["volume"]
        ]

    def _remove(self, name: str) -> None:
        if any(volume == name for _, volume, _ in self._users):
            response = SimpleNamespace(status_code=409)
            raise APIError("conflict", response, "volume is in use")
        del self.labels[name]


@pytest.mark.parametrize(
    ("to", "name"),
    [("docker", "sixfold-churn-recordings"), ("compose", "sixfold-churn_recordings")],
)
def test_each_target_forgets_its_own(to: str, name: str) -> None:
    engine = Engine()
    before = set(engine.labels)
    assert kept(engine, "churn", to) == [name]
    check_unused(engine, "churn", to)
    assert forget(engine, "churn", to) == [f"volume {name}"]
    assert before - set(engine.labels) == {name}
    assert forget(engine, "churn", to) == []


@pytest.mark.parametrize("to", ["docker", "compose"])
def test_a_volume_of_somebody_else_stays(to: str) -> None:
    engine = Engine()
    engine.labels = {name: {"theirs": ""} for name in engine.labels}
    assert kept(engine, "churn", to) == []
    assert forget(engine, "churn", to) == []


def test_a_volume_that_another_container_has() -> None:
    name = "sixfold-churn-recordings"
    own = ("sixfold-churn", name, {MODEL: "churn"})
    check_unused(Engine([own]), "churn", "docker")
    engine = Engine([own, ("reader", name, {})])
    with pytest.raises(UserError, match=f"got {name}, which reader has"):
        check_unused(engine, "churn", "docker")
    with pytest.raises(UserError, match=f"got {name}: volume is in use"):
        forget(engine, "churn", "docker")
    assert name in engine.labels
