"""What did not come through the gates is found, in a few requests however much there is."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import mlflow
import pytest

from registry.audit import audit
from registry.history import read_history
from tests.registry.promoting import finish, start

pytestmark = pytest.mark.slow


def by_hand(client: mlflow.MlflowClient, version: str, stage: str, archive: bool = False) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        client.transition_model_version_stage("churn", version, stage, archive)


@pytest.fixture
def promoted(registry: mlflow.MlflowClient) -> mlflow.MlflowClient:
    """Version 2 came into Production through its gates."""
    assert finish([start(registry.tracking_uri, "churn", "2")]) == [0]
    assert not audit(registry).findings
    return registry


def test_a_version_moved_in_beside_the_decided_one(promoted: mlflow.MlflowClient) -> None:
    by_hand(promoted, "1", "Production")  # the model's own entry lists the newest one only
    (finding,) = audit(promoted).findings
    assert "version 1" in finding.what
    assert "sixfold promote churn --version 1" in finding.mend
    assert "sixfold rollback churn --to-version 2" in finding.mend


def test_a_version_moved_in_and_the_decided_one_out(promoted: mlflow.MlflowClient) -> None:
    by_hand(promoted, "3", "Production", archive=True)
    (finding,) = audit(promoted, "churn").findings
    assert "version 3" in finding.what
    assert read_history(promoted, "churn").by_hand


def test_moved_out_only(promoted: mlflow.MlflowClient) -> None:
    by_hand(promoted, "2", "Archived")
    (finding,) = audit(promoted).findings
    assert "no version" in finding.what
    promoted.delete_registered_model_alias("churn", "production")
    (finding,) = audit(promoted).findings
    assert "no version" in finding.what


def test_an_alias_that_names_another(promoted: mlflow.MlflowClient) -> None:
    promoted.set_registered_model_alias("churn", "production", "1")
    (finding,) = audit(promoted).findings
    assert "alias production names version 1" in finding.what


def test_staging_too(promoted: mlflow.MlflowClient) -> None:
    by_hand(promoted, "3", "Staging")
    (finding,) = audit(promoted).findings
    assert (finding.stage, finding.mend) == (
        "Staging",
        "sixfold promote churn --version 3 --to Staging",
    )


@contextmanager
def counting(client: mlflow.MlflowClient) -> Iterator[list[str]]:
    """The calls to the store while it lasts."""
    calls: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        for name in dir(client):
            method = getattr(client, name)
            if callable(method) and not name.startswith("_"):
                patch.setattr(client, name, _counted(name, method, calls))
        yield calls


def _counted(name: str, method: Any, calls: list[str]) -> Any:
    def run(*args: Any, **options: Any) -> Any:
        calls.append(name)
        return method(*args, **options)

    return run


def test_requests_do_not_grow_with_the_registry(promoted: mlflow.MlflowClient) -> None:
    with counting(promoted) as few:
        audit(promoted)
        read_history(promoted, "churn")
    source = str(promoted.get_model_version("churn", "1").source)
    for model in range(4):
        promoted.create_registered_model(f"other-{model}")
        for _ in range(4):
            promoted.create_model_version(f"other-{model}", source)
    for _ in range(10):
        promoted.create_model_version("churn", source)
    with counting(promoted) as many:
        assert audit(promoted).models == 5
        read_history(promoted, "churn")
    assert sorted(many) == sorted(few)
    assert len(few) < 10
