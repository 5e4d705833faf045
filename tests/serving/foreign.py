"""Models as others log them: by MLflow's own flavours, without Sixfold."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import mlflow.sklearn
import numpy as np
import pandas as pd
from mlflow.models import infer_signature
from mlflow.pyfunc import PythonModel
from mlflow.pyfunc import save_model as save_pyfunc
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from serving.compile import compile_model

FACTS = {"model": "theirs", "version": "3", "run_id": "r"}
_OPTIONS: dict[str, Any] = {
    "pip_requirements": ["mlflow==3.17.2", "scikit-learn"],
    "serialization_format": "cloudpickle",
}


@cache
def people() -> pd.DataFrame:
    """A table of numbers, whole numbers and texts."""
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "age": rng.normal(40, 10, 60).round(2),
            "city": rng.choice(["Aachen", "Bern"], 60),
            "children": rng.integers(0, 5, 60),
        }
    )


def save_table_model(folder: Path, **options: Any) -> Path:
    """A pipeline over columns, which answers with texts."""
    rows = people()
    labels = np.where(rows["age"] + rows["children"] > 42, "yes", "no")
    encoded = make_column_transformer((OneHotEncoder(), ["city"]), remainder=StandardScaler())
    pipeline = make_pipeline(encoded, LogisticRegression()).fit(rows, labels)
    given = {"signature": infer_signature(rows, labels), "input_example": rows.head(3)}
    mlflow.sklearn.save_model(pipeline, folder, **_OPTIONS | given | options)
    return folder


def save_tensor_model(folder: Path, **options: Any) -> Path:
    """A model over a matrix, with two numbers a row."""
    matrix = people()[["age", "children"]].to_numpy(np.float64)
    model = LinearRegression().fit(matrix, matrix @ [[1.0, 2.0], [0.5, -1.0]])
    given = {"signature": infer_signature(matrix, model.predict(matrix))}
    mlflow.sklearn.save_model(model, folder, **_OPTIONS | given | options)
    return folder


class Sums(PythonModel):
    """The sum of each row: any digit that is lost shows."""

    def predict(
        self, context: Any, model_input: Any, params: dict[str, Any] | None = None
    ) -> np.ndarray:
        if isinstance(model_input, dict):
            return model_input["left"] @ [1.0, 3.0] + model_input["right"]
        return model_input.to_numpy(np.float64) @ np.arange(1, model_input.shape[1] + 1)


def save_numbers_model(folder: Path) -> Path:
    """`Sums`, over columns of all of MLflow's types of numbers, with all digits that there are."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(5, 4)) * [1, 1e6, 100, 100]
    rows = pd.DataFrame(values, columns=["a, b", "c.1", "7", 'd"']).astype(
        {"c.1": "float32", "7": "int32", 'd"': "int64"}
    )
    return _save_sums(folder, rows)


def save_tensors_model(folder: Path) -> Path:
    """`Sums`, over two tensors by name."""
    rng = np.random.default_rng(0)
    left = rng.normal(size=(3, 2))
    return _save_sums(folder, {"left": left, "right": np.arange(3, dtype=np.float32)})


def _save_sums(folder: Path, rows: Any) -> Path:
    signature = infer_signature(rows, Sums().predict(None, rows))
    requirements = ["mlflow==3.17.2"]
    save_pyfunc(
        folder,
        python_model=Sums(),
        signature=signature,
        input_example=rows,
        pip_requirements=requirements,
    )
    return folder


class Shares(PythonModel):
    """A model of Python code, which answers with a table and takes a parameter."""

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        if (model_input["x"] < 0).any():
            raise ValueError(f"no negative x: {model_input['x'].tolist()}")
        scale = (params or {}).get("scale", 1.0)
        return pd.DataFrame({"low": model_input["x"] * scale, "high": model_input["x"] + scale})


class Draws(PythonModel):
    """A model whose predictions differ from one request to the next."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> np.ndarray:
        rng = np.random.default_rng()
        if self._kind == "numbers":
            return rng.normal(size=len(model_input))
        return rng.choice(["no", "yes"], len(model_input))


def save_drawing_model(folder: Path, kind: str) -> Path:
    """`Draws`, of numbers or labels."""
    rows = pd.DataFrame({"x": [1.0, 2.0, 3.0]})
    model = Draws(kind)
    save_pyfunc(
        folder,
        python_model=model,
        signature=infer_signature(rows, model.predict(None, rows)),
        input_example=rows,
        pip_requirements=["mlflow==3.17.2"],
    )
    return folder


def save_python_model(folder: Path, **options: Any) -> Path:
    """`Shares`, with its signature."""
    rows = pd.DataFrame({"x": [1.0, 2.0]})
    signature = infer_signature(rows, Shares().predict(None, rows), {"scale": 1.0})
    save_pyfunc(
        folder,
        python_model=Shares(),
        signature=signature,
        pip_requirements=["mlflow==3.17.2"],
        **options,
    )
    return folder


#: A model that imports code which it brings along.
_CARRIED = """
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel

class Carried(PythonModel):
    def predict(self, context, model_input):
        from serving.server.said import WORDS as SERVING
        from training.said import WORDS
        assert SERVING == WORDS
        return [WORDS] * len(model_input)

set_model(Carried())
"""


def save_code_model(folder: Path) -> Path:
    """A model from code, with packages of its own that are called as ours are."""
    code = folder.parent / "code"
    for package in ("training", "serving/server"):
        (code / package).mkdir(parents=True)
        (code / package / "said.py").write_text("WORDS = 'its own'\n")
    for name in ("training", "serving", "serving/server"):
        (code / name / "__init__.py").touch()
    file = folder.parent / "carried.py"
    file.write_text(_CARRIED)
    rows = pd.DataFrame({"x": [1.0]})
    save_pyfunc(
        folder,
        python_model=str(file),
        signature=infer_signature(rows),
        code_paths=[str(code / "training"), str(code / "serving")],
        pip_requirements=["mlflow==3.17.2"],
    )
    return folder


def bundle_of(model: Path, bundle: Path) -> Path:
    """What an image of the model has of it."""
    assert compile_model(model, bundle, FACTS).path == "pyfunc"
    return bundle


def example_of(bundle: Path) -> Any:
    """The request that the bundle is tried with."""
    return json.loads((bundle / "sample.json").read_text())["request"]
