"""A small registry for the tests of what is done with versions."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest

from tests.registry.copies import source, target
from tests.registry.versions import Versions, versions_in

__all__ = ["source", "target"]


@pytest.fixture(scope="session")
def three_versions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Versions]:
    """Three versions of `churn`, none in a stage."""
    folder = tmp_path_factory.mktemp("three-versions")
    wanted = "decision_tree,linear_regression"
    with versions_in(folder, "binary", 120, algorithms=wanted, folds=2) as found:
        assert len(found.facts) == 3  # with the ensemble
        yield found


@pytest.fixture
def registry(
    three_versions: Versions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> mlflow.MlflowClient:
    """A client of a copy of that registry: a test may do with it what it likes."""
    shutil.copyfile(three_versions.folder / "mlflow.db", tmp_path / "mlflow.db")
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.chdir(tmp_path)
    return mlflow.MlflowClient(uri)
