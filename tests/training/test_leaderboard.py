"""The order of the candidates, who is tied, and how it is shown."""

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from training.leaderboard import COLUMNS, order, plain, row, table, write_trials
from training.lettering import number, size


def done(name: str, mean: float, **more: Any) -> dict[str, Any]:
    facts = {
        **dict.fromkeys(("cv_mean", "test", "test_low", "test_high"), mean),
        "cv_std": 0.01,
        "fit_seconds": 1.0,
        "predict_seconds_per_row": 0.001,
        "model_bytes": 1_500,
    }
    return row(name, "finished", **facts | more)


def names(rows: list[dict[str, Any]]) -> list[str]:
    return [item["name"] for item in rows]


def test_a_row_has_all_columns_and_parts_its_name() -> None:
    made = row("gradient_boosting:xgboost", "failed", reason="x")
    assert tuple(made) == COLUMNS
    assert (made["algorithm"], made["engine"]) == ("gradient_boosting", "xgboost")
    assert row("svm", "failed")["engine"] is None


@pytest.mark.parametrize(("metric", "best"), [("roc_auc", "c"), ("log_loss", "a")])
def test_best_first_then_the_failed_then_what_does_not_apply(metric: str, best: str) -> None:
    rows = [
        row("x", "not_applicable"), row("y", "failed"), done("b", 0.5), done("a", 0.2),
        done("n", math.nan), done("c", 0.9),
    ]  # fmt: skip
    ordered = names(order(rows, metric, {}, ()))
    assert ordered[0] == best
    assert ordered[1] == "b"
    assert ordered[3:] == ["n", "y", "x"]


def test_what_was_validated_on_some_folds_comes_after_the_rest() -> None:
    rows = [done("part", 0.99), done("whole", 0.6), row("failed", "failed")]
    assert names(order(rows, "roc_auc", {}, {"part"})) == ["whole", "part", "failed"]


def test_ties_are_with_the_first() -> None:
    rng = np.random.default_rng(0)
    base = rng.normal(0.8, 0.02, 1_000)
    samples = {"a": base, "b": base + rng.normal(0, 0.001, 1_000), "c": base - 0.1}
    rows = [done("c", 0.7), done("b", 0.8), done("a", 0.81), row("d", "failed")]
    ordered = order(rows, "roc_auc", samples, ())
    assert [(r["name"], r["tied_with_best"]) for r in ordered] == [
        ("a", True), ("b", True), ("c", False), ("d", None),
    ]  # fmt: skip


def test_nothing_finished_is_in_order_too() -> None:
    assert names(order([row("a", "failed")], "rmse", {}, ())) == ["a"]
    assert order([], "rmse", {}, ()) == []


def test_json_has_no_nan() -> None:
    value = {"a": math.nan, "b": [np.float64("inf"), np.int64(3), (1.5, None)], "c": np.True_}
    assert plain(value) == {"a": None, "b": [None, 3, [1.5, None]], "c": True}
    json.dumps(plain(value), allow_nan=False)


def test_the_table_shows_every_candidate_and_reason() -> None:
    board = plain(
        {
            "task": "binary", "metric": "roc_auc", "rows": 12_345,
            "candidates": [
                done("svm", 0.9, tied_with_best=True),
                done("[bold]", math.nan, reason="validated on 1 of 5 folds only"),
                row("ensemble", "failed", reason="out of [red]memory"),
            ],
            "baseline": {"cv_mean": 0.5, "test": None, "test_low": None, "test_high": None},
        }
    )  # fmt: skip
    console = Console(width=120, record=True)
    console.print(table(board))
    text = console.export_text()
    for part in ("12,345 rows", "svm =", "0.9000 ± 0.0100", "[bold]", "failed", "baseline",
                 "ensemble: out of [red]memory", "1.5 kB", "1.00 ms", "folds only"):  # fmt: skip
        assert part in text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.00123, "0.001230"), (0.98765, "0.9877"), (12.3456, "12.35"), (1234.5, "1234"),
     (None, "-"), (math.nan, "-"), (0.0, "0.0000"), (-0.5, "-0.5000"),
     (1.5e9, "1.5e+09"), (2e-7, "2e-07")],
)  # fmt: skip
def test_numbers_are_short(value: float | None, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(12, "12 B"), (1_500, "1.5 kB"), (2_500_000, "2.5 MB"), (3_100_000_000, "3.1 GB")],
)
def test_sizes_are_for_people(count: int, text: str) -> None:
    assert size(count) == text


def test_trials_of_other_parameters_share_a_table(tmp_path: Path) -> None:
    write_trials(tmp_path / "t.csv", [{"trial": 0, "params.a": 1}, {"trial": 1, "params.b": 2}])
    with (tmp_path / "t.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert rows == [
        {"trial": "0", "params.a": "1", "params.b": ""},
        {"trial": "1", "params.a": "", "params.b": "2"},
    ]
    write_trials(tmp_path / "none.csv", [])
    assert not (tmp_path / "none.csv").exists()
