"""No secret in the command that MLflow's runner prints."""

import logging
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.discretion import Discretion, without_secrets

COMMAND = (
    "docker run --rm -v /a:/b -e MLFLOW_RUN_ID=0123 -e AWS_SECRET_ACCESS_KEY={} "
    "-e AWS_ACCESS_KEY_ID={} -e MLFLOW_TRACKING_URI=postgresql://me:{}@host/db image python -m x"
)
SECRETS = st.text("abcXYZ019+/=-_.$!", min_size=8, max_size=40)


@given(SECRETS, SECRETS, SECRETS.filter(lambda text: "/" not in text))
def test_no_secret_is_left(secret: str, key: str, password: str) -> None:
    found = without_secrets(COMMAND.format(secret, key, password))
    assert found == COMMAND.format("***", "***", "***")


def test_no_signature_of_a_table_is_left() -> None:
    command = "image python -m sixfold train '{}' --target y --na-values '?,-9'"
    found = without_secrets(command.format("https://me:secret@host/t.csv?X-Amz-Signature=secret"))
    assert found == command.format("https://me:***@host/t.csv?***")


@given(st.text(max_size=60).filter(lambda text: "-e " not in text and "://" not in text))
def test_other_commands_stay(text: str) -> None:
    assert without_secrets(text) == text


def test_the_runners_log_has_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    Discretion()
    logger = logging.getLogger("mlflow.projects.backend.local")
    with caplog.at_level(logging.INFO, logger.name):
        logger.propagate, before = True, logger.propagate
        logger.info("=== Running command '%s' in run with ID '%s' === ", COMMAND, "0123")
        logger.propagate = before
    (record,) = caplog.records
    assert "AWS_SECRET_ACCESS_KEY=***" in record.getMessage()
    assert "0123" in record.getMessage()


def test_mlflow_loads_it_by_itself() -> None:
    """And nothing else of ours: a model that is loaded next brings its own `training`."""
    code = (
        "import logging, sys, mlflow.projects, mlflow.pyfunc; "
        "print([f.__name__ for f in logging.getLogger('mlflow.projects.backend.local').filters]); "
        "print([name for name in sys.modules if name.partition('.')[0] == 'training'])"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["['_hide']", "[]"]
