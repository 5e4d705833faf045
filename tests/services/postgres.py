"""A PostgreSQL server in a temporary folder, from the binaries of Debian's package."""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.services.process import ServiceError, find_binary, free_ports, running

INSTALL = "apt-get install -y --no-install-recommends postgresql"
_USER = "sixfold"


@dataclass(frozen=True)
class Postgres:
    """A running server; every database of it is gone when the server ends."""

    port: int
    user: str
    password: str
    binaries: Path

    def uri(self, database: str) -> str:
        """SQLAlchemy's address of a database, password included.

        The driver is named because SQLAlchemy 2.1 made psycopg 3 the default one.
        """
        return f"postgresql+psycopg2://{self.user}:{self.password}@127.0.0.1:{self.port}/{database}"

    def create_database(self, name: str) -> str:
        """Create an empty database and return its `uri`."""
        self._client("createdb", name)
        return self.uri(name)

    def query(self, database: str, sql: str) -> list[list[str]]:
        """Run one statement and return its rows, each value as text."""
        arguments = ("--no-align", "--tuples-only", "--field-separator=\t", "--command", sql)
        output = self._client("psql", *arguments, database)
        return [line.split("\t") for line in output.splitlines() if line]

    def _client(self, program: str, *arguments: str) -> str:
        where = ("--host=127.0.0.1", f"--port={self.port}", f"--username={self.user}")
        done = subprocess.run(
            [self.binaries / program, *where, "--no-password", *arguments],
            env={**os.environ, "PGPASSWORD": self.password},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise ServiceError(f"{program} failed: {done.stderr.strip()}")
        return done.stdout


@contextmanager
def postgres_server() -> Iterator[Postgres]:
    """Run PostgreSQL on a free port of 127.0.0.1 with a password of its own."""
    binaries = _binaries()
    account = _account()
    port = free_ports(1)[0]
    server = Postgres(port, _USER, secrets.token_hex(16), binaries)
    # Not pytest's folder: that is closed to the account the server runs under.
    folder = Path(tempfile.mkdtemp(prefix="sixfold-postgres-"))
    try:
        if account is not None:
            shutil.chown(folder, account)
        _create_cluster(server, folder, account)
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "off",  # the data ends with the session
            "max_connections": "60",
            "shared_buffers": "32MB",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with running(
            [binaries / "postgres", "-D", folder / "data", "-p", str(port), *options],
            lambda: _accepts(server),
            folder / "server.log",
            folder=folder,
            stop_signal=signal.SIGINT,  # fast shutdown; SIGTERM waits for the clients
            as_user=account,
        ):
            yield server
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server for the whole test session; tests create databases in it."""
    with postgres_server() as server:
        yield server


def _binaries() -> Path:
    versions = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/postgres"),
        key=lambda path: float(path.parent.parent.name),
        reverse=True,
    )
    return find_binary("postgres", INSTALL, versions).resolve().parent


def _account() -> str | None:
    """The account PostgreSQL runs under: it refuses root."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        raise ServiceError(
            f"PostgreSQL refuses to run as root and there is no account 'postgres': {INSTALL}"
        ) from None


def _create_cluster(server: Postgres, folder: Path, account: str | None) -> None:
    password_file = folder / "password"
    password_file.write_text(server.password)
    if account is not None:
        shutil.chown(password_file, account)
    done = subprocess.run(
        [
            server.binaries / "initdb",
            f"--pgdata={folder / 'data'}",
            f"--username={server.user}",
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        ],
        cwd=folder,
        user=account,
        group=account,
        extra_groups=[] if account else None,
        capture_output=True,
        text=True,
    )
    password_file.unlink()
    if done.returncode:
        raise ServiceError(f"initdb failed: {done.stderr.strip()}")


def _accepts(server: Postgres) -> bool:
    where = ["--host=127.0.0.1", f"--port={server.port}", "--quiet"]
    return subprocess.run([server.binaries / "pg_isready", *where]).returncode == 0
