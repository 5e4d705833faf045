"""The registry that tests of more than one package look at: its training is made once."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from tests.registry.versions import Versions


@pytest.fixture(scope="session")
def three_versions(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Versions"]:
    """Three versions of `churn`, none in a stage."""
    from tests.registry.versions import versions_in

    folder = tmp_path_factory.mktemp("three-versions")
    wanted = "decision_tree,linear_regression"
    with versions_in(folder, "binary", 120, algorithms=wanted, folds=2) as found:
        assert len(found.facts) == 3  # with the ensemble
        yield found


@pytest.fixture
def registry(
    three_versions: "Versions", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> "MlflowClient":
    """A client of a copy of that registry: a test may do with it what it likes."""
    from mlflow import MlflowClient

    shutil.copyfile(three_versions.folder / "mlflow.db", tmp_path / "mlflow.db")
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.chdir(tmp_path)
    return MlflowClient(uri)
