"""Logged models as anybody loads them: through MLflow, with nothing but what they carry."""

import json
import subprocess
import sys
import zipfile
from importlib.metadata import packages_distributions, requires
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
import skops.io
from mlflow.exceptions import MlflowException
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.training.problems import frame_of, prepared_of, quick
from tests.training.trained import Trained
from training.algorithms import find
from training.features import conform
from training.fit import fit
from training.predictions import read_predictions
from training.prepare import prepare
from training.request import Request
from training.scoring import Model, load_pipeline
from training.table import read_table

CANDIDATES = (
    "decision_tree",
    "gradient_boosting:sklearn",
    "gradient_boosting:lightgbm",
    "ensemble",
)
_CLEAN = """
import json, sys, warnings
warnings.simplefilter("ignore")
uri, table, *missing = sys.argv[1:]
class Nowhere:  # what is not required is not there
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in missing:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Nowhere())
import mlflow, pandas as pd
assert not any(name == "training" or name.startswith("training.") for name in sys.modules)
frame = pd.read_parquet(table)
model = mlflow.pyfunc.load_model(uri)
import training
assert "model" in training.__file__ or "code" in training.__file__, training.__file__
labels = model.predict(frame)
probabilities = model.predict(frame, params={"predict_method": "predict_proba"})
print(json.dumps([list(map(str, labels)), probabilities.to_numpy().tolist()]))
"""


def artifacts(trained: Trained) -> list[Path]:
    return [path for path in trained.folder.rglob("*") if path.is_file()]


def test_all_candidates_were_trained(trained: Trained) -> None:
    reasons = {row["name"]: row["reason"] for row in trained.board["candidates"]}
    assert sorted(trained.finished) == sorted(CANDIDATES), reasons


@pytest.mark.parametrize("name", CANDIDATES)
def test_a_loaded_model_predicts_what_the_test_rows_got(trained: Trained, name: str) -> None:
    row = trained.row(name)
    request = Request(data="table.parquet", target="y", folds=3, search="none")
    prepared = prepare(request, read_table("table.parquet"))
    tested = trained.frame.iloc[prepared.test].drop(columns="y")
    model = mlflow.pyfunc.load_model(row["model_uri"])
    found = model.predict(tested, params={"predict_method": "predict_proba"})
    path = mlflow.artifacts.download_artifacts(
        run_id=row["run_id"], artifact_path="predictions.parquet"
    )
    expected = read_predictions(Path(path))[1]
    np.testing.assert_allclose(found.to_numpy(), expected, rtol=0, atol=1e-12)
    assert list(found.columns) == ["<mid>", "[low]", "hi, $g_h$"]
    labels = model.predict(tested)
    assert list(labels) == list(np.array(found.columns)[expected.argmax(axis=1)])


@pytest.mark.parametrize("name", CANDIDATES)
def test_a_loaded_model_is_its_pipelines(trained: Trained, name: str) -> None:
    raw = mlflow.pyfunc.load_model(trained.row(name)["model_uri"]).get_raw_model()
    assert isinstance(raw, Model)
    rows = trained.frame.drop(columns="y").head(20)
    X = conform(rows, raw.schema)
    if name != "ensemble":
        (pipeline,) = raw.pipelines
        assert (pipeline.predict_proba(X) == raw.predict_raw(rows)).all()
    assert len(raw.pipelines) >= 1


