"""`sixfold drift`, on recordings that are made as a server makes them."""

import json
import re
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from sklearn.metrics import roc_auc_score

from serving.drift.cli import command
from serving.drift.logged import REPORT
from tests.registry.versions import MODEL, Versions
from tests.serving.drift.recorded import START, write_recordings
from training.profile import FILE
from training.schema import Schema
from training.scoring import Model

pytestmark = pytest.mark.slow

ROWS = 400


class Recorded:
    """Rows like those of training, to be changed and recorded."""

    def __init__(self, versions: Versions, folder: Path) -> None:
        self.version = versions.facts["decision_tree"].version
        self.model = Model(versions.download("decision_tree", folder / "model") / "data" / "model")
        rows = np.random.default_rng(0).integers(0, len(versions.frame), ROWS)
        self.frame = versions.frame.iloc[rows].reset_index(drop=True)
        self.keys = pd.DataFrame()

    @property
    def schema(self) -> Schema:
        return self.model.schema

    def write(self, **given: Any) -> None:
        name = (self.version.model, self.version.version)
        raw = self.model.predict_raw(self.frame)
        self.keys = write_recordings(
            Path("recordings"), name, self.schema, self.frame, raw, **given
        )

    def drift(self, *words: str) -> Result:
        return CliRunner().invoke(command, [MODEL, "--version", self.version.version, *words])

    def found(self, *words: str) -> dict[str, Any]:
        done = self.drift("--json", *words)
        assert done.exit_code == 0, done.output
        found: dict[str, Any] = json.loads(done.stdout)
        return found


@pytest.fixture
def recorded(three_versions: Versions, registry: mlflow.MlflowClient, tmp_path: Path) -> Recorded:
    return Recorded(three_versions, tmp_path)


