"""What an earlier deployment has left, whose container one is, and what is refused at once."""

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from docker.errors import NotFound

from serving.deploy.docker import _recover, remove, switch
from serving.deploy.front import ROLE
from serving.deploy.names import MODEL
from serving.deploy.targets import DEPLOY
from serving.deploy.wanted import Wanted
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
        self.there = [Container(self, name, model) for name in names]
        self.containers = SimpleNamespace(get=self._get, list=self._list)
        self.networks = SimpleNamespace(list=lambda **_: [])

    def names(self) -> list[str]:
        return sorted(container.name for container in self.there)

    def _get(self, name: str) -> Container:
        for container in self.there:
            if container.name == name:
                return container
        raise NotFound(name)

    def _list(self, filters: dict[str, str], **_: bool) -> list[Container]:
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
    assert remove(engine, "churn") == []
    assert engine.names() == [f"{NAME}{suffix}"]
    assert engine.there[0].done == []


def test_all_are_told_to_end_before_any_is_waited_for() -> None:
    names = [f"{NAME}-front", NAME, f"{NAME}-canary-10"]
    engine: Any = Engine(*names[1:], names[0])
    assert remove(engine, "churn") == [f"container {name}" for name in names]
    assert engine.said == [f"SIGTERM {n}" for n in names] + [f"stop {n}" for n in names]
    assert engine.names() == []


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
