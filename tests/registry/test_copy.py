"""A version is copied between two real stores: whole, once, and never half."""

import json
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from registry.bundle import Origin, gather
from registry.copy import CREDENTIALS, checked_address, copy_version, environment
from registry.journal import read
from registry.store import find_version, read_facts
from registry.version import COPIED_FROM, DIGEST, FILES, PROMOTION, Version
from tests.registry.versions import MODEL, Versions
from tests.services.mlflow_server import MlflowServer, shared_server
from tests.services.postgres import Postgres
from tests.services.s3 import S3
from tests.training.trained import store_in
from training.digests import digest_of, file_digests
from training.errors import SixfoldError, UserError

OTHER = "linear_regression"


@dataclass(frozen=True)
class Source:
    """A store with versions, one of which has a promotion's record."""

    folder: Path
    versions: Versions
    record: str

    def version(self, candidate: str = "decision_tree") -> Version:
        found = self.versions.facts[candidate].version
        return find_version(MlflowClient(), found.model, found.version)

    @property
    def uri(self) -> str:
        return f"sqlite:///{self.folder}/mlflow.db"


@pytest.fixture(scope="module")
def source(three_versions: Versions, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Source]:
    folder = tmp_path_factory.mktemp("source")
    shutil.copyfile(three_versions.folder / "mlflow.db", folder / "mlflow.db")
    with store_in(folder):
        version = three_versions.facts["decision_tree"].version
        yield Source(folder, three_versions, make_record(version))


def make_record(version: Version) -> str:
    """A promotion's run as `sixfold promote` leaves it."""
    client = MlflowClient()
    experiment = client.create_experiment(f"{MODEL}/promotions")
    tags = {"sixfold.kind": "promotion", "sixfold.version": version.version}
    run = client.create_run(experiment, tags=tags | {"sixfold.outcome": "promoted"})
    client.log_metric(run.info.run_id, "gate_quality", 0.9)
    client.log_text(run.info.run_id, '[{"gate": "quality"}]', "gates.json")
    client.set_terminated(run.info.run_id)
    client.set_model_version_tag(MODEL, version.version, PROMOTION, run.info.run_id)
    client.update_model_version(MODEL, version.version, f"# Better\n\nRun `{version.run_id}`.")
    client.update_registered_model(MODEL, "Who leaves, and when.")
    return str(run.info.run_id)


@pytest.fixture
def target(tmp_path: Path) -> str:
    """The address of an empty store."""
    return empty_store(tmp_path)


