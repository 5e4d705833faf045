"""A version is copied between two real stores: whole, once, and never half."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from mlflow import MlflowClient

from registry.bundle import Origin, gather
from registry.copy import CREDENTIALS, checked_address, environment
from registry.store import find_version, read_facts
from registry.version import DIGEST
from tests.registry.copies import At, Original, Source, check_whole, copied, empty_store
from tests.registry.versions import MODEL
from training.errors import SixfoldError, UserError

OTHER = "linear_regression"


@pytest.fixture(scope="module")
def twice(source: Source, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a store that two candidates of one training were copied to."""
    uri = empty_store(tmp_path_factory.mktemp("twice"))
    assert copied(source, uri) == ("1", False)
    assert copied(source, uri, OTHER) == ("2", False)
    return uri


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