def by_name(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {item["name"]: item for item in found["columns"]}


def test_rows_as_at_training_are_stable(recorded: Recorded) -> None:
    recorded.write()
    done = recorded.drift("--fail-on-drift")
    assert done.exit_code == 0, done.output
    assert f"churn version {recorded.version.version} is stable, by 400 rows" in done.output
    assert "Traceback" not in done.output


def test_what_has_changed_is_found_and_kept_in_mlflow(
    recorded: Recorded, registry: mlflow.MlflowClient, tmp_path: Path
) -> None:
    frame = recorded.frame
    frame["a"] += 2
    frame.loc[:99, "b"] = np.nan
    frame.loc[frame.index[::4], "c"] = "violet"
    recorded.write()
    found = recorded.found("--report", str(tmp_path / "page.html"))
    columns = by_name(found)
    assert found["verdict"] == "drifted"
    assert (columns["a"]["verdict"], columns["a"]["why"]) == ("drifted", "values")
    assert columns["b"]["missing"]["now"] == 0.25
    assert (columns["b"]["verdict"], columns["b"]["why"]) == ("drifted", "missing")
    assert columns["c"]["unknown"]["now"] == 0.25
    assert "unknown levels" in columns["c"]["why"]
    assert columns["f"]["verdict"] == columns["h"]["verdict"] == "stable"
    assert columns["d"]["verdict"] == "not judged"
    assert found["predictions"][0]["name"] == "probability of yes"
    assert (found["rows"], found["files"], found["sampled"]) == (ROWS, 4, [0.5])
    assert sum(found["days"].values()) == ROWS

    run = registry.get_run(found["run_id"])
    assert registry.get_experiment(run.info.experiment_id).name == "churn/drift"
    assert run.data.tags["sixfold.model"] == MODEL
    assert run.data.tags["sixfold.version"] == recorded.version.version
    assert run.data.tags["sixfold.verdict"] == "drifted"
    assert run.data.metrics["psi/a"] == pytest.approx(columns["a"]["psi"])
    assert run.data.metrics["missing/b"] == 0.25
    assert run.data.metrics["unknown/c"] == 0.25
    assert run.inputs
    (dataset,) = run.inputs.dataset_inputs
    assert dataset.tags[0].value == "monitoring"
    assert [item.model_id for item in run.inputs.model_inputs] == [
        recorded.version.source.removeprefix("models:/")
    ]
    folder = Path(registry.download_artifacts(run.info.run_id, "", str(tmp_path)))
    assert (folder / REPORT).read_text() == (tmp_path / "page.html").read_text()
    kept = json.loads((folder / "drift.json").read_text())
    assert kept == found


def test_drift_fails_a_script_that_asks_for_it(recorded: Recorded) -> None:
    recorded.frame["a"] += 2
    recorded.write()
    assert recorded.drift("--fail-on-drift").exit_code == 1
    assert recorded.drift().exit_code == 0


def test_the_truth_is_scored_as_at_training(recorded: Recorded, tmp_path: Path) -> None:
    frame = recorded.frame
    recorded.write(rows_a_request=4)
    truth = recorded.keys.assign(y=frame["y"]).iloc[:300]
    truth.sample(frac=1, random_state=0).to_parquet("truth.parquet")
    found = recorded.found("--truth", "truth.parquet")["performance"]
    raw = recorded.model.predict_raw(frame)[:300, 1]
    expected = roc_auc_score(frame["y"][:300] == "yes", raw)
    assert found["scores"]["roc_auc"] == pytest.approx(expected)
    assert (found["rows"], found["told"], found["metric"]) == (300, 300, "roc_auc")
    assert found["low"] <= found["scores"]["roc_auc"] <= found["high"]

    turned = truth.assign(y=truth["y"].map({"yes": "no", "no": "yes"}))
    turned.to_csv("turned.csv", index=False)
    worse = recorded.found("--truth", "turned.csv")
    assert worse["performance"]["verdict"] == "worse"
    assert worse["verdict"] == "drifted"


@pytest.mark.parametrize(("new", "verdict"), [(2, "stable"), (14, "shifted"), (150, "drifted")])
def test_new_classes_in_the_truth_are_a_drift(
    recorded: Recorded, registry: mlflow.MlflowClient, new: int, verdict: str
) -> None:
    recorded.write()
    truth = recorded.keys.assign(y=recorded.frame["y"].astype(object)).iloc[:300]
    truth.loc[: new - 1, "y"] = "purple"
    truth = pd.concat([truth, pd.DataFrame({"request": [None, None], "row": 0, "y": "yes"})])
    truth.to_csv("truth.csv", index=False)
    done = recorded.drift("--truth", "truth.csv", "--json", "--fail-on-drift")
    assert done.exit_code == (verdict == "drifted"), done.output
    assert "2 rows of the truth have no request's id and are left out" in done.stderr
    found = json.loads(done.stdout)
    assert found["verdict"] == verdict
    assert f"{new} of 300 rows" in found["sentence"]
    assert (found["performance"]["unknown"], found["performance"]["unnamed"]) == (new, 2)
    metrics = registry.get_run(found["run_id"]).data.metrics
    assert metrics["performance_unknown"] == new


def test_the_truth_of_few_rows_says_nothing(recorded: Recorded) -> None:
    recorded.write()
    recorded.keys.assign(y="no").iloc[:20].to_csv("truth.csv", index=False)
    found = recorded.found("--truth", "truth.csv")
    assert found["performance"]["verdict"] == "too few rows"
    assert found["verdict"] == "stable"


def test_a_request_that_was_sent_twice_counts_once(recorded: Recorded) -> None:
    recorded.write()
    first = next(Path("recordings").rglob("*.parquet"))
    shutil.copyfile(first, first.with_name("again.parquet"))
    recorded.keys.assign(y=recorded.frame["y"]).to_csv("truth.csv", index=False)
    found = recorded.found("--truth", "truth.csv")
    assert found["rows"] > ROWS
    assert found["performance"]["rows"] == ROWS


def test_only_rows_of_the_window_count(recorded: Recorded) -> None:
    recorded.write()
    cut = START + timedelta(minutes=130)
    before = recorded.found("--until", cut.isoformat())
    after = recorded.found("--since", f"{cut:%Y-%m-%dT%H:%M}")
    assert (before["rows"], after["rows"]) == (130, ROWS - 130)
    assert before["last"] < cut.isoformat() <= after["first"]


def test_too_few_rows_are_said_so(recorded: Recorded) -> None:
    recorded.frame = recorded.frame.iloc[:40]
    recorded.write()
    done = recorded.drift("--fail-on-drift")
    assert done.exit_code == 0, done.output
    assert "too few rows to tell: 40 rows, at least 100 are needed" in done.output


def test_files_that_are_damaged_or_of_another_schema_are_left_out(recorded: Recorded) -> None:
    recorded.write(files=4)
    paths = sorted(Path("recordings").rglob("*.parquet"))
    paths[0].write_bytes(paths[0].read_bytes()[:-20])
    paths[1].with_name(".unfinished.parquet").write_bytes(b"PAR1")
    left = recorded.found()
    assert (left["rows"], left["damaged_files"]) == (300, 1)
    shutil.rmtree("recordings")
    recorded.write(fingerprint="f" * 32)
    done = recorded.drift()
    assert done.exit_code == 2
    assert "got 4 files of another one" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--recordings", "nowhere"],
            "expected recordings of churn version .* in nowhere, got none",
        ),
        (["--since", "yesterday"], "expected --since as a time in ISO 8601 or as 7d"),
        (["--since", "2026-02-02", "--until", "2026-02-01"], "expected --since before --until"),
        (["--since", "2030-01-01"], "expected rows between 2030-01-01 00:00 and …"),
        (["--truth", "none.csv"], "expected .*none.csv"),
        (["--truth", "table.parquet"], "without 'request'"),
        (["--truth", "twice.csv"], "expected each request and row once .* 1 rows"),
        (["--truth", "other.csv"], "of which none was recorded"),
        (["--report", "no/such/page.html"], "expected a file to write to with --report"),
        (["--version", "9"], "expected a version of churn, got 9"),
    ],
)
def test_bad_input_is_one_line(recorded: Recorded, words: list[str], said: str) -> None:
    recorded.write()
    recorded.frame.to_parquet("table.parquet")
    pd.DataFrame({"request": ["r-1", "r-1"], "y": "yes"}).to_csv("twice.csv", index=False)
    pd.DataFrame({"request": ["x", "z"], "y": "yes"}).to_csv("other.csv", index=False)
    done = recorded.drift(*words)
    assert done.exit_code == 2, done.output
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("sixfold: ")
    assert re.search(said, last), last