@pytest.fixture(scope="module")
def twice(source: Source, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a store that two candidates of one training were copied to."""
    uri = empty_store(tmp_path_factory.mktemp("twice"))
    assert copied(source, uri) == ("1", False)
    assert copied(source, uri, OTHER) == ("2", False)
    return uri


def empty_store(folder: Path) -> str:
    uri = f"sqlite:///{folder}/mlflow.db"
    MlflowClient(uri).search_experiments()
    return uri


class At:
    """Looks at a registry as its users do: it is the only one they know."""

    def __init__(self, uri: str, folder: Path) -> None:
        self.uri, self.folder = uri, folder
        self.client = MlflowClient(uri)

    def __enter__(self) -> "At":
        # By the environment: what `set_tracking_uri` sets would outlive the test.
        self.patch = pytest.MonkeyPatch()
        self.patch.setenv("MLFLOW_TRACKING_URI", self.uri)
        return self

    def __exit__(self, *_: object) -> None:
        self.patch.undo()

    def runs(self) -> list[Run]:
        experiments = [item.experiment_id for item in self.client.search_experiments()]
        return list(self.client.search_runs(experiments))

    def kind(self, kind: str) -> list[Run]:
        return [run for run in self.runs() if run.data.tags.get("sixfold.kind") == kind]

    def copied_records(self) -> list[Run]:
        return [run for run in self.runs() if "sixfold.copied_kind" in run.data.tags]

    def versions(self) -> list[Any]:
        return list(self.client.search_model_versions())


def copied(source: Source, target: str, candidate: str = "decision_tree") -> tuple[str, bool]:
    records = [source.record] if candidate == "decision_tree" else []
    return copy_version(source.version(candidate), target, records=records, say=print)


@pytest.mark.slow
def test_a_version_is_copied_whole(source: Source, twice: str, tmp_path: Path) -> None:
    version = source.version()
    frame = source.versions.frame.drop(columns="y")
    expected = mlflow.pyfunc.load_model(version.uri).predict(frame)
    original = Original.of(source, tmp_path)
    with At(twice, tmp_path) as there:
        check_whole(there, original)
        pd.testing.assert_series_equal(
            pd.Series(mlflow.pyfunc.load_model(f"models:/{MODEL}/1").predict(frame)),
            pd.Series(expected),
        )


@pytest.mark.slow
def test_candidates_are_there_as_though_trained_there(
    source: Source, twice: str, tmp_path: Path
) -> None:
    with At(twice, tmp_path) as there:
        assert len(there.kind("training")) == 1
        for number, name in (("1", "decision_tree"), ("2", OTHER)):
            facts = read_facts(there.client, find_version(there.client, MODEL, number))
            ours = source.versions.facts[name]
            assert facts.candidate == name
            assert facts.schema == ours.schema
            assert facts.importance == ours.importance
            assert facts.params == ours.params
            assert facts.run_id != ours.run_id


@pytest.mark.slow
def test_a_second_copy_is_recognised(source: Source, twice: str, tmp_path: Path) -> None:
    with At(twice, tmp_path) as there:
        before = sorted(run.info.run_id for run in there.runs())
    assert copied(source, twice) == ("1", True)
    with At(twice, tmp_path) as there:
        assert sorted(run.info.run_id for run in there.runs()) == before
        assert len(there.versions()) == 2


@dataclass(frozen=True)
class Original:
    """What a copy must have, read from the source."""

    version: Version
    runs: dict[str, Run]
    files: dict[str, str]

    @classmethod
    def of(cls, source: Source, folder: Path) -> "Original":
        version, client = source.version(), MlflowClient()
        parent = client.get_run(version.run_id).data.tags["mlflow.parentRunId"]
        ids = (version.run_id, parent, source.record)
        files = file_digests(source.versions.download("decision_tree", folder / "original"))
        return cls(version, {run_id: client.get_run(run_id) for run_id in ids}, files)


def check_whole(there: At, original: Original) -> None:
    """Compare version 1 of a registry with what it was copied from."""
    version = original.version
    found: Any = there.client.get_model_version(MODEL, "1")
    assert found.description == f"# Better\n\nRun `{found.run_id}`."
    assert there.client.get_registered_model(MODEL).description == "Who leaves, and when."
    assert found.tags[COPIED_FROM].endswith(f"models:/{MODEL}/{version.version}")
    assert found.tags["task"] == version.tags["task"]
    assert PROMOTION not in found.tags, "that run was about the other registry"
    assert found.source.startswith("models:/m-")
    assert found.source != version.source

    # The files: the same but for the ids that MLmodel names.
    (there.folder / "model").mkdir()
    local = mlflow.artifacts.download_artifacts(
        artifact_uri=f"models:/{MODEL}/1", dst_path=str(there.folder / "model")
    )
    files = file_digests(Path(local))
    assert files.keys() == original.files.keys()
    assert [name for name in files if files[name] != original.files[name]] == ["MLmodel"]
    assert json.loads(found.tags[FILES]) == files
    assert found.tags[DIGEST] == digest_of(files)
    text = Path(local, "MLmodel").read_text()
    assert version.run_id not in text
    assert version.source.removeprefix("models:/") not in text
    info = mlflow.models.get_model_info(f"models:/{MODEL}/1")
    assert info.signature is not None
    assert info.saved_input_example_info is not None
    logged: Any = there.client.get_logged_model(found.source.removeprefix("models:/"))
    assert logged.status == "READY"
    assert logged.source_run_id == found.run_id == info.run_id
    assert {metric.key for metric in logged.metrics} >= {"cv_roc_auc", "test_roc_auc"}

    # The runs: parameters, metrics with their steps, table, artifacts, times.
    runs = {run.data.tags["sixfold.origin_run"]: run for run in there.runs()}
    assert runs.keys() >= original.runs.keys()
    for run_id in original.runs:
        old: Any = original.runs[run_id]
        new: Any = runs[run_id]
        assert new.info.status == "FINISHED"
        assert (new.info.run_name, new.info.start_time, new.info.end_time) == (
            old.info.run_name, old.info.start_time, old.info.end_time
        )  # fmt: skip
        assert new.data.params == old.data.params
        assert new.data.metrics == old.data.metrics
        assert new.data.tags[COPIED_FROM].endswith(f"runs:/{run_id}")
        assert len(new.inputs.dataset_inputs) == len(old.inputs.dataset_inputs)
    candidate = runs[version.run_id]
    steps = there.client.get_metric_history(candidate.info.run_id, "fold_roc_auc")
    assert [metric.step for metric in steps] == [0, 1]
    parent = candidate.data.tags["mlflow.parentRunId"]
    assert parent in {run.info.run_id for run in there.kind("training")}
    kept = {
        item.path
        for run in (candidate.info.run_id, parent)
        for item in there.client.list_artifacts(run)
    }
    assert kept >= {"predictions.parquet", "leaderboard.json", "rows.parquet", "plots"}

    # The gates' record is there, and is not taken for a promotion of this registry.
    (record,) = there.copied_records()
    assert read(there.client, MODEL) == []
    assert record.data.tags["sixfold.copied_kind"] == "promotion"
    experiment = there.client.get_experiment(record.info.experiment_id)
    assert experiment.name == f"{MODEL}/promotions"
    assert [i.path for i in there.client.list_artifacts(record.info.run_id)] == ["gates.json"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("call", "nth"),
    [
        ("log_artifacts", 1),
        ("set_terminated", 1),
        ("log_model_artifacts", 1),
        ("finalize_logged_model", 1),
        ("log_outputs", 1),
        ("set_terminated", 2),
        ("log_artifact", 1),
        ("set_terminated", 3),
        ("create_registered_model", 1),
        ("create_model_version", 1),
    ],
)
def test_a_copy_that_is_killed_is_made_by_the_next(
    call: str, nth: int, source: Source, target: str, tmp_path: Path
) -> None:
    """The process that writes is killed before one of its writes; see `killed/`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).with_name("killed")))
        patch.setenv("TEST_KILL_BEFORE", f"{call} {nth}")
        with pytest.raises(SixfoldError, match="broken off"):
            copied(source, target)
    with At(target, tmp_path) as there:
        assert there.versions() == []
        left = {run.info.run_id for run in there.runs() if run.info.status == "FINISHED"}
    assert copied(source, target) == ("1", False)
    with At(target, tmp_path) as there:
        assert len(there.versions()) == 1
        assert left <= {run.info.run_id for run in there.runs()}, "what was whole is used"
        assert len(there.runs()) == 3, "something was left behind, or made twice"
        assert {run.info.status for run in there.runs()} == {"FINISHED"}
        experiments = [item.experiment_id for item in there.client.search_experiments()]
        (logged,) = there.client.search_logged_models(experiments)
        assert logged.status == "READY"
        mlflow.pyfunc.load_model(f"models:/{MODEL}/1")


