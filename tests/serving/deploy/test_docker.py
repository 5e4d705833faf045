"""What an earlier deployment has left, whose container one is, and what is refused at once."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from docker.errors import APIError, NotFound

from serving.deploy import compose, docker
from serving.deploy.container import sizes
from serving.deploy.docker import _recover, remove, switch
from serving.deploy.front import ROLE
from serving.deploy.names import MODEL
from serving.deploy.recording import PROJECT, Recording, mounted
from serving.deploy.state import State
from serving.deploy.targets import DEPLOY
from serving.deploy.wanted import Wanted, sized
from tests.serving.deploy.releases import CHURN
from training.errors import UserError

NAME = "sixfold-churn"


@dataclass
class Container:
    """One that keeps what was done to it."""

    engine: "Engine"
    name: str
    model: str = "churn"
    done: list[str] = field(default_factory=list)
    status: str = "running"

    @property
    def labels(self) -> dict[str, str]:
        return {MODEL: self.model, ROLE: "front" if self.name.endswith("-front") else "server"}

    @property
    def attrs(self) -> dict[str, Any]:
        kept = self.done[-1] if self.done else "no"
        ports = {"8080/tcp": [{"HostPort": "9000"}]}
        return {"HostConfig": {"PortBindings": ports, "RestartPolicy": {"Name": kept}}}

    def rename(self, name: str) -> None:
        self.name = name

    def kill(self, signal: str) -> None:
        self.engine.said.append(f"{signal} {self.name}")

    def stop(self, timeout: int) -> None:
        self.engine.said.append(f"stop {self.name}")

    def update(self, restart_policy: dict[str, Any]) -> None:
        self.done.append(restart_policy["Name"])

    def remove(self, force: bool) -> None:
        self.engine.there.remove(self)


class Engine:
    """Containers by their names."""

    def __init__(self, *names: str, model: str = "churn") -> None:
        self.said: list[str] = []
        self.kept: list[Any] = []
        self.networked: list[Any] = []
        self.there = [Container(self, name, model) for name in names]
        self.containers = SimpleNamespace(get=self._get, list=self._list)
        self.networks = SimpleNamespace(list=lambda **_: self.networked, create=self._network)
        self.volumes = SimpleNamespace(
            list=lambda **_: self.kept, create=self._volume, get=lambda _: self.kept[0]
        )

    def names(self) -> list[str]:
        return sorted(container.name for container in self.there)

    def _get(self, name: str) -> Container:
        for container in self.there:
            if container.name == name:
                return container
        raise NotFound(name)

    def _network(self, name: str, users: tuple[str, ...] = (), **_: Any) -> None:
        """A network, which can be removed when nobody is on it."""

        def removed() -> None:
            if users:
                raise APIError("403", SimpleNamespace(status_code=403), "has active endpoints")
            self.networked.clear()

        there = {"Containers": {user: {"Name": user} for user in users}}
        self.networked = [
            SimpleNamespace(name=name, attrs=there, reload=lambda: None, remove=removed)
        ]

    def _volume(self, name: str, **_: Any) -> None:
        self.kept = [SimpleNamespace(name=name, remove=lambda: self.kept.clear())]

    def _list(self, filters: dict[str, Any], **_: bool) -> list[Container]:
        return [item for item in self.there if filters["label"] == f"{MODEL}={item.model}"]


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


@pytest.mark.parametrize(
    ("left", "after"),
    [
        (["", "-next", "-front", "-front-next"], ["", "-front"]),
        (["-old", "-next"], [""]),
        (["", "-old"], [""]),
        # A canary in place of a canary: before the new one had its name, and after.
        (["", "-canary-10-old", "-next"], ["", "-canary-10"]),
        (["", "-canary-10-old", "-canary-40"], ["", "-canary-40"]),
        (["", "-canary-10-old", "-canary-10"], ["", "-canary-10"]),
        # A version in place of both, likewise.
        (["-old", "-canary-10-old", "-next"], ["", "-canary-10"]),
        (["", "-old", "-canary-10-old"], [""]),
    ],
)
def test_what_was_killed_is_finished_or_undone(left: list[str], after: list[str]) -> None:
    engine: Any = Engine(*(f"{NAME}{suffix}" for suffix in left))
    _recover(engine, "churn")
    assert engine.names() == [f"{NAME}{suffix}" for suffix in after]
    servers = [item for item in engine.there if not item.name.endswith("-front")]
    assert [item.done for item in servers] == [["unless-stopped"]] * len(servers)


def test_a_front_that_has_the_new_port_stays() -> None:
    """The deployment was killed while the one before ended."""
    engine: Any = Engine(NAME, f"{NAME}-front", f"{NAME}-front-next")
    after = engine.there[-1]
    after.update({"Name": "unless-stopped"})
    _recover(engine, "churn")
    assert engine.names() == [NAME, f"{NAME}-front"]
    assert after.name == f"{NAME}-front"
    assert engine.said == [f"stop {NAME}-front"]


@pytest.mark.parametrize("suffix", ["", "-old", "-next", "-front-next", "-canary-10-old"])
def test_what_is_another_models_is_nothing_of_this_ones(suffix: str) -> None:
    engine: Any = Engine(f"{NAME}{suffix}", model="another")
    _recover(engine, "churn")
    assert remove(engine, "churn", print) == []
    assert engine.names() == [f"{NAME}{suffix}"]
    assert engine.there[0].done == []


def test_all_are_told_to_end_before_any_is_waited_for() -> None:
    names = [f"{NAME}-front", NAME, f"{NAME}-canary-10"]
    engine: Any = Engine(*names[1:], names[0])
    assert remove(engine, "churn", print) == [f"container {name}" for name in names]
    assert engine.said == [f"SIGTERM {n}" for n in names] + [f"stop {n}" for n in names]
    assert engine.names() == []


def test_sizes_stay_where_no_others_are_given() -> None:
    environment = ["LANG=C", *(f"{k}={v}" for k, v in Recording(size=10 << 30).settings().items())]
    attrs = {
        "HostConfig": {"NanoCpus": 500_000_000, "Memory": 1 << 30},
        "Config": {"Env": environment},
    }
    there: Any = SimpleNamespace(attrs=attrs)
    records = Wanted("churn", record=Recording())
    other = replace(records, cpu=2.0, memory=1 << 28, record=Recording(size=1 << 29))
    for container, asked, expected in (
        (there, records, (0.5, 1 << 30, 10 << 30)),
        (there, other, (2.0, 1 << 28, 1 << 29)),
        (None, records, (1.0, 512 << 20, 1 << 30)),
    ):
        found = sized(asked, **sizes(container))
        assert found.record
        assert (found.cpu, found.memory, found.record.size) == expected
    assert sized(Wanted("churn"), **sizes(there)).record is None


def test_a_network_that_somebody_is_on_stays_and_the_token_does_not(tmp_path: Path) -> None:
    with State(NAME) as state:
        token = state.keep_token("s3cret")
    for names in ([NAME, f"{NAME}-front"], []):
        engine: Any = Engine(*names)
        engine.networks.create(NAME, users=("mine", "other"))
        said: list[str] = []
        gone = remove(engine, "churn", said.append)
        assert sorted(gone) == [f"container {name}" for name in names]
        assert engine.names() == []
        assert not token.exists()
        (line,) = said
        assert f"network {NAME} stays: mine, other is on it" in line
    engine.networks.create(NAME)
    assert remove(engine, "churn", said.append) == [f"network {NAME}"]


def test_a_network_of_compose_that_somebody_is_on_stays() -> None:
    there: list[Any] = []
    item = SimpleNamespace(name="sixfold-churn-server-1", labels={PROJECT: NAME})
    item.stop = lambda timeout: None
    item.remove = lambda force: there.clear()
    there.append(item)
    engine: Any = Engine()
    engine.containers.list = lambda **_: list(there)
    engine.networks.create(f"{NAME}_default", users=("mine",))
    said: list[str] = []
    assert compose.remove(engine, "churn", said.append) == [f"container {item.name}"]
    assert f"network {NAME}_default stays: mine is on it" in said[0]


@pytest.mark.parametrize("before", ["", f"{NAME}-recordings"])
def test_a_first_version_that_fails_leaves_no_volume_of_its_own(
    monkeypatch: pytest.MonkeyPatch, before: str
) -> None:
    """What an earlier deployment has recorded stays."""
    engine: Any = Engine()
    if before:
        engine.volumes.create(before)

    def start(*_: Any) -> Any:
        mounted(engine, "churn", Recording())
        raise UserError("expected a container that starts")

    front = SimpleNamespace(name=f"{NAME}-front", remove=lambda force: None)
    monkeypatch.setattr(docker, "keep_port", lambda *_: (front, None))
    monkeypatch.setattr(docker, "start", start)
    with pytest.raises(UserError, match="a container that starts"):
        switch(engine, CHURN, Wanted("churn", record=Recording()), print)
    assert [volume.name for volume in engine.kept] == ([before] if before else [])
    assert engine.networked == []


@pytest.mark.parametrize(
    ("there", "wanted", "said"),
    [
        ([], Wanted("churn", canary=10), "that a canary can be beside, got none here"),
        (
            [NAME, f"{NAME}-front"],
            Wanted("churn", canary=10, port=9001),
            "expected no --port with --canary, or 9000, which both versions have, got 9001",
        ),
    ],
)
def test_a_canary_that_cannot_be_is_refused_before_an_image_is_looked_for(
    monkeypatch: pytest.MonkeyPatch, there: list[str], wanted: Wanted, said: str
) -> None:
    engine: Any = Engine(*there)
    nobody: Any = None
    monkeypatch.setattr("serving.engine.connect", lambda: engine)
    with pytest.raises(UserError, match=said):
        DEPLOY["docker"](nobody, wanted, None, print)
    with pytest.raises(UserError, match=said):
        switch(engine, CHURN, wanted, print)
    assert engine.names() == sorted(there)