def test_another_versions_recordings_are_named(recorded: Recorded) -> None:
    recorded.write()
    Path("recordings", MODEL, recorded.version.version).rename(Path("recordings", MODEL, "77"))
    done = recorded.drift()
    assert done.exit_code == 2
    assert "got only those of version 77; choose one with --version" in done.stderr


def test_nothing_in_production_is_said_so(recorded: Recorded) -> None:
    done = CliRunner().invoke(command, [MODEL])
    assert done.exit_code == 2
    assert "expected a version of churn in Production" in done.stderr


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ([FILE], f"trained before there was one ({FILE}); train it again"),
        ([FILE, "schema.json"], "expected a version that Sixfold has trained"),
        (
            [FILE, "schema.json", "members.json", "sample.json", "decision_tree.skops"],
            "has trained",
        ),
    ],
)
def test_a_version_without_a_profile_is_said_so(
    recorded: Recorded, registry: mlflow.MlflowClient, files: list[str], said: str
) -> None:
    recorded.write()
    logged = registry.get_logged_model(recorded.version.source.removeprefix("models:/"))
    data = Path(logged.artifact_location.removeprefix("file://"), "data", "model")
    kept = {data / name: (data / name).read_bytes() for name in files}
    try:
        for path in kept:
            path.unlink()
        if not any(data.iterdir()):
            data.rmdir()
        done = recorded.drift()
    finally:
        data.mkdir(exist_ok=True)
        for path, content in kept.items():
            path.write_bytes(content)
    assert done.exit_code == 2
    assert said in done.stderr
    assert "Traceback" not in done.output
