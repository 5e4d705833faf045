"""Whole trainings on tables as they come: what a user sees and what MLflow holds."""

from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest

from tests.training.problems import frame_of
from tests.training.trained import Trained, store_in, train_quietly
from training.algorithms import TABLE
from training.errors import TrainingFailed, UserError


def ugly(rows: int = 240) -> pd.DataFrame:
    """Columns of every kind with names, gaps and values that break things."""
    rng = np.random.default_rng(1)
    frame = frame_of("all", "regression", rows, 1)
    words = np.array(
        ["good,", 'the "best"', "line\nbreak", "<b>bold</b>", "naïve", "日本", "$x_1$"]
    )
    zones = pd.Timestamp("2021-03-28T00:30:00+01:00") + pd.to_timedelta(
        rng.integers(0, 9_000, rows), "h"
    )
    frame["id"] = [f"{i:032x}" for i in rng.permutation(rows)]
    frame["row"] = np.arange(rows)
    frame["when"] = [moment.isoformat() for moment in zones]
    frame["said"] = [" ".join(rng.choice(words, 7)) + f" {i}" for i in range(rows)]
    frame["town"] = [f"town [{i % 70}]" for i in rng.permutation(rows)]
    frame["always"] = "same"
    frame["never"] = np.nan
    frame["twice"] = frame["b"]
    frame["odd"] = np.where(rng.random(rows) < 0.02, np.inf, rng.normal(size=rows))
    frame["flag"] = rng.choice(np.array(["yes", "no", None]), rows)
    for name in ("when", "said", "town", "c", "f"):
        frame[name] = frame[name].astype(object).where(rng.random(rows) > 0.15)
    return frame.rename(
        columns={
            "a": "a[b", "b": "<", "m": "x:y", "c": 'say "hi"', "h": "a,b", "t": "7",
            "d": "größe €", "odd": "o'dd {1}", "flag": " ", "town": "$t_o$",
        }
    )  # fmt: skip


def targets(rows: int = 240) -> dict[str, Any]:
    """A target for each kind of trouble; all can be learnt from the first column."""
    first = frame_of("all", "regression", rows, 1)["y"]
    rank = first.rank(ascending=False).to_numpy()
    return {
        "boolean": first.to_numpy() > 3,
        "one_percent": np.where(rank <= 3, "yes", "no"),
        "brackets": np.select([rank < 80, rank < 160], ["<a>", "[b], c"], "$c_{1}$"),
        "gaps": np.select([rank < 80, rank < 160], [-5, 3], 1_000),
        "rare": np.select([rank < 2, rank < 5, rank < 120], ["one", "three", "many"], "most"),
        "infinite": np.where(rank % 40 == 0, np.inf, first.to_numpy()),
    }


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(targets()))
def test_ugly_tables(kind: str, tmp_path: Path) -> None:
    frame = ugly()
    frame["y"] = targets()[kind]
    more = {"task": "regression"} if kind == "infinite" else {}
    with store_in(tmp_path):
        frame.to_csv("table.csv", index=False)
        board = train_quietly(data="table.csv", budget=300.0, **more)
        rows = board["candidates"]
        done = {row["name"]: row["status"] for row in rows}
        assert len(rows) == len(TABLE) + 1
        skipped = ["logistic_regression"] if more else []
        assert [name for name, status in done.items() if status == "not_applicable"] == skipped
        failed = {row["name"]: row["reason"] for row in rows if row["status"] == "failed"}
        assert not failed
        raw = pd.read_csv("table.csv")
        for row in rows:
            if row["status"] == "finished":
                found = mlflow.pyfunc.load_model(row["model_uri"]).predict(raw.head(7))
                assert len(found) == 7
                if not more:
                    assert set(np.asarray(found).tolist()) <= set(raw["y"].tolist())
        runs = mlflow.search_runs(output_format="list", search_all_experiments=True)
        assert {run.info.status for run in runs} == {"FINISHED"}


def test_what_a_training_leaves_in_mlflow(trained: Trained) -> None:
    runs = trained.runs()
    assert {run.info.status for run in runs} == {"FINISHED"}
    (parent,) = [run for run in runs if run.info.run_id == trained.board["run_id"]]
    children = [run for run in runs if run is not parent]
    assert len(children) == len(trained.finished) == 4
    for run in children:
        name, metrics = run.data.tags["candidate"], run.data.metrics
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        row = trained.row(name)
        assert metrics["cv_log_loss"] == pytest.approx(row["cv_mean"], rel=1e-6)
        assert metrics["test_log_loss"] == row["test"]
        assert row["test_low"] <= row["test"] <= row["test_high"]
        steps = mlflow.MlflowClient().get_metric_history(run.info.run_id, "fold_log_loss")
        assert [item.step for item in steps] == [0, 1, 2]
    names = [frozenset(run.data.metrics) for run in children]
    assert len(set(names)) == 1, "the compare view needs the same metrics in all runs"
    (version,) = mlflow.MlflowClient().search_model_versions("name='winner'")
    assert version.version == "1" or int(version.version) == 1


def test_a_training_without_a_candidate_fails_and_says_why(tmp_path: Path) -> None:
    with store_in(tmp_path):
        frame_of("numeric", "binary", 60).to_csv("table.csv", index=False)
        with pytest.raises(TrainingFailed, match="ran out of time"):
            train_quietly(data="table.csv", algorithms="random_forest", budget=0.001)
        runs = mlflow.search_runs(output_format="list", search_all_experiments=True)
        assert [run.info.status for run in runs] == ["FAILED", "FAILED"]
        assert all("ran out of time" in run.data.tags["reason"] for run in runs)


def test_an_algorithm_without_meaning_alone_is_refused(tmp_path: Path) -> None:
    with store_in(tmp_path):
        frame_of("numeric", "regression", 60).to_csv("table.csv", index=False)
        with pytest.raises(UserError, match="logistic regression predicts classes"):
            train_quietly(data="table.csv", algorithms="logistic_regression")


@pytest.mark.slow
@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
def test_twenty_rows(task: str, tmp_path: Path) -> None:
    frame = frame_of("all", task, 20)
    with store_in(tmp_path):
        frame.to_csv("table.csv", index=False)
        board = train_quietly(data="table.csv", folds=5, budget=300.0)
    assert not {
        row["name"]: row["reason"] for row in board["candidates"] if row["status"] == "failed"
    }
