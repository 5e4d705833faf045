"""Bundles to serve: a schema, and a linear model as ONNX that both sides can compute."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
from onnx import TensorProto, helper

from training.features import conform
from training.schema import Column, Schema, Target

NUMBERS = Schema(
    "regression",
    Target("price", "float"),
    tuple(Column(f"x{at}", "numeric", "float64") for at in range(6)),
    100,
    "f" * 32,
)

_MIXED = (
    Column("size [cm]", "numeric", "float64"),
    Column("count", "numeric", "int64"),
    Column("amount", "numeric", "string"),
    Column("colour", "categorical", "string", levels=("red", "green", "bl<ue", "1")),
    Column("grade", "categorical", "int64", levels=("1", "2", "3")),
    Column("smoker", "boolean", "bool"),
    Column("note", "dropped", "string", why="one value"),
    Column("joined", "datetime", "datetime64", parts=("elapsed", "year", "month", "hour")),
    Column("born", "datetime", "string", parts=("year", "day"), format="%d.%m.%Y"),
)
MIXED = Schema("binary", Target("ill", "boolean", [False, True]), _MIXED, 100, "e" * 32)
LEVELS = Schema(
    "multiclass", Target("kind", "integer", [1, 2, 30]), _MIXED, 100, "d" * 32, na_values="?,-999"
)

ROW = {
    "size [cm]": 170.5,
    "count": 3,
    "amount": "1,234.50",
    "colour": "red",
    "grade": 2,
    "smoker": True,
    "joined": "2020-01-02T03:04:05",
    "born": "31.12.1980",
}


def sample_rows(schema: Schema, rows: int = 5) -> list[dict[str, Any]]:
    """Rows of the schema, the first without gaps."""
    if schema is NUMBERS:
        rng = np.random.default_rng(0)
        return [
            {c.name: float(v) for c, v in zip(schema.used, rng.normal(size=6), strict=True)}
            for _ in range(rows)
        ]
    gaps: list[dict[str, Any]] = [
        {},
        {"colour": None},
        {"count": "7", "grade": "x"},
        {"born": "", "smoker": "no"},
    ]
    return [ROW | {"size [cm]": 150.0 + at} | gaps[at % 4] for at in range(rows)]


class Linear:
    """A model of random weights, missing values as 0: computed here, or written as ONNX."""

    def __init__(self, schema: Schema, seed: int = 0) -> None:
        self.schema = schema
        rng = np.random.default_rng(seed)
        outputs = len(schema.target.classes or ()) or 1
        usual = np.abs(np.nan_to_num(self._matrix(sample_rows(schema)))).max(axis=0) + 1
        self.weights = rng.normal(size=(len(schema.features), outputs)) / usual[:, None]

    def raw(self, X: np.ndarray) -> np.ndarray:
        """Values (n,) or probabilities (n, k)."""
        scores = np.nan_to_num(X) @ self.weights
        if not self.schema.target.classes:
            return np.asarray(scores[:, 0])
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))

    def predict(self, records: list[dict[str, Any]]) -> np.ndarray:
        """As `raw`, from rows as a user has them."""
        return self.raw(self._matrix(records))

    def _matrix(self, records: list[dict[str, Any]]) -> np.ndarray:
        names = [column.name for column in self.schema.used]
        return np.asarray(conform(pd.DataFrame(records, columns=names, dtype=object), self.schema))

    def write(self, path: Path) -> None:
        """Write the model as a bundle has it."""
        classes = len(self.schema.target.classes or ())
        zero = helper.make_tensor("zero", TensorProto.DOUBLE, [1], [0.0])
        weights = helper.make_tensor(
            "weights", TensorProto.DOUBLE, self.weights.shape, self.weights.ravel()
        )
        nodes = [
            helper.make_node("IsNaN", ["rows"], ["gaps"]),
            helper.make_node("Where", ["gaps", "zero", "rows"], ["filled"]),
            helper.make_node("MatMul", ["filled", "weights"], ["scores"]),
        ]
        inner = [zero, weights]
        if classes:
            nodes.append(helper.make_node("Softmax", ["scores"], ["raw"], axis=1))
        else:
            inner.append(helper.make_tensor("axis", TensorProto.INT64, [1], [1]))
            nodes.append(helper.make_node("Squeeze", ["scores", "axis"], ["raw"]))
        width = len(self.schema.features)
        rows = helper.make_tensor_value_info("rows", TensorProto.DOUBLE, ["n", width])
        shape: list[str | int | None] = ["n", classes] if classes else ["n"]
        raw = helper.make_tensor_value_info("raw", TensorProto.DOUBLE, shape)
        graph = helper.make_graph(nodes, "linear", [rows], [raw], inner)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.save(model, str(path))


def write_bundle(folder: Path, schema: Schema, model: Linear | None = None, **facts: Any) -> Linear:
    """Write a bundle of the schema into a folder; returns its model."""
    model = model or Linear(schema)
    folder.mkdir(parents=True, exist_ok=True)
    known = {"format": 1, "model": "churn", "version": "3", "run_id": "r", "path": "onnx"}
    known |= {"why": "Every step has a form in ONNX.", "mlflow": "3.17.0"}
    (folder / "bundle.json").write_text(json.dumps(known | facts))
    schema.write(folder / "schema.json")
    rows = sample_rows(schema)
    sample = {"rows": rows, "predictions": model.predict(rows).tolist()}
    (folder / "sample.json").write_text(json.dumps(sample))
    model.write(folder / "model.onnx")
    return model
