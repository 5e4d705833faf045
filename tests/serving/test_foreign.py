"""What an image gets of a model that Sixfold has not trained, before anything loads it."""

import json
from pathlib import Path
from typing import Any

import pytest

from serving.compile import compile_model
from serving.foreign import made_request, requirements, warnings_of
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


def test_mlflow_is_installed_as_small_as_the_flavour_needs_it(tmp_path: Path) -> None:
    table = requirements(save_table_model(tmp_path / "table"))
    assert table == ["mlflow-skinny==3.17.2", "numpy", "pandas", "scikit-learn"]
    assert "mlflow==3.17.2" in requirements(save_python_model(tmp_path / "python"))
    given = ["mlflow==2.9.0", "lightgbm==4.6.0", "pandas==2.1.0"]
    old = requirements(save_tensor_model(tmp_path / "old", pip_requirements=given))
    assert old == ["lightgbm==4.6.0", "mlflow==2.9.0", "numpy", "pandas==2.1.0", "scikit-learn"]


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
