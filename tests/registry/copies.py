"""What the tests of copies start from, and what a copy must be."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from registry.copy import copy_version
from registry.journal import read
from registry.store import find_version
from registry.version import COPIED_FROM, DIGEST, FILES, PROMOTION, Version
from tests.registry.versions import MODEL, Versions
from tests.training.trained import store_in
from training.digests import digest_of, file_digests


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
