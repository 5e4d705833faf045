"""MLflow's own server: on a user's embedded store, or on PostgreSQL and an S3 store."""

import os
import secrets
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.services.postgres import Postgres
from tests.services.process import ServiceError, answers, find_binary, free_ports, running
from tests.services.s3 import S3

INSTALL = "python -m pip install mlflow"
INSTALL_AUTH = "python -m pip install flask-wtf"
_ADMIN = "admin"


@dataclass(frozen=True)
class MlflowServer:
    """A running tracking server."""

    uri: str
    database: str  # SQLAlchemy's address of the backend store
    artifacts: str | None  # where the server puts artifacts, None with a user's own folder
    user: str | None = None
    password: str | None = None

    @property
    def environment(self) -> Mapping[str, str]:
        """What an MLflow client reads from the environment to reach this server.

        No key of the artifact store is in it: the server hands artifacts through.
        """
        found = {"MLFLOW_TRACKING_URI": self.uri}
        if self.user is not None and self.password is not None:
            found |= {
                "MLFLOW_TRACKING_USERNAME": self.user,
                "MLFLOW_TRACKING_PASSWORD": self.password,
            }
        return found


@contextmanager
def embedded_store_server(
    folder: Path, environment: Mapping[str, str] | None = None
) -> Iterator[MlflowServer]:
    """Serve the SQLite store in `folder` as `mlflow ui` does there.

    Parameters
    ----------
    folder
        Where `mlflow.db` and the artifact folder are.
    environment
        Settings of the server beside the usual ones.
    """
    database = f"sqlite:///{folder / 'mlflow.db'}"
    with _serve(database, None, environment or {}, folder=folder) as server:
        yield server


@contextmanager
def shared_server(
    postgres: Postgres, s3: S3, name: str, *, basic_auth: bool = False
) -> Iterator[MlflowServer]:
    """Serve a new PostgreSQL database; artifacts go through the server into the S3 bucket.

    Parameters
    ----------
    name
        Name of the database, and the prefix of the artifacts' keys in the bucket.
    basic_auth
        Ask for a user name and a password, as MLflow's `basic-auth` application does.
    """
    database = postgres.create_database(name)
    users = postgres.create_database(f"{name}-users") if basic_auth else None
    with _serve(database, s3.uri(name), s3.environment, users=users) as server:
        yield server


@pytest.fixture(scope="session")
def mlflow_server(postgres: Postgres, s3: S3) -> Iterator[MlflowServer]:
    """A tracking server on PostgreSQL with proxied artifacts in S3, for the whole session."""
    with shared_server(postgres, s3, "mlflow") as server:
        yield server


@pytest.fixture(scope="session")
def secured_mlflow_server(postgres: Postgres, s3: S3) -> Iterator[MlflowServer]:
    """The same behind MLflow's basic authentication; `user` is its administrator."""
    with shared_server(postgres, s3, "secured", basic_auth=True) as server:
        yield server


@contextmanager
def _serve(
    database: str,
    artifacts: str | None,
    environment: Mapping[str, str],
    *,
    users: str | None = None,
    folder: Path | None = None,
) -> Iterator[MlflowServer]:
    mlflow = find_binary("mlflow", INSTALL, [Path(sys.executable).with_name("mlflow")])
    port = free_ports(1)[0]
    server = MlflowServer(f"http://127.0.0.1:{port}", database, artifacts)
    settings = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("MLFLOW_", "AWS_"))
    }
    settings |= {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # five more processes otherwise
        "GIT_PYTHON_REFRESH": "quiet",
        # Addresses with passwords go by the environment: arguments are seen by every user.
        "MLFLOW_BACKEND_STORE_URI": database,
        **environment,
    }
    command: list[str | Path] = [mlflow, "server", "--host=127.0.0.1", f"--port={port}"]
    command += ["--workers=1"]
    if artifacts is not None:
        command += [f"--artifacts-destination={artifacts}"]
    with tempfile.TemporaryDirectory(prefix="sixfold-mlflow-") as name:
        own = Path(name)
        if users is not None:
            server = MlflowServer(
                server.uri, database, artifacts, _ADMIN, f"Pw1-{secrets.token_hex(12)}"
            )
            settings |= _authentication(own, users, server.password or "")
            command += ["--app-name=basic-auth"]
        with running(
            command,
            lambda: answers(f"{server.uri}/health"),
            own / "server.log",
            environment=settings,
            folder=folder or own,
        ):
            yield server


def _authentication(folder: Path, users: str, password: str) -> dict[str, str]:
    if find_spec("flask_wtf") is None:
        raise ServiceError(
            f"MLflow's basic authentication needs Flask-WTF; install it: {INSTALL_AUTH}"
        )
    config = folder / "basic_auth.ini"
    config.touch(mode=0o600)
    config.write_text(
        "[mlflow]\n"
        "default_permission = READ\n"
        f"database_uri = {users}\n"
        f"admin_username = {_ADMIN}\n"
        f"admin_password = {password}\n"
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
        # A password's check takes a tenth of a second, at each of a copy's many requests.
        "auth_cache_ttl_seconds = 60\n"
    )
    return {
        "MLFLOW_AUTH_CONFIG_PATH": str(config),
        "MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.token_hex(16),
    }
