"""A version goes from server to server, each with users of its own."""

import json
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient

from registry.copy import CREDENTIALS, copy_version
from registry.store import find_version
from registry.version import COPIED_FROM
from tests.registry.copies import At, Original, Source, check_whole, copied
from tests.registry.versions import MODEL
from tests.services.mlflow_server import MlflowServer, shared_server
from tests.services.postgres import Postgres
from tests.services.s3 import S3
from training.errors import UserError

OTHER = "linear_regression"


@pytest.fixture
def development(postgres: Postgres, s3: S3) -> Iterator[MlflowServer]:
    """A server with a login that holds nothing yet."""
    with shared_server(postgres, s3, "development", basic_auth=True) as server:
        yield server


@pytest.mark.services
@pytest.mark.slow
def test_from_server_to_server_with_users_of_their_own(
    source: Source,
    development: MlflowServer,
    postgres: Postgres,
    s3: S3,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From the embedded store to a server, from there to another: both with a login, and S3."""
    original = Original.of(source, tmp_path)
    with pytest.raises(UserError, match="SIXFOLD_TO_REGISTRY_USERNAME") as refused:
        copied(source, development.uri)
    assert "authenticated" in str(refused.value)
    allow(monkeypatch, development)
    assert copied(source, development.uri) == ("1", False)
    with (
        monkeypatch.context() as patch,
        shared_server(postgres, s3, "production", basic_auth=True) as production,
    ):
        assert production.password != development.password
        for name, value in development.environment.items():
            patch.setenv(name, value)
        patch.setenv("MLFLOW_TRACKING_URI", development.uri)
        try:
            version = find_version(MlflowClient(), MODEL)
            allow(patch, production)
            made = copy_version(version, production.uri, records=[], say=print)
            assert made == ("1", False)
            again = copy_version(version, production.uri + "/", records=[], say=print)
            assert again == ("1", True)
            there = At(production.uri, tmp_path)
            patch.setenv("MLFLOW_TRACKING_USERNAME", str(production.user))
            patch.setenv("MLFLOW_TRACKING_PASSWORD", str(production.password))
            with there:
                found = there.client.get_model_version(MODEL, "1")
                assert found.tags[COPIED_FROM] == f"{development.uri} models:/{MODEL}/1"
                frame = source.versions.frame.drop(columns="y")
                mlflow.pyfunc.load_model(f"models:/{MODEL}/1").predict(frame)
                assert len(there.copied_records()) == 1, "the record that it had brought"
                said = json.dumps([run.to_dictionary() for run in there.runs()])
                for server in (development, production):
                    assert str(server.password) not in said
            assert [key for key in s3.keys("production/") if key.endswith("decision_tree.skops")]
        finally:
            patch.setenv("MLFLOW_TRACKING_URI", source.uri)
    with At(development.uri, tmp_path) as there:
        patch_user = {
            "MLFLOW_TRACKING_USERNAME": str(development.user),
            "MLFLOW_TRACKING_PASSWORD": str(development.password),
        }
        for name, value in patch_user.items():
            monkeypatch.setenv(name, value)
        check_whole(there, original)
        reader = new_user(development)
        for name in patch_user:
            monkeypatch.delenv(name)
    for name, value in zip(CREDENTIALS, reader, strict=False):
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match="expected a registry that may be written to"):
        copied(source, development.uri, OTHER)


def allow(patch: pytest.MonkeyPatch, server: MlflowServer) -> None:
    """Give a server's credentials as a user gives those of the other registry."""
    patch.setenv("SIXFOLD_TO_REGISTRY_USERNAME", str(server.user))
    patch.setenv("SIXFOLD_TO_REGISTRY_PASSWORD", str(server.password))


def new_user(server: MlflowServer) -> tuple[str, str]:
    """Somebody who may read what others have made there, and no more."""
    from mlflow.server import get_app_client

    name, password = "reader", "Pw1-of-the-reader"
    get_app_client("basic-auth", server.uri).create_user(name, password)
    return name, password
