"""What an image gets of a model that Sixfold has not trained, before anything loads it."""

import json
import shutil
from pathlib import Path
from typing import Any

import mlflow
import pytest
import yaml
from mlflow.exceptions import MlflowException, RestException
from mlflow.protos.databricks_pb2 import TEMPORARILY_UNAVAILABLE

from registry.version import Version
from serving.compile import compile_model
from serving.foreign import made_request, warnings_of
from serving.foreign_packages import Needed, requirements
from serving.origin import read_origin
from serving.server.signature import Field
from tests.serving.foreign import FACTS, save_python_model, save_table_model, save_tensor_model
from training.errors import UserError


def test_a_model_without_a_signature_is_refused_in_one_line(tmp_path: Path) -> None:
    model = save_tensor_model(tmp_path / "model", signature=None)
    with pytest.raises(UserError, match=r"mlflow\.models\.infer_signature") as caught:
        compile_model(model, tmp_path / "bundle", FACTS)
    assert "\n" not in str(caught.value)


def test_a_model_is_not_loaded_here(tmp_path: Path) -> None:
    """Its pickle is not even one."""
    model = save_table_model(tmp_path / "model")
    (model / "model.pkl").write_bytes(b"no pickle")
    compiled = compile_model(model, tmp_path / "bundle", FACTS)
    assert compiled.path == "pyfunc"
    assert "its own input example" in compiled.why
    record = json.loads((tmp_path / "bundle" / "sample.json").read_text())
    assert len(record["request"]["dataframe_split"]["data"]) == 3
    assert record["predictions"] is None
    assert (tmp_path / "bundle" / "model" / "MLmodel").is_file()


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table model, of which each test has a copy."""
    return save_table_model(tmp_path_factory.mktemp("saved") / "model")


@pytest.fixture
def model(saved: Path, tmp_path: Path) -> Path:
    shutil.copytree(saved, tmp_path / "model")
    return tmp_path / "model"


def describe_anew(model: Path, **parts: Any) -> None:
    """Change parts of `MLmodel`."""
    file = model / "MLmodel"
    file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | parts))


@pytest.mark.parametrize("part", ["serving_input_path", "artifact_path"])
@pytest.mark.parametrize("name", ["../secret.json", "{folder}/secret.json", "link.json"])
def test_an_example_elsewhere_on_this_machine_is_none(model: Path, part: str, name: str) -> None:
    secret = model.parent / "secret.json"
    secret.write_text('{"inputs": "secret"}')
    (model / "link.json").symlink_to(secret)
    describe_anew(model, saved_input_example_info={part: name.format(folder=model.parent)})
    bundle = model.parent / "bundle"
    assert "a row made of its signature" in compile_model(model, bundle, FACTS).why
    assert "secret" not in (bundle / "sample.json").read_text()


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("serving_input_example.json", "{", "serving_input_example.json as JSON, got JSONDecode"),
        ("serving_input_example.json", '{"dataframe_split": {"columns": []}}', "rows in data"),
        ("serving_input_example.json", '{"dataframe_split": "text"}', "rows in data"),
        ("MLmodel", "a: [", "damaged"),
        ("MLmodel", "", "damaged"),
        ("MLmodel", "flavors: {python_function: {}}\nsignature: {inputs: '{'}", "damaged"),
        ("MLmodel", "flavors: 1\n", "damaged"),
    ],
)
def test_a_damaged_model_is_refused_in_one_line(
    model: Path, file: str, text: str, said: str
) -> None:
    (model / file).write_text(text)
    with pytest.raises(UserError, match=said) as caught:
        compile_model(model, model.parent / "bundle", FACTS)
    assert "\n" not in str(caught.value)


def test_a_model_without_its_description_is_refused_in_one_line(model: Path) -> None:
    (model / "MLmodel").unlink()
    with pytest.raises(UserError, match="damaged"):
        compile_model(model, model.parent / "bundle", FACTS)


def test_mlflow_is_installed_as_small_as_the_flavour_needs_it(model: Path, tmp_path: Path) -> None:
    needed = requirements(model)
    assert needed == Needed(["mlflow-skinny==3.17.2", "scikit-learn", "pandas", "numpy"])
    assert "mlflow==3.17.2" in requirements(save_python_model(tmp_path / "python")).lines


_MORE = ["pandas", "numpy"]
_HASH = "--hash=sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["mlflow-skinny==3.17.2", *_MORE]),
        ("mlflow==2.9.0\npandas==2.1.0", ["mlflow==2.9.0", "pandas==2.1.0", "numpy"]),
        ("mlflow==10.0\n", ["mlflow-skinny==10.0", *_MORE]),
        ("mlflow<4,>=3.1", ["mlflow-skinny==3.17.2", *_MORE]),
        ("MLflow == 3.2  # theirs", ["mlflow-skinny==3.2", *_MORE]),
        ("mlflow-skinny[databricks]==3.2", ["mlflow-skinny[databricks]==3.2", *_MORE]),
        ("mlflow[extras]==3.2", ["mlflow[extras]==3.2", *_MORE]),
        (
            'mlflow==2.9 ; python_version < "3.10"\nmlflow==3.2;python_version >= "3.10"',
            [
                'mlflow==2.9 ; python_version < "3.10"',
                'mlflow-skinny==3.2 ; python_version >= "3.10"',
                *_MORE,
            ],
        ),
        (
            'mlflow==3.2\nnumpy<2; python_version<"3.10"\nnumpy; python_version>="3.10"\npandas',
            [
                "mlflow-skinny==3.2",
                'numpy<2; python_version<"3.10"',
                'numpy; python_version>="3.10"',
                "pandas",
            ],
        ),
        (
            "mlflow==3.2\nhttps://a.example/b-1-py3-none-any.whl\n"
            "c @ https://a.example/c-1-py3-none-any.whl#sha256=0",
            [
                "mlflow-skinny==3.2",
                "https://a.example/b-1-py3-none-any.whl",
                "c @ https://a.example/c-1-py3-none-any.whl#sha256=0",
                *_MORE,
            ],
        ),
        (
            f"mlflow==3.2 \\\n    {_HASH}\nnumpy==2.2 {_HASH}\n",
            [f"mlflow==3.2     {_HASH}", f"numpy==2.2 {_HASH}"],
        ),
        ("# a \\\nmlflow==3.2\nb==1 \\\n\nnot=valid", ["mlflow-skinny==3.2", "b==1", "not=valid"]),
        (
            "--extra-index-url https://a.example\nmlflow==3.2",
            ["--extra-index-url https://a.example"],
        ),
        (
            "mlflow==3.2\nlightgbm==4.6.0\nScikit_Learn==1.7",
            ["mlflow-skinny==3.2", "lightgbm==4.6.0", "Scikit_Learn==1.7", *_MORE],
        ),
        ("lightgbm\nmlflow==3.2", ["lightgbm", "mlflow-skinny==3.2", *_MORE, "scikit-learn"]),
    ],
)
def test_a_models_lines_are_kept(model: Path, text: str, expected: list[str]) -> None:
    (model / "requirements.txt").write_text(text)
    found = requirements(model)
    assert found.lines[: len(expected)] == expected
    assert found.constraints == []


def test_files_that_the_requirements_name_are_handed_over(model: Path) -> None:
    (model / "requirements.txt").write_text(
        "-c constraints.txt\nmlflow==3.2\n--requirement=more/a.txt\nlast"
    )
    (model / "more").mkdir()
    (model / "more" / "a.txt").write_text("-r a.txt\na==1\n-rb.txt\n--constraint ../more/c.txt")
    (model / "more" / "b.txt").write_text("pandas==2.1.0\n")
    (model / "more" / "c.txt").write_text("numpy<2.3\n")
    (model / "constraints.txt").write_text("scipy<1.17\n")
    expected = ["mlflow-skinny==3.2", "a==1", "pandas==2.1.0", "last", "numpy"]
    assert requirements(model) == Needed(expected, ["scipy<1.17", "numpy<2.3"])


@pytest.mark.parametrize(
    "line",
    [
        "-r ../outside.txt",
        "-c {folder}/outside.txt",
        "--requirement absent.txt",
        "-r https://user:pass@a.example/r.txt",
        "-e .",
        "--no-binary :all:",
        "--only-binary :none:",
        "--pre --no-b b",
        "git+https://user:pass@a.example/b.git",
        "b @ git+https://user:pass@a.example/b-1-py3-none-any.whl",
        "https://a.example/b-1.tar.gz",
        "b @ https://a.example/b-1.zip?b-1-py3-none-any.whl",
        "${{PIP_INDEX_URL}}/b-1-py3-none-any.whl",
    ],
)
def test_what_would_run_code_in_the_build_is_refused(model: Path, line: str) -> None:
    (model.parent / "outside.txt").write_text("b")
    (model / "requirements.txt").write_text(f"mlflow\n{line.format(folder=model.parent)}\n")
    with pytest.raises(UserError, match=r"got '.* log ") as caught:
        requirements(model)
    assert "\n" not in str(caught.value)
    assert "pass" not in str(caught.value)


def test_a_model_that_names_no_mlflow_is_refused(model: Path) -> None:
    describe_anew(model, mlflow_version=None)
    (model / "requirements.txt").write_text("scikit-learn\nmlflow\n")
    with pytest.raises(UserError, match="neither mlflow_version"):
        requirements(model)


def test_another_python_is_told(tmp_path: Path) -> None:
    model = save_tensor_model(tmp_path / "model")
    assert warnings_of(model, "3.11") == []
    assert "3.11" in warnings_of(model, "3.9")[0]


@pytest.mark.parametrize(
    ("fields", "request_"),
    [
        (
            [Field("a", "double"), Field("b", "string"), Field("c", "boolean")],
            {"dataframe_split": {"columns": ["a", "b", "c"], "data": [[0, "", False]]}},
        ),
        ([Field("", "long")], {"dataframe_split": {"data": [[0]]}}),
        ([Field("", "float32", (-1, 2, 2))], {"inputs": [[[0, 0], [0, 0]]]}),
        ([Field("a", "int64", (-1,)), Field("b", "str", (-1,))], {"inputs": {"a": [0], "b": [""]}}),
    ],
)
def test_a_request_is_made_of_a_signature(fields: list[Field], request_: Any) -> None:
    assert made_request(fields) == request_


def version_of(run_id: str) -> Version:
    return Version("theirs", "3", run_id, "Production", (), {}, "", 0.0)


def test_a_version_whose_run_is_not_there_is_somebody_elses(tmp_path: Path) -> None:
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    for run_id in ("", "0" * 32):
        origin = read_origin(client, version_of(run_id))
        assert (origin.run_id, origin.candidate) == ("", "trained without Sixfold")


class Failing(mlflow.MlflowClient):
    """A client of a server that does not say whether there is such a run."""

    def __init__(self, error: MlflowException) -> None:
        self._error = error

    def get_run(self, run_id: str) -> Any:
        raise self._error


@pytest.mark.parametrize(
    "error",
    [
        MlflowException("API request failed: timed out"),
        MlflowException("busy", TEMPORARILY_UNAVAILABLE),
        RestException({"error_code": "PERMISSION_DENIED", "message": "Permission denied"}),
    ],
)
def test_a_server_that_fails_does_not_make_a_version_somebody_elses(error: MlflowException) -> None:
    with pytest.raises(MlflowException, match=error.message):
        read_origin(Failing(error), version_of("0" * 32))
