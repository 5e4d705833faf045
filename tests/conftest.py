"""Fixtures of every test: the real services, each started when a test first asks for it."""

import os

import pytest

from tests.services.chromium import browser
from tests.services.mlflow_server import mlflow_server, secured_mlflow_server
from tests.services.postgres import postgres
from tests.services.s3 import s3

__all__ = ["browser", "mlflow_server", "postgres", "s3", "secured_mlflow_server"]


def pytest_configure(config: pytest.Config) -> None:
    """Keep the tests away from the developer's own tracking server and buckets."""
    for name in list(os.environ):
        if name.startswith(("MLFLOW_", "AWS_", "SIXFOLD_")) and name != "SIXFOLD_SCREENSHOTS":
            del os.environ[name]
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
    os.environ["GIT_PYTHON_REFRESH"] = "quiet"
