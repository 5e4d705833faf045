"""A crash at any point, and several promotions at once."""

import os
import shutil
import time
from pathlib import Path

import mlflow
import pytest

from registry import decisions, journal, store
from registry.audit import audit
from registry.history import read_history
from registry.journal import Record
from registry.promote import Asked
from registry.promote import promote as promote_here
from registry.rollback import roll_back
from tests.registry.promoting import finish, start


def state(client: mlflow.MlflowClient) -> tuple[list[str], str | None, list[Record]]:
    """The versions in Production, what the alias names, and the records that are not ended."""
    versions = client.search_model_versions("name = 'churn'")
    there = [str(item.version) for item in versions if item.current_stage == "Production"]
    alias = (store.registered_model(client, "churn").aliases or {}).get("production")
    running = journal.read(client, "churn", running=True)
    return there, None if alias is None else str(alias), running


def promote(client: mlflow.MlflowClient, version: str) -> None:
    assert finish([start(client.tracking_uri, "churn", version)]) == [0]


@pytest.mark.slow
@pytest.mark.parametrize("command", ["promote", "rollback"])
def test_a_kill_before_any_write_leaves_the_old_or_the_new(
    registry: mlflow.MlflowClient, tmp_path: Path, command: str
) -> None:
    promote(registry, "1")
    old, new = "1", "2"
    if command == "rollback":
        promote(registry, "2")
        old, new = "2", "1"
    shutil.copyfile("mlflow.db", "before.db")
    seen: set[tuple[bool, str]] = set()
    for number in range(1, 100):
        file = tmp_path / f"killed-{number}.db"
        shutil.copyfile("before.db", file)
        client = mlflow.MlflowClient(f"sqlite:///{file}")
        (code,) = finish([start(client.tracking_uri, "churn", "2", number, command)])
        there, _, running = state(client)
        assert len(there) == 1, f"killed before write {number}"
        assert there[0] in (old, new)
        said: list[str] = []
        decisions.settle(client, "churn", said.append)
        after, alias, left = state(client)
        assert after == [alias], f"killed before write {number}"
        assert after[0] in (old, new)
        assert not left
        assert len(said) == len(running), "what was finished or undone is said"
        if there == [new]:
            assert after == [new], "what was carried out is not taken back"
        latest = decisions.newest(client, "churn", "Production")
        assert latest is not None
        assert latest.version == after[0]
        shown = client.get_model_version("churn", after[0])
        assert shown.tags["sixfold.promotion"] == latest.run_id
        seen.add((bool(said), after[0]))
        if code == 0:
            break
    else:
        pytest.fail("it never came to its end")
    assert number > 8
    # Undone early on, finished later, and not touched at the end.
    assert seen >= {(True, old), (True, new), (False, new)}


@pytest.mark.slow
@pytest.mark.parametrize("attempt", range(2))
def test_promotions_at_once_leave_exactly_one(registry: mlflow.MlflowClient, attempt: int) -> None:
    promote(registry, "1")
    both = [start(registry.tracking_uri, "churn", version) for version in ("2", "3")]
    assert finish(both) == [0, 0]
    there, alias, running = state(registry)
    assert there == [alias]
    assert not running
    history = read_history(registry, "churn")
    assert {period.version for period in history.periods} == {"1", "2", "3"}
    assert history.periods[0].version == alias
    assert not history.by_hand


def test_what_lives_is_left_alone(registry: mlflow.MlflowClient) -> None:
    version = store.find_version(registry, "churn", "1")
    run_id = journal.begin(registry, journal.PROMOTED, version, "Production", "")
    said: list[str] = []
    decisions.settle(registry, "churn", said.append)
    assert not said
    assert registry.get_run(run_id).info.status == "RUNNING"
    # The same number is another process after the machine was started again.
    registry.set_tag(run_id, journal.PROCESS, f"{os.getpid()}/1/another-boot")
    decisions.settle(registry, "churn", said.append)
    assert len(said) == 1
    assert "nothing was changed" in said[0]
    assert registry.get_run(run_id).info.status == "KILLED"


def test_another_machines_record_is_given_time(registry: mlflow.MlflowClient) -> None:
    version = store.find_version(registry, "churn", "1")
    run_id = journal.begin(registry, journal.PROMOTED, version, "Production", "")
    registry.set_tag(run_id, journal.HOST, "elsewhere")
    decisions.settle(registry, "churn", lambda _: None)
    assert registry.get_run(run_id).info.status == "RUNNING"


def test_a_later_decision_is_later_whatever_the_clock(
    registry: mlflow.MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead = time.time() + 3_600
    for number, now in (("1", ahead), ("2", ahead - 3_600)):
        with monkeypatch.context() as patch:
            patch.setattr(time, "time", lambda now=now: now)
            version = store.find_version(registry, "churn", number)
            run_id = journal.begin(registry, journal.PROMOTED, version, "Production", "")
            decisions.decide(registry, run_id, version, "Production", "", "", {})
            decisions.carry_out(registry, "churn", "Production")
            journal.end(registry, run_id, "promoted")
    assert state(registry)[0] == ["2"]
    assert roll_back(registry, "churn", "back", lambda _: None) == ("2", "1")


@pytest.mark.parametrize("order", [("1", "2"), ("2", "1")])
def test_of_two_decisions_at_one_moment_all_take_the_same(
    registry: mlflow.MlflowClient, order: tuple[str, str]
) -> None:
    for number in order:
        version = store.find_version(registry, "churn", number)
        run_id = journal.begin(registry, journal.PROMOTED, version, "Production", "")
        decisions.decide(registry, run_id, version, "Production", "", "", {})
        registry.set_tag(run_id, journal.DECIDED, "1700000000.000001")
    latest = decisions.newest(registry, "churn", "Production")
    assert latest is not None
    assert read_history(registry, "churn").periods[0].record.run_id == latest.run_id
    registry.set_registered_model_alias("churn", "production", latest.version)
    registry.transition_model_version_stage("churn", latest.version, "Production")
    assert not audit(registry).findings


@pytest.mark.slow
def test_what_was_decided_of_a_deleted_version_is_closed(registry: mlflow.MlflowClient) -> None:
    promote(registry, "1")
    version = store.find_version(registry, "churn", "2")
    run_id = journal.begin(registry, journal.PROMOTED, version, "Production", "")
    decisions.decide(registry, run_id, version, "Production", "", "", {})
    registry.set_tag(run_id, journal.PROCESS, f"{os.getpid()}/1/another-boot")
    registry.delete_model_version("churn", "2")
    said: list[str] = []
    decisions.settle(registry, "churn", said.append)
    assert len(said) == 1
    assert "version 2 was deleted" in said[0]
    assert registry.get_run(run_id).info.status == "KILLED"
    promote(registry, "3")
    assert state(registry) == (["3"], "3", [])


@pytest.mark.slow
def test_a_version_moved_in_by_hand_is_promoted_though_the_decided_one_was_deleted(
    registry: mlflow.MlflowClient,
) -> None:
    promote(registry, "1")
    registry.delete_model_version("churn", "1")
    registry.transition_model_version_stage("churn", "2", "Production")
    asked = Asked(folder=Path("/nonexistent"), allow_dirty=True)
    done = promote_here(registry, "churn", "2", asked, lambda _: None)
    assert done.outcome == "promoted"
    assert state(registry) == (["2"], "2", [])
