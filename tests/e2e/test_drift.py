"""From a version that answers and records to its comparison with training, by the command."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import mlflow
import pandas as pd
import pytest

from registry.store import find_version
from registry.version import local_model
from serving.compile import compile_model
from tests.e2e.command import call, json_of
from tests.registry.versions import MODEL, registered
from tests.services.s3 import S3
from tests.serving.server.running import running
from tests.training.problems import frame_of
from tests.training.trained import store_in, train_quietly

pytestmark = pytest.mark.services

_ASKED = 240


@dataclass(frozen=True)
class Asked:
    """A version in Production that has been asked for what it was not trained for.

    Attributes
    ----------
    folder : Path
        Of its store, its recordings and `truth.csv`.
    """

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        return {"MLFLOW_TRACKING_URI": f"sqlite:///{self.folder}/mlflow.db"}


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Asked:
    folder = tmp_path_factory.mktemp("drift")
    with store_in(folder):
        frame_of("all", "binary", 400).drop(columns="t").to_parquet("table.parquet")
        board = train_quietly(data="table.parquet", algorithms="decision_tree", folds=2)
        registered(board)
        client = mlflow.MlflowClient()
        client.transition_model_version_stage(MODEL, "1", "Production")
        (folder / "download").mkdir()
        model = local_model(find_version(client, MODEL, "1"), folder / "download")
        compiled = compile_model(model, folder / "bundle", {"model": MODEL, "version": "1"})
        assert compiled.path == "onnx"
    frame = frame_of("all", "binary", _ASKED, seed=1).drop(columns="t")
    frame["a"] += 2
    frame.loc[frame.index[::4], "c"] = "violet"
    records = json.loads(frame.drop(columns="y").to_json(orient="records", date_format="iso"))
    settings = {"workers": 2, "record": folder / "recordings"}
    with running(folder / "bundle", **settings) as server:
        for at in range(0, _ASKED, 3):
            body = {"dataframe_records": records[at : at + 3]}
            headers = {"x-request-id": f"id-{at // 3}"}
            answer = server.ask("POST", "/invocations", body, headers)
            assert answer.status == 200
        assert server.stop() == 0
    keys = [(f"id-{at // 3}", at % 3, frame["y"][at]) for at in range(_ASKED)]
    truth = pd.DataFrame(keys, columns=["request", "row", "y"])
    truth.to_csv(folder / "truth.csv", index=False)
    return Asked(folder)


def test_what_was_answered_is_compared_with_training(asked: Asked, tmp_path: Path) -> None:
    words = ["drift", MODEL, "--since", "1h", "--truth", "truth.csv", "--fail-on-drift"]
    printed = call(asked.folder, "sixfold", words, asked.environment, code=1)
    assert f"churn version 1 has drifted, by {_ASKED} rows: the predictions" in printed
    told = re.search(r"among the artifacts of run (\w+)", printed)
    assert told
    client = mlflow.MlflowClient(asked.environment["MLFLOW_TRACKING_URI"])
    run = client.get_run(told[1])
    assert client.get_experiment(run.info.experiment_id).name == "churn/drift"
    found = json.loads(
        Path(client.download_artifacts(told[1], "drift.json", str(tmp_path))).read_text()
    )
    columns = {item["name"]: item for item in found["columns"]}
    assert found["rows"] == _ASKED
    assert (columns["a"]["verdict"], columns["a"]["why"]) == ("drifted", "values")
    assert columns["c"]["unknown"]["now"] == 0.25
    assert {columns[name]["verdict"] for name in "bmfh"} == {"stable"}
    assert found["performance"]["rows"] == _ASKED
    assert found["performance"]["verdict"] == "worse"


def test_recordings_in_s3_are_read_from_there(asked: Asked, s3: S3) -> None:
    files = sorted((asked.folder / "recordings").rglob("*.parquet"))
    assert files
    for file in files:
        key = f"drift/{file.relative_to(asked.folder / 'recordings').as_posix()}"
        s3.client().upload_file(str(file), s3.bucket, key)
    environment = {**asked.environment, **s3.environment}
    words = ["drift", MODEL, "--json", "--recordings"]
    told = call(asked.folder, "sixfold", [*words, s3.uri("drift")], environment)
    assert s3.secret_key not in told
    found = json_of(told)
    here = call(asked.folder, "sixfold", [*words, "recordings"], environment)
    local = json_of(here)
    assert found["recordings"] == s3.uri("drift")
    for name in ("rows", "files", "columns", "predictions", "verdict"):
        assert found[name] == local[name]
    nothing = call(asked.folder, "sixfold", [*words, s3.uri("elsewhere")], environment, code=2)
    assert nothing.strip().splitlines()[-1].startswith("sixfold: expected recordings of churn")
