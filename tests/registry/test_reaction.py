"""Commands run one at a time, the newest event of a model alone, and end in order."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from registry.delivery import AliasSet
from registry.reaction import SECRET_VARIABLE, Reactions
from tests.waiting import wait_until

NOW = 1_800_000_000.0
#: Notes that it begins, waits for a file to be there, notes that it ends.
SCRIPT = """
import os, sys, time
def note(what):
    with open("log", "a") as log:
        print(what, os.environ["SIXFOLD_MODEL"], os.environ["SIXFOLD_VERSION"], file=log)
note("begin")
while not os.path.exists("go"):
    time.sleep(0.01)
note("end")
"""


class Recorded(Reactions):
    """Reactions by the script, whose log is kept."""

    def __init__(self, folder: Path, commands: dict[str, list[str]]) -> None:
        self.folder, self.said = folder, list[str]()
        super().__init__(commands, self.said.append)

    def log(self) -> list[str]:
        file = self.folder / "log"
        return file.read_text().splitlines() if file.exists() else []

    def go(self) -> None:
        (self.folder / "go").touch()


@contextmanager
def reacting(folder: Path, patch: pytest.MonkeyPatch) -> Iterator[Recorded]:
    patch.chdir(folder)
    found = Recorded(folder, {"production": [sys.executable, "-c", SCRIPT]})
    try:
        yield found
    finally:
        found.go()
        found.stop(30, threading.Event())


def event(version: str, model: str = "churn", when: float = NOW) -> AliasSet:
    return AliasSet(model, version, "production", when)


def test_one_at_a_time_and_the_newest_of_each_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with reacting(tmp_path, monkeypatch) as reactions:
        assert reactions.add(event("1")) == "queued"
        wait_until(reactions.log)
        assert reactions.add(event("2", when=NOW + 1)) == "queued"
        assert reactions.add(event("9", "sales")) == "queued"
        assert "in place of version 2" in reactions.add(event("3", when=NOW + 2))
        assert reactions.log() == ["begin churn 1"]
        reactions.go()
        wait_until(lambda: len(reactions.log()) == 6)
    order = ["churn 1", "churn 3", "sales 9"]
    assert reactions.log() == [f"{what} {name}" for name in order for what in ("begin", "end")]
    assert sum("exit code 0" in line for line in reactions.said) == 3


def test_an_event_that_comes_late_does_not_undo_a_newer_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with reacting(tmp_path, monkeypatch) as reactions:
        reactions.go()
        reactions.add(event("3", when=NOW + 1))
        assert "overtaken" in reactions.add(event("2", when=NOW))
        assert reactions.add(event("1", "sales", NOW)) == "queued"
        wait_until(lambda: len(reactions.log()) == 4)
    assert not any("churn 2" in line for line in reactions.log())


def test_other_aliases_have_no_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with reacting(tmp_path, monkeypatch) as reactions:
        assert "no command" in reactions.add(AliasSet("churn", "1", "champion", NOW))
    assert reactions.log() == []


def test_the_command_knows_the_version_but_not_the_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(SECRET_VARIABLE, "not for the command")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://kept")
    reactions = Recorded(tmp_path, {"production": ["sh", "-c", "env > env; exit 3"]})
    reactions.add(event("7", "a model: $(touch x)"))
    wait_until(lambda: any("exit code 3" in line for line in reactions.said))
    reactions.stop(30, threading.Event())
    seen = (tmp_path / "env").read_text()
    assert "not for the command" not in seen
    assert "MLFLOW_TRACKING_URI=http://kept" in seen
    wanted = {
        "SIXFOLD_MODEL": "a model: $(touch x)",
        "SIXFOLD_VERSION": "7",
        "SIXFOLD_ALIAS": "production",
        "SIXFOLD_MODEL_URI": "models:/a model: $(touch x)/7",
    }
    for name, value in wanted.items():
        assert f"{name}={value}\n" in seen
    assert not (tmp_path / "x").exists()


def test_a_program_that_is_gone_is_said_and_the_next_one_runs(tmp_path: Path) -> None:
    commands = {"production": [str(tmp_path / "gone")], "staging": ["true"]}
    reactions = Recorded(tmp_path, commands)
    reactions.add(event("1"))
    reactions.add(AliasSet("churn", "2", "staging", NOW))
    wait_until(lambda: any("exit code 0" in line for line in reactions.said))
    assert any("cannot run" in line and "version 1" in line for line in reactions.said)
    assert reactions.stop(30, threading.Event())


def test_stopping_lets_the_running_command_end_and_starts_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with reacting(tmp_path, monkeypatch) as reactions:
        reactions.add(event("1"))
        wait_until(reactions.log)
        reactions.add(event("2", when=NOW + 1))
        threading.Timer(0.2, reactions.go).start()
        assert reactions.stop(60, threading.Event())
        assert reactions.log() == ["begin churn 1", "end churn 1"]
        assert any("version 2" in line and "not started" in line for line in reactions.said)
        assert "stopping" in reactions.add(event("3", when=NOW + 2))


@pytest.mark.parametrize("how", ["patience", "hurry"])
def test_a_command_that_does_not_end_is_ended(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with reacting(tmp_path, monkeypatch) as reactions:
        reactions.add(event("1"))
        wait_until(reactions.log)
        hurry = threading.Event()
        if how == "hurry":
            hurry.set()
        assert not reactions.stop(0.1 if how == "patience" else 600, hurry)
        assert reactions.log() == ["begin churn 1"]
        assert any("ended by signal 15" in line for line in reactions.said)
