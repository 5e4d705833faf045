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
    words = np.array(["good,", 'the "best"', "line\nbreak", "<b>bold</b>", "naïve", "日本", "$x_1$"])
    zones = pd.Timestamp("2021-03-28T00:30:00+01:00") + pd.to_timedelta(rng.integers(0, 9_000, rows), "h")
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
        "large": 1e9 + first.to_numpy(),
    }


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(targets()))
def test_ugly_tables(kind: str, tmp_path: Path) -> None:
    frame = ugly()
    frame["y"] = targets()[kind]
    more = {"task": "regression"} if kind in ("infinite", "large") else {}
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
        if kind == "large":
            assert rows[0]["cv_mean"] < 15


@pytest.mark.slow
@pytest.mark.parametrize("rows", [20, 40])
@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
def test_small_tables(task: str, rows: int, tmp_path: Path) -> None:
    frame = frame_of("all", task, rows)
    with store_in(tmp_path):
        frame.to_csv("table.csv", index=False)
        board = train_quietly(data="table.csv", folds=5, budget=300.0)
    assert not {row["name"]: row["reason"] for row in board["candidates"] if row["status"] == "failed"}
