"""Fixtures of every test: real services and a registry, each made when a test first asks for it."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

from tests.registry.shared import registry, three_versions
from tests.services.chromium import browser
from tests.services.cluster import cluster, cluster_header, put_cluster_last
from tests.services.mlflow_server import mlflow_server, secured_mlflow_server
from tests.services.postgres import postgres
from tests.services.s3 import s3

__all__ = [
    "browser",
    "cluster",
    "mlflow_server",
    "postgres",
    "registry",
    "s3",
    "secured_mlflow_server",
    "three_versions",
]

_E2E = Path(__file__).parent / "e2e"
_SHARED = ("docker", "services", "browser", "cluster")

# No example is timed: on a busy machine any may take long. All else stays as Hypothesis has it,
# which in CI takes the same examples each time.
settings.register_profile("sixfold", settings.default, deadline=None)
settings.load_profile("sixfold")


def pytest_configure(config: pytest.Config) -> None:
    """Keep the tests away from the developer's own tracking server and buckets."""
    prefixes = ("MLFLOW_", "AWS_", "SIXFOLD_", "OTEL_")
    for name in list(os.environ):
        if name.startswith(prefixes) and name != "SIXFOLD_SCREENSHOTS":
            del os.environ[name]
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
    os.environ["GIT_PYTHON_REFRESH"] = "quiet"


def pytest_report_header() -> str:
    """Say whether tests are left out."""
    return cluster_header()


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist looks
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put what has to be built first at the end; give `make test`'s processes their groups.

    What uses parts that this machine has once, the container engine above all, is one group, which
    one process runs in order; all else goes by its file.
    """
    put_cluster_last(config, items)
    for item in items:
        shared = item.path.is_relative_to(_E2E) or any(map(item.get_closest_marker, _SHARED))
        item.add_marker(pytest.mark.xdist_group("e2e" if shared else item.path.stem))
