"""A model's pipelines become one ONNX graph, if that is what they are: the fastest correct form.

Each member's pipeline is written as a graph, their weighted sum is the model. What the graph makes
of the recorded sample and of rows on the edge of what there can be is compared with what the
pipelines make of them: where they differ, or something has no compiled form, the pipelines stay.
"""

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from serving.convert import NotConvertible, convert
from serving.foreign import describe
from serving.graph import Graph
from serving.server.bundle import PYFUNC
from training.sample import FILE as SAMPLE
from training.sample import read_sample

if TYPE_CHECKING:
    import onnx

    from training.schema import Schema
    from training.scoring import Model

FORMAT = 1
#: The files of a bundle.
FACTS, SCHEMA, GRAPH, PIPELINES = "bundle.json", "schema.json", "model.onnx", "model"
#: How far a compiled prediction may be from the pipeline's.
TOLERANCE = 1e-5
_EDGE_ROWS = 400
_LOGGED_BY = re.compile(r"^mlflow_version: ([\w.]+)$", re.MULTILINE)
_LARGEST = 3e38  # `training.features.conform` gives nothing beyond


@dataclass(frozen=True)
class Compiled:
    """What became of a model.

    Attributes
    ----------
    path : {'onnx', 'pipeline', 'pyfunc'}
    why : str
        One sentence.
    rows : int
        Rows that the two were compared on.
    difference : float or None
        The largest difference on them, relative to the prediction or to the predictions' scale.
    """

    path: str
    why: str
    rows: int = 0
    difference: float | None = None


def compile_model(model: Path, bundle: Path, facts: Mapping[str, Any]) -> Compiled:
    """Write what a serving image needs of a model.

    Parameters
    ----------
    model : Path
        A logged model's folder, `MLmodel` in it.
    bundle : Path
        A folder that is made: `bundle.json`, and `schema.json`, `sample.json` and `model.onnx`,
        or the model itself in `model/` where it is not compiled. For one that Sixfold has not
        trained see `foreign.py`.
    facts : mapping
        `model`, `version` and what else is to stand in `bundle.json`, beside the MLflow that has
        logged the model.

    Returns
    -------
    Compiled

    Raises
    ------
    UserError
        A model that Sixfold has not trained, without a signature or MLflow's `python_function`.
    """
    bundle.mkdir(parents=True)
    data = model / "data" / "model"
    ours = (data / "members.json").is_file() and (data / SCHEMA).is_file()
    if ours:
        compiled = _compile(data, bundle)
        for name in (SCHEMA, SAMPLE):
            shutil.copyfile(data / name, bundle / name)
    else:
        compiled = Compiled(PYFUNC, describe(model, bundle))
    if compiled.path != "onnx":
        shutil.copytree(model, bundle / PIPELINES)
    logged_by = _LOGGED_BY.search((model / "MLmodel").read_text())
    facts = {**facts, "mlflow": logged_by[1] if logged_by else ""}
    record = {"format": FORMAT, **facts, "path": compiled.path, "why": _sentence(compiled.why)}
    (bundle / FACTS).write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    return compiled


def _sentence(words: str) -> str:
    """Words that follow a colon where the build says them, as a page says them."""
    return f"{words[:1].upper()}{words[1:].rstrip('.')}."


def _compile(data: Path, bundle: Path) -> Compiled:
    from training.scoring import Model

    model = Model(data)
    if texts := [column.name for column in model.schema.used if column.kind == "text"]:
        return Compiled("pipeline", f"the text column {texts[0]!r} has no compiled form")
    try:
        graph = to_onnx(model)
    except NotConvertible as error:
        return Compiled("pipeline", str(error))
    (bundle / GRAPH).write_bytes(graph.SerializeToString())
    compiled = _compare(model, data / SAMPLE, bundle / GRAPH)
    if compiled.path == "pipeline":
        (bundle / GRAPH).unlink()
    return compiled