@pytest.mark.slow
def test_two_copies_at_once_make_one_version(source: Source, target: str, tmp_path: Path) -> None:
    def attempt(_: int) -> str:
        try:
            return copied(source, target)[0]
        except SixfoldError as error:
            return str(error)

    with ThreadPoolExecutor(2) as pool:
        said = list(pool.map(attempt, range(2)))
    assert "1" in said or "2" in said, said
    assert all(text.isdecimal() or "somebody is copying" in text for text in said), said
    with At(target, tmp_path) as there:
        (version,) = there.versions()
        number = str(version.version)
        assert number in said
        mlflow.pyfunc.load_model(f"models:/{MODEL}/{number}")
    assert copied(source, target) == (number, True)


@pytest.mark.slow
def test_a_deleted_experiment_is_said(source: Source, target: str) -> None:
    client = MlflowClient(target)
    client.delete_experiment(client.create_experiment(f"{MODEL}/promotions"))
    with pytest.raises(UserError, match="mlflow experiments restore"):
        copied(source, target)


@pytest.mark.slow
def test_damaged_files_are_not_copied(source: Source, tmp_path: Path) -> None:
    version = source.version()
    other = replace(version, tags={**version.tags, DIGEST: "0" * 64})
    origin = Origin("here", version.model, version.version, version.run_id, version.source)
    with pytest.raises(UserError, match="damaged or incomplete"):
        gather(origin, other, [], tmp_path)