@pytest.mark.parametrize("name", ["ensemble", "gradient_boosting:sklearn"])
def test_a_model_loads_where_sixfold_is_not(trained: Trained, name: str, tmp_path: Path) -> None:
    rows = trained.frame.drop(columns="y").head(30)
    rows.to_parquet(tmp_path / "rows.parquet")
    local = mlflow.artifacts.download_artifacts(
        trained.row(name)["model_uri"], dst_path=str(tmp_path)
    )
    required = all_required((Path(local) / "requirements.txt").read_text().split())
    missing = [
        name
        for name, packages in packages_distributions().items()
        if not required & set(map(canonicalize_name, packages))
    ]
    assert {"catboost", "pytest"} <= set(missing)
    rows_file = str(tmp_path / "rows.parquet")
    command = [sys.executable, "-I", "-c", _CLEAN, local, rows_file, *missing]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    labels, probabilities = json.loads(done.stdout.splitlines()[-1])
    model = mlflow.pyfunc.load_model(trained.row(name)["model_uri"])
    assert labels == list(model.predict(rows))
    again = model.predict(rows, params={"predict_method": "predict_proba"}).to_numpy()
    np.testing.assert_allclose(probabilities, again, rtol=0, atol=1e-12)


def all_required(lines: list[str]) -> set[str]:
    """What is installed with these requirements, those of each included."""
    found: set[str] = set()
    waiting = [Requirement(line) for line in lines]
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name in found or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        found.add(name)
        waiting.extend(map(Requirement, requires(name) or []))
    return found


def test_nothing_is_pickled(trained: Trained) -> None:
    for path in artifacts(trained):
        assert path.suffix not in (".pkl", ".pickle", ".joblib", ".cloudpickle"), path
        assert path.read_bytes()[:2] not in (b"\x80\x04", b"\x80\x05"), path
        if path.suffix == ".skops":
            with zipfile.ZipFile(path) as archive:
                for name in archive.namelist():
                    assert Path(name).suffix in (".json", ".npy", ".npz", ".bin", ""), name
                    assert archive.read(name)[:2] not in (b"\x80\x04", b"\x80\x05"), name


@pytest.mark.parametrize("name", CANDIDATES)
def test_a_model_has_a_signature_and_an_example(trained: Trained, name: str) -> None:
    info = mlflow.models.get_model_info(trained.row(name)["model_uri"])
    names = [column.name for column in info.signature.inputs]
    assert "y" not in names
    assert {"a[b", "1", "t", "whole"} <= set(names)
    assert info.signature.outputs is not None
    assert [param.name for param in info.signature.params] == ["predict_method"]
    model = mlflow.pyfunc.load_model(trained.row(name)["model_uri"])
    assert len(model.predict(model.input_example)) == len(model.input_example) > 0


@pytest.mark.parametrize("name", CANDIDATES)
def test_a_models_requirements_are_the_locks(trained: Trained, name: str) -> None:
    folder = Path(mlflow.artifacts.download_artifacts(trained.row(name)["model_uri"]))
    lines = (folder / "requirements.txt").read_text().split()
    lock = Path(__file__).parents[2] / "requirements.lock"
    locked = {
        line.split()[0] for line in lock.read_text().splitlines() if "==" in line.split(" ")[0]
    }
    assert lines
    assert all("==" in line for line in lines)
    assert not set(lines) - locked
    names = {line.split("==")[0] for line in lines}
    assert {"mlflow", "scikit-learn", "numpy", "pandas", "skops"} <= names
    members = [
        member["candidate"]
        for member in json.loads((folder / "data/model/members.json").read_text())
    ]
    assert ("lightgbm" in names) == ("gradient_boosting:lightgbm" in members)
    assert not {"catboost", "xgboost-cpu"} & names


def test_a_models_environment_is_as_mlflow_writes_it(trained: Trained, tmp_path: Path) -> None:
    folder = Path(mlflow.artifacts.download_artifacts(trained.row("ensemble")["model_uri"]))
    requirements = (folder / "requirements.txt").read_text().split()
    straight = tmp_path / "straight"
    mlflow.pyfunc.save_model(
        straight, loader_module="training.scoring", pip_requirements=requirements
    )
    for file in ("requirements.txt", "conda.yaml", "python_env.yaml"):
        assert (folder / file).read_bytes() == (straight / file).read_bytes()


