"""Promotions with their real gates, in an embedded store."""

import json
from pathlib import Path

import mlflow
import pytest

from registry import decisions, journal, store
from registry.approve import approve
from registry.policy import load_policy
from registry.promote import Asked, promote
from registry.rollback import roll_back
from tests.registry.promoting import finish, start
from training.errors import UserError

pytestmark = pytest.mark.slow

ASKED = Asked(allow_dirty=True)


def silent(_: str) -> None:
    pass


def stages(client: mlflow.MlflowClient) -> dict[str, str]:
    found = client.search_model_versions("name = 'churn'")
    return {str(item.version): str(item.current_stage) for item in found}


def test_a_first_version_passes_and_shows_it(registry: mlflow.MlflowClient) -> None:
    found = promote(registry, "churn", "1", ASKED, silent)
    assert found.outcome == "promoted", [result for result in found.results if result.stops]
    version = store.find_version(registry, "churn", "1")
    assert version.stage == "Production"
    assert version.aliases == ("production",)
    assert "Promoted to Production" in version.description
    assert version.tags["gates"].endswith("skipped")
    record = decisions.newest(registry, "churn", "Production")
    assert record is not None
    assert (record.run_id, record.outcome) == (found.run_id, "promoted")
    assert registry.get_run(found.run_id).info.status == "FINISHED"
    names = {item.path for item in registry.list_artifacts(found.run_id)}
    assert names >= {"gates.json", "gates.png", "policy.toml"}
    again = promote(registry, "churn", "1", ASKED, silent)
    assert again.outcome == "unchanged"


def test_a_refusal_leaves_the_registry_and_is_recorded(
    registry: mlflow.MlflowClient, tmp_path: Path
) -> None:
    assert finish([start(registry.tracking_uri, "churn", "1")]) == [0]
    before = stages(registry)
    Path("policy.toml").write_text("[latency]\np95_ms = 0.0001\n")
    found = promote(registry, "churn", "2", Asked(allow_dirty=True, folder=tmp_path), silent)
    assert found.outcome == "refused"
    assert "latency" in [result.gate for result in found.failed]
    assert stages(registry) == before
    run = registry.get_run(found.run_id)
    assert run.info.status == "FAILED"
    assert run.data.tags[journal.OUTCOME] == "refused"
    assert "latency" in run.data.tags["reason"]
    kept = json.loads(mlflow.artifacts.load_text(f"{run.info.artifact_uri}/gates.json"))
    assert {item["gate"] for item in kept} >= {"loads", "quality", "latency"}


def test_a_dry_run_leaves_no_trace(registry: mlflow.MlflowClient) -> None:
    asked = Asked(stage="Staging", dry_run=True, allow_dirty=True)
    assert promote(registry, "churn", "2", asked, silent).outcome == "passed"
    assert set(stages(registry).values()) == {"None"}
    assert journal.experiment_of(registry, "churn") is None


def test_from_staging_to_production_the_alias_goes_along(registry: mlflow.MlflowClient) -> None:
    for stage in ("Staging", "Production"):
        version = store.find_version(registry, "churn", "3")
        run_id = journal.begin(registry, journal.PROMOTED, version, stage, "")
        decisions.decide(registry, run_id, version, stage, "", "", {})
        decisions.carry_out(registry, "churn", stage)
        journal.end(registry, run_id, "promoted")
        aliases = store.find_version(registry, "churn", "3").aliases
        assert aliases == (stage.lower(),)
    with pytest.raises(UserError, match="not in Production"):
        promote(registry, "churn", "3", Asked(stage="Staging"), silent)


def test_rollbacks_go_back_one_after_the_other(registry: mlflow.MlflowClient) -> None:
    for number in ("1", "2", "3"):
        assert finish([start(registry.tracking_uri, "churn", number)]) == [0]
    assert roll_back(registry, "churn", "worse", silent) == ("3", "2")
    assert roll_back(registry, "churn", "worse too", silent) == ("2", "1")
    with pytest.raises(UserError, match="nothing to go back to"):
        roll_back(registry, "churn", "and on", silent)
    assert roll_back(registry, "churn", "was fine", silent, to_version="3") == ("1", "3")
    with pytest.raises(UserError, match="--note"):
        roll_back(registry, "churn", " ", silent)
    assert stages(registry) == {"1": "Archived", "2": "Archived", "3": "Production"}


def test_only_those_whom_the_policy_lists_approve(
    registry: mlflow.MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("policy.toml").write_text('approvers = ["ada", "grace"]\napprovals = 1\n')
    policy = load_policy("churn", tmp_path)
    version = store.find_version(registry, "churn", "1")
    monkeypatch.setattr(store, "user", lambda: "graec")
    with pytest.raises(UserError, match="did you mean 'grace'"):
        approve(registry, version, policy, "")
    asked = Asked(allow_dirty=True, folder=tmp_path)
    assert [r.gate for r in promote(registry, "churn", "1", asked, silent).failed] == ["approval"]
    monkeypatch.setattr(store, "user", lambda: "grace")
    assert approve(registry, version, policy, "looked at it").user == "grace"
    with pytest.raises(UserError, match="approved"):
        approve(registry, version, policy, "")
    assert promote(registry, "churn", "1", asked, silent).outcome == "promoted"