def test_the_same_registry_is_refused(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="another registry"):
        copied(source, source.uri)
    folder = source.folder
    (folder / "other.db").symlink_to(folder / "mlflow.db")
    monkeypatch.chdir(folder)
    with pytest.raises(UserError, match="another registry"):
        copied(source, "sqlite:///other.db")


@pytest.mark.slow
def test_the_same_registry_under_another_name_is_refused(source: Source) -> None:
    link = source.folder / "hard.db"
    os.link(source.folder / "mlflow.db", link)
    try:
        with pytest.raises(UserError, match="without --to-registry"):
            copied(source, f"sqlite:///{link}")
    finally:
        link.unlink()


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("prod", "e.g. https://"),
        ("", "e.g. https://"),
        ("ftp://host/x", "e.g. https://"),
        ("http://[::1", "e.g. https://"),
        ("https://me:hunter2@host/", "SIXFOLD_TO_REGISTRY_PASSWORD"),
        ("postgresql://me:hunter2@host/db", "SIXFOLD_TO_REGISTRY_PASSWORD"),
        ("sqlite:////nowhere/mlflow.db", "no such file"),
    ],
)
def test_an_address_that_is_none_is_refused(uri: str, said: str) -> None:
    with pytest.raises(UserError, match=said) as refused:
        checked_address(uri)
    assert "hunter2" not in str(refused.value)


def test_a_registry_that_does_not_answer(source: Source) -> None:
    with pytest.raises(
        UserError, match=r"expected an MLflow server at http://127\.0\.0\.1:9"
    ) as found:
        copied(source, "http://127.0.0.1:9")
    assert "MLFLOW_TRACKING_URI" not in str(found.value)


def test_neither_server_is_told_the_others_credentials() -> None:
    own = {
        "PATH": "/bin",
        "MLFLOW_TRACKING_URI": "https://dev",
        "MLFLOW_REGISTRY_URI": "https://dev",
        "MLFLOW_TRACKING_USERNAME": "dev-user",
        "MLFLOW_TRACKING_PASSWORD": "dev-password",
        "MLFLOW_TRACKING_TOKEN": "dev-token",
        "MLFLOW_TRACKING_SERVER_CERT_PATH": "/ca.pem",
    }
    found = environment("https://prod", own)
    assert found["MLFLOW_TRACKING_URI"] == "https://prod"
    assert found["MLFLOW_TRACKING_SERVER_CERT_PATH"] == "/ca.pem"
    assert not [value for value in found.values() if "dev" in value]
    given = {name: f"prod-{i}" for i, name in enumerate(CREDENTIALS)}
    found = environment("https://prod", own | given)
    assert {name: found.get(name) for name in CREDENTIALS.values()} == {
        CREDENTIALS[name]: value for name, value in given.items()
    }
    assert not [value for value in found.values() if "dev" in value]


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