def to_onnx(model: "Model") -> "onnx.ModelProto":
    """Write a model's members and their weighted sum as one graph.

    Raises
    ------
    NotConvertible
    """
    graph = Graph(len(model.schema.features))
    classes = len(model.schema.target.classes or ())
    parts = []
    for member in model.members:
        found = convert(member.pipeline, graph, Graph.INPUT)
        if member.present is not None and len(member.present) != classes:
            known = np.zeros((len(member.present), classes))
            known[np.arange(len(member.present)), member.present] = 1.0
            found = graph.op("MatMul", found, graph.constant(known))
        parts.append(found)
    whole = graph.weighted(parts, [member.weight for member in model.members])
    if classes:
        return graph.model(whole, rank=2)
    return graph.model(graph.op("Reshape", whole, graph.constant([-1], np.int64)), rank=1)


def _compare(model: "Model", sample: Path, file: Path) -> Compiled:
    import pandas as pd

    from training.features import conform

    records, recorded = read_sample(sample)
    known = conform(pd.DataFrame(records), model.schema)
    rows = np.concatenate([known, edge_rows(model.schema, known)])
    expected = model.predict_rows(rows)
    try:
        found = _run(file, rows)
    except _refusals() as error:
        return Compiled("pipeline", f"ONNX Runtime refuses it: {str(error).splitlines()[0][:200]}")
    # A number of a small scale is to be as exact as one of a large scale; of probabilities 1 is it.
    scale = float(np.abs(recorded).mean()) or 1.0 if recorded.ndim == 1 else 1.0
    sampled = _distance(found[: len(recorded)], recorded, scale)
    worst = float(np.concatenate([sampled, _distance(found, expected, scale)]).max())
    if not worst <= TOLERANCE:
        why = f"compiled, it differs by {worst:.2g} (at most {TOLERANCE:g}) from the pipeline"
        return Compiled("pipeline", why, len(rows), worst)
    why = f"compiled to ONNX: at most {worst:.2g} from the pipeline on {len(rows)} rows"
    return Compiled("onnx", why, len(rows), worst)


def _distance(found: np.ndarray, expected: np.ndarray, scale: float) -> np.ndarray:
    """Differences relative to the prediction, or to the scale if that is more; inf for NaN."""
    if found.shape != expected.shape:
        return np.array([np.inf])
    far = np.abs(found - expected) / np.maximum(scale, np.abs(expected))
    return np.where(found == expected, 0.0, np.where(np.isnan(far), np.inf, far)).ravel()


def edge_rows(schema: "Schema", known: np.ndarray, seed: int = 0) -> np.ndarray:
    """Rows as there may be any: missing values, all levels, unknown ones, and extremes.

    Parameters
    ----------
    schema : Schema
    known : ndarray, (n, p)
        Feature rows to start from.
    seed : int, default 0

    Returns
    -------
    ndarray, (400, p)
    """
    rng = np.random.default_rng(seed)
    rows = known[rng.integers(0, len(known), _EDGE_ROWS)].copy()
    spread = np.nan_to_num(np.nanstd(known, axis=0)) + 1.0
    for place, feature in enumerate(schema.features):
        if feature.kind == "categorical":
            rows[:, place] = rng.integers(0, max(1, feature.levels), _EDGE_ROWS)
        else:
            rows[:, place] += rng.normal(0, 1, _EDGE_ROWS) * spread[place]
            chosen = rng.random(_EDGE_ROWS)
            rows[chosen < 0.1, place] = 0.0
            rows[(chosen >= 0.1) & (chosen < 0.13), place] = rng.choice([-1e6, 1e6])
            if feature.kind == "boolean":
                rows[:, place] = rng.integers(0, 2, _EDGE_ROWS)
        rows[rng.random(_EDGE_ROWS) < 0.15, place] = np.nan
    rows[0] = np.nan
    for at, extreme in enumerate((_LARGEST, -_LARGEST, 1e-300), start=1):
        numbers = [i for i, feature in enumerate(schema.features) if feature.kind == "numeric"]
        rows[at, numbers] = extreme
    return rows


def _refusals() -> tuple[type[Exception], ...]:
    """What ONNX Runtime raises where it has no such operator, or no such type of one."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    names = ("Fail", "InvalidArgument", "InvalidGraph", "NotImplemented", "RuntimeException")
    return tuple(getattr(state, name) for name in names)


def _run(file: Path, rows: np.ndarray) -> np.ndarray:
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # later than its import is too late
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what it refuses is told by the exception
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(file), options, ["CPUExecutionProvider"])
    return np.asarray(session.run(None, {Graph.INPUT: rows})[0], np.float64)
