"""Fixtures of every test: real services and a registry, each made when a test first asks for it."""

import os

import pytest
from hypothesis import settings
from xdist.remote import Producer

from tests.lanes import EngineInOrder
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


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the tests of the cluster at the end, or leave them out where there is none."""
    put_cluster_last(config, items)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> EngineInOrder:
    """Divide the tests between processes, where there are several."""
    return EngineInOrder(config, log)
