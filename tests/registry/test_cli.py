"""What the commands print, in an embedded store."""

import json
from pathlib import Path

import mlflow
import pytest
from click.testing import CliRunner, Result

from registry import journal
from sixfold import main
from tests.registry.promoting import finish, start


def sixfold(*words: str) -> Result:
    return CliRunner().invoke(main, words)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["promote", "chrun"], "did you mean 'churn'"),
        (["promote", "churn", "--version", "9"], "the newest is 3"),
        (["promote", "churn", "--version", "9" * 20], "the newest is 3"),
        (["promote", "churn", "--version", "3000000000"], "expected a version of churn, got 3"),
        (["promote", "churn", "--version", "x"], "a version's number"),
        (["promote", "churn", "--version", "٣"], "a version's number"),
        (["promote", "churn", "--to", "Prod"], "valid: Production, Staging"),
        (["promote", "churn", "--to", "Archived"], "expected a stage to promote to"),
        (["promote", "churn", "--data", "nowhere.csv"], "nowhere.csv"),
        (["register", "churn", "--run", "0" * 32], "a training's run"),
        (["register", "churn", "--algorithm", "svm"], "expected a candidate"),
        (["register", "a/b"], "without '/'"),
        (["approve", "churn"], "an approver of the policy"),
        (["rollback", "churn", "--note", "x"], "nothing to go back to"),
        (["rollback", "churn"], "--note"),
        (["history", "chrun"], "did you mean"),
        (["compare", "churn", "1", "9"], "the newest is 3"),
    ],
)
def test_bad_input_is_one_line(registry: mlflow.MlflowClient, words: list[str], said: str) -> None:
    result = sixfold(*words)
    errors = [line for line in result.stderr.splitlines() if line.startswith("sixfold: ")]
    assert result.exit_code == 2, result.output
    assert said in errors[-1]
    assert "Traceback" not in result.output
    assert not journal.read(registry, "churn", running=True)


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ("[quality]\nmargin = 0.1\nmargn = 0.2\n", "margin"),
        ("[quality]\nmargin = \n", "line 2, column 10"),
    ],
)
def test_a_policy_that_is_none(registry: mlflow.MlflowClient, policy: str, said: str) -> None:
    Path("policy.toml").write_text(policy)
    result = sixfold("promote", "churn")
    assert result.exit_code == 2
    assert said in result.stderr
    assert journal.experiment_of(registry, "churn") is None


def test_a_training_that_runs_is_waited_for(registry: mlflow.MlflowClient) -> None:
    version = registry.get_model_version("churn", "1")
    parent = registry.get_run(str(version.run_id)).data.tags["mlflow.parentRunId"]
    registry.update_run(parent, status="RUNNING")
    result = sixfold("promote", "churn", "--version", "1")
    assert result.exit_code == 2
    assert "still RUNNING" in result.stderr


def test_a_store_that_may_only_be_read(registry: mlflow.MlflowClient, tmp_path: Path) -> None:
    """As root writes to any file, the store itself refuses."""
    import sqlite3

    with sqlite3.connect(tmp_path / "mlflow.db") as database:
        database.execute(
            "CREATE TRIGGER locked BEFORE INSERT ON experiments "
            "BEGIN SELECT RAISE(ABORT, 'attempt to write a readonly database'); END"
        )
    result = sixfold("promote", "churn", "--version", "1")
    assert result.exit_code == 2, result.output
    assert "may be written to" in result.stderr


@pytest.mark.slow
def test_history_and_audit_as_json_and_as_tables(registry: mlflow.MlflowClient) -> None:
    for number in ("1", "2"):
        assert finish([start(registry.tracking_uri, "churn", number)]) == [0]
    told = json.loads(sixfold("history", "churn", "--json").stdout)
    assert [item["version"] for item in told["periods"]] == ["2", "1"]
    assert told["periods"][1]["until"] == told["periods"][0]["from"]
    shown = sixfold("history", "churn").stdout
    assert "promotion: gates: 1 passed" in shown
    audited = sixfold("audit", "--json")
    assert json.loads(audited.stdout)["findings"] == []
    registry.set_registered_model_alias("churn", "production", "3")
    found = sixfold("audit")
    assert found.exit_code == 1
    assert "mend it: sixfold promote churn --version 2" in found.stdout


def test_the_commands_are_listed_and_say_what_they_do() -> None:
    listed = sixfold("--help").stdout
    for name in ("register", "promote", "approve", "rollback", "history", "compare", "audit"):
        assert f"  {name}" in listed
        assert "\n\n  " in sixfold(name, "--help").stdout
    assert "..." not in listed.partition("Commands:")[2], "a line is cut short"