def test_rows_come_in_any_reasonable_form(trained: Trained) -> None:
    model = mlflow.pyfunc.load_model(trained.row("decision_tree")["model_uri"])
    rows = trained.frame.drop(columns="y").head(10)
    expected = list(model.predict(rows))
    assert list(model.predict(rows[list(reversed(rows.columns))].assign(extra=1))) == expected
    assert list(model.predict(rows.assign(whole=rows["whole"].astype("float64")))) == expected
    assert list(model.predict(rows.assign(whole=rows["whole"].astype("int32")))) == expected
    assert list(model.predict(rows.assign(d=rows["d"].astype(str)))) == expected
    assert list(model.predict(rows.assign(d=rows["d"].dt.tz_localize("UTC")))) == expected
    gaps = rows.assign(whole=rows["whole"].astype("float64").where(rows["whole"] > 2))
    assert len(model.predict(gaps)) == 10
    assert list(model.predict(rows.to_dict(orient="list"))) == expected
    assert list(model.predict(rows.assign(f=rows["f"].astype(int)))) == expected
    assert (
        len(model.predict(rows.assign(f=rows["f"].astype(object).where(rows["whole"] > 2)))) == 10
    )
    with pytest.raises(MlflowException, match="'1'"):
        model.predict(rows.drop(columns="1"))


def test_whole_numbers_do_for_a_column_of_floats(trained: Trained) -> None:
    model = mlflow.pyfunc.load_model(trained.row("decision_tree")["model_uri"])
    rows = trained.frame.drop(columns="y").head(10)
    whole = rows.assign(**{"a[b": np.arange(10)})
    assert whole["a[b"].dtype == np.int64
    floats = whole.assign(**{"a[b": whole["a[b"].astype("float64")})
    assert list(model.predict(whole)) == list(model.predict(floats))


def test_an_unknown_method_is_refused(trained: Trained) -> None:
    model = mlflow.pyfunc.load_model(trained.row("decision_tree")["model_uri"])
    with pytest.raises(ValueError, match="predict_proba"):
        model.predict(trained.frame.head(2), params={"predict_method": "decision_function"})


def model_of(frame: pd.DataFrame, candidate: str, folder: Path) -> Model:
    """A model's folder as `model.log_model` fills it, read back."""
    prepared = prepared_of(frame)
    algorithm = find(candidate)
    fitted = fit(algorithm, prepared.problem, quick(algorithm, prepared.problem))
    skops.io.dump(fitted.pipeline, folder / "one.skops")
    present = None if fitted.present is None else fitted.present.tolist()
    member = {"candidate": candidate, "file": "one.skops", "weight": 1.0, "present": present}
    (folder / "members.json").write_text(json.dumps([member]))
    prepared.subject.schema.write(folder / "schema.json")
    return Model(folder)


@pytest.mark.parametrize(
    "labels",
    [[False, True], [-3, 10, 500], [0.5, 7.0], ["true", "false"], ["[0]", "<1>", "a,b", "0"]],
)
def test_labels_come_back_as_they_were(labels: list[Any], tmp_path: Path) -> None:
    frame = frame_of("numeric", "regression", 80)
    frame["a"] = [i % len(labels) for i in range(80)]
    frame["y"] = [labels[i % len(labels)] for i in range(80)]
    found = model_of(frame, "decision_tree", tmp_path).predict(frame.drop(columns="y"))
    assert found.tolist() == frame["y"].tolist()
    assert {type(label) for label in found.tolist()} == {type(label) for label in labels}


def test_a_regression_gives_numbers_and_no_probabilities(tmp_path: Path) -> None:
    frame = frame_of("numeric", "regression", 80)
    model = model_of(frame, "linear_regression", tmp_path)
    found = model.predict(frame.drop(columns="y"))
    assert found.dtype == np.float64
    assert np.corrcoef(found, frame["y"])[0, 1] > 0.9
    with pytest.raises(ValueError, match="regression has no classes"):
        model.predict(frame, params={"predict_method": "predict_proba"})


def test_a_pipeline_of_no_candidate_is_not_loaded(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"members\.json"):
        load_pipeline(tmp_path / "x.skops", "os.system")
