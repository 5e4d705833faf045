"""Every candidate is compiled on numbers and categories, and predicts what its pipeline does."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pandas as pd
import pytest

from serving import compile as compiling
from serving.compile import TOLERANCE, Compiled, compile_model
from serving.convert import NotConvertible, convert
from serving.graph import Graph
from tests.serving.models import write_model
from tests.training.problems import TASKS, frame_of
from training.algorithms import TABLE, find
from training.algorithms.gradient_boosting.catboost import with_levels
from training.features import conform
from training.scoring import Model

_SLOW = [pytest.mark.slow]
CASES = [
    (candidate, task)
    for candidate in TABLE
    for task in TASKS
    if task not in find(candidate).not_applicable
]
#: A candidate of each kind of computation; the others take longer.
_FAST = {"linear_regression", "svm", "random_forest", "gradient_boosting:sklearn"}
MARKED = [
    pytest.param(name, task, marks=[] if task == "multiclass" and name in _FAST else _SLOW)
    for name, task in CASES
]
BOOSTED = [name for name in TABLE if name.startswith("gradient_boosting")]
#: Of a CatBoost that is not built by its algorithm.
_SMALL = {"iterations": 20, "verbose": False, "thread_count": 1, "allow_writing_files": False}


def table_of(task: str, rows: int = 240) -> pd.DataFrame:
    """Numbers with gaps, categories of few and of many levels, booleans and dates."""
    return frame_of("all", task, rows).drop(columns="t")


def compiled_in(folder: Path, frame: pd.DataFrame, *candidates: str, **given: Any) -> Compiled:
    model = write_model(folder / "model", frame, candidates, **given)
    return compile_model(model, folder / "bundle", {"model": "m", "version": "1"})


def answers(bundle: Path, frame: pd.DataFrame) -> np.ndarray:
    """What a bundle's graph makes of a table."""
    rows = conform(frame, Model(bundle.parent / "model" / "data" / "model").schema)
    session = onnxruntime.InferenceSession(bundle / "model.onnx")
    return np.asarray(session.run(None, {"rows": rows})[0])


@pytest.mark.parametrize(("candidate", "task"), MARKED)
def test_each_candidate_is_compiled(candidate: str, task: str, tmp_path: Path) -> None:
    frame = table_of(task)
    compiled = compiled_in(tmp_path, frame, candidate)
    assert compiled.path == "onnx", compiled.why
    assert compiled.rows > 300
    assert compiled.difference is not None
    assert compiled.difference <= TOLERANCE
    files = {path.name for path in (tmp_path / "bundle").iterdir()}
    assert files == {"bundle.json", "schema.json", "sample.json", "model.onnx"}
    expected = Model(tmp_path / "model" / "data" / "model").predict_raw(frame)
    np.testing.assert_allclose(answers(tmp_path / "bundle", frame), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("task", TASKS)
def test_an_ensemble_is_compiled(task: str, tmp_path: Path) -> None:
    members = ["linear_regression", "random_forest", "gradient_boosting:lightgbm"]
    compiled = compiled_in(tmp_path, table_of(task), *members)
    assert compiled.path == "onnx", compiled.why


@pytest.mark.slow
@pytest.mark.parametrize(("candidate", "task"), CASES)
def test_gaps_where_training_had_none(candidate: str, task: str, tmp_path: Path) -> None:
    """What a library does with a missing number depends on whether it has ever seen one."""
    compiled = compiled_in(tmp_path, frame_of("numeric", task, 240), candidate)
    assert compiled.path == "onnx", compiled.why


@pytest.mark.slow
@pytest.mark.parametrize("candidate", [name for name, task in CASES if task == "multiclass"])
def test_a_class_that_a_member_does_not_know(candidate: str, tmp_path: Path) -> None:
    frame = table_of("multiclass")
    frame["y"] = np.where(frame["y"] == "mid", np.where(frame["a"] > 0, "mid", "rare"), frame["y"])
    frame.loc[frame.index % 29 != 0, "y"] = frame["y"].replace("rare", "low")
    compiled = compiled_in(tmp_path, frame, candidate, rows=40)
    assert compiled.path == "onnx", compiled.why


@pytest.mark.slow
@pytest.mark.parametrize("candidate", TABLE)
def test_rows_that_nothing_can_be_learnt_from(candidate: str, tmp_path: Path) -> None:
    task = "binary" if candidate == "logistic_regression" else "regression"
    compiled = compiled_in(tmp_path, frame_of("numeric", task), candidate, rows=1)
    assert compiled.path == "onnx", compiled.why


@pytest.mark.slow
@pytest.mark.parametrize("candidate", BOOSTED)
def test_many_trees_and_categories(candidate: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = table_of("binary", 1_500)
    frame["c"] = rng.choice([f"c{i}" for i in range(45)], 1_500)
    odd = frame["c"].str.removeprefix("c").astype(int) % 2 == 1
    frame["y"] = np.where(odd ^ (frame["a"] > 0.3), "yes", "no")
    compiled = compiled_in(tmp_path, frame, candidate, params={"iterations": 120})
    assert compiled.path == "onnx", compiled.why


@pytest.mark.parametrize(
    "task",
    [pytest.param(task, marks=[] if task == "binary" else _SLOW) for task in TASKS],
)
def test_a_catboost_asks_levels_few_and_many(task: str, tmp_path: Path) -> None:
    """One of few levels, the statistics of some and of thousands, of which a fit sees a part."""
    rng = np.random.default_rng(0)
    codes = {"few": rng.integers(0, 4, 6_000), "some": rng.integers(0, 30, 6_000)}
    codes["many"] = rng.integers(0, 3_000, 6_000)
    frame = pd.DataFrame({"a": rng.normal(size=6_000)})
    score = frame["a"] + rng.normal(scale=0.1, size=6_000)
    for name, code in codes.items():
        score += rng.normal(size=code.max() + 1)[code]
        frame[name] = [None if each % 7 == 3 else f"{name} {each}" for each in code]
    classes = ["low", "mid", "high"] if task == "multiclass" else ["low", "high"]
    frame["y"] = (
        score if task == "regression" else pd.qcut(score, len(classes), classes).astype(str)
    )
    name, params = "gradient_boosting:catboost", {"iterations": 60}
    compiled = compiled_in(tmp_path, frame, name, rows=2_000, params=params)
    assert compiled.path == "onnx", compiled.why
    model = Model(tmp_path / "model" / "data" / "model")
    assert {column.name: column.kind for column in model.schema.used} == {
        "a": "numeric",
        "few": "categorical",
        "some": "categorical",
        "many": "categorical",
    }
    expected, found = model.predict_raw(frame), answers(tmp_path / "bundle", frame)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    for column in codes:
        other = answers(
            tmp_path / "bundle", frame.assign(**{column: frame[column].iloc[::-1].array})
        )
        assert np.abs(other - found).max() > 0.01, f"{column} is not asked"


@pytest.mark.slow
def test_a_large_tables_catboost_is_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.algorithms.gradient_boosting.catboost.NATIVE_ROWS", 100)
    compiled = compiled_in(tmp_path, table_of("multiclass"), "gradient_boosting:catboost")
    assert compiled.path == "onnx", compiled.why


@pytest.mark.parametrize("statistic", ["Borders", "Buckets", "Counter", "BinarizedTargetMeanValue"])
def test_each_statistic_that_catboost_counts(statistic: str, tmp_path: Path) -> None:
    from catboost import CatBoostClassifier

    rng = np.random.default_rng(0)
    rows = np.column_stack([rng.normal(size=1_000), rng.geometric(0.1, size=1_000) - 1.0])
    rows[rng.random(1_000) < 0.1, 1] = np.nan
    y = np.digitize(rng.normal(size=1_000) + np.nan_to_num(rows[:, 1]) % 3, [0.5, 1.5])
    model = CatBoostClassifier(**_SMALL, max_ctr_complexity=1, simple_ctr=[statistic])
    model.fit(with_levels(rows[:700], [1]), y[:700], cat_features=[1])
    graph = Graph(2)
    onnx = graph.model(convert(model, graph, Graph.INPUT), rank=2)
    session = onnxruntime.InferenceSession(onnx.SerializeToString())
    expected = model.predict_proba(with_levels(rows, [1]))
    (found,) = session.run(None, {"rows": rows})
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_a_catboost_that_combines_categories_is_not_compiled() -> None:
    from catboost import CatBoostClassifier

    rng = np.random.default_rng(0)
    codes = rng.integers(0, 12, (2_000, 2))
    rows, y = codes.astype(float), (rng.random((12, 12)) > 0.5)[*codes.T].astype(int)
    model = CatBoostClassifier(**_SMALL, max_ctr_complexity=2, model_size_reg=0)
    model.fit(with_levels(rows, [0, 1]), y, cat_features=[0, 1])
    with pytest.raises(NotConvertible, match="combinations"):
        convert(model, Graph(2), Graph.INPUT)


def test_a_split_that_only_missing_categories_match(tmp_path: Path) -> None:
    frame = frame_of("categorical", "binary", 600)
    frame["y"] = np.where(frame["c"].isna() ^ (frame["a"] > 1), "yes", "no")
    compiled = compiled_in(tmp_path, frame, "gradient_boosting:sklearn", params={"iterations": 60})
    assert compiled.path == "onnx", compiled.why


@pytest.mark.parametrize("task", TASKS)
def test_machines_of_nystroem_features_and_of_samples(
    task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.algorithms.svm.KERNEL_ROWS", 100)
    monkeypatch.setattr("training.algorithms.svm.SAMPLE_ROWS", 300)
    monkeypatch.setattr("training.algorithms.svm._SAMPLE_CLASS_ROWS", 5)
    compiled = compiled_in(tmp_path, table_of(task, 900), "svm")
    assert compiled.path == "onnx", compiled.why


def test_a_small_target_is_as_exact_as_a_large_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = frame_of("numeric", "regression")
    frame["y"] *= 1e-7
    run = compiling._run
    wrong: Callable[[Path, np.ndarray], np.ndarray] = lambda *given: run(*given) + 1e-9  # noqa: E731
    assert compiled_in(tmp_path / "right", frame, "linear_regression").path == "onnx"
    monkeypatch.setattr(compiling, "_run", wrong)
    assert compiled_in(tmp_path / "wrong", frame, "linear_regression").path == "pipeline"


def test_a_graph_that_cannot_run_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from serving.convert import linear

    def unknown(estimator: Any, graph: Graph, matrix: str) -> str:
        return graph.op("Mean", matrix, matrix)  # which has no form for double precision

    monkeypatch.setattr(linear, "logistic_regression", unknown)
    compiled = compiled_in(tmp_path, frame_of("numeric", "binary"), "logistic_regression")
    assert compiled.path == "pipeline"
    assert "ONNX Runtime" in compiled.why


def test_a_graph_that_answers_otherwise_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sklearn.tree import DecisionTreeClassifier

    model = write_model(tmp_path / "model", table_of("binary"), ["decision_tree"])
    real = DecisionTreeClassifier.predict_proba
    # As if the library had changed what it computes since the converter was written.
    monkeypatch.setattr(
        DecisionTreeClassifier, "predict_proba", lambda self, X: real(self, X)[:, ::-1]
    )
    compiled = compile_model(model, tmp_path / "bundle", {})
    assert compiled.path == "pipeline"
    assert "differs" in compiled.why
    assert not (tmp_path / "bundle" / "model.onnx").exists()
    assert (tmp_path / "bundle" / "model" / "data" / "model" / "members.json").exists()


def test_what_has_no_compiled_form_stays_a_pipeline(tmp_path: Path) -> None:
    compiled = compiled_in(tmp_path, frame_of("text", "binary"), "logistic_regression")
    assert compiled.path == "pipeline"
    assert "'t'" in compiled.why
    facts = json.loads((tmp_path / "bundle" / "bundle.json").read_text())
    assert facts == {"format": 1, "model": "m", "version": "1", "mlflow": "3.17.2"} | {
        "path": "pipeline",
        "why": "The text column 't' has no compiled form.",
    }
