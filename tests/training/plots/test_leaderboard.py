"""The chart of a whole training."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from training.plots import leaderboard_chart
from training.plots.leaderboard import span


def _row(name: str, test: float | None, status: str = "finished", **more: Any) -> dict[str, Any]:
    low, high = (None, None) if test is None else (test - 0.01, test + 0.01)
    return {"name": name, "status": status, "reason": None, "test": test, "test_low": low,
            "test_high": high, "tied_with_best": test is not None} | more  # fmt: skip


def _leaderboard(*rows: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"metric": "roc_auc", "candidates": list(rows), "baseline": {"test": 0.5}} | more


FAILED = _row("svm", None, "failed", reason="killed for memory, 2.1 GB; " * 9, tied_with_best=None)
ABSENT = _row("logistic_regression", None, "not_applicable", reason="the target is a number")


@pytest.mark.parametrize(
    "board",
    [
        _leaderboard(_row("a", 0.9), _row("b", 0.89), FAILED, ABSENT),
        _leaderboard(_row("a", 0.9)),
        _leaderboard(_row("a", 0.9), baseline=None),
        _leaderboard(_row("a", 0.9), baseline={"test": None, "cv_mean": 0.5}),
        _leaderboard(_row("a", 0.9), _row("b", None), _row("c", float("nan"))),
        _leaderboard(_row("a", 0.9, test_low=None, test_high=float("nan"))),
        _leaderboard(*(_row(f"<$name_{i}$> 年" * 30, 0.9 - 0.01 * i) for i in range(15))),
        _leaderboard(_row("a", 0.0), _row("b", 0.0), metric="rmse", baseline={"test": 0.0}),
        _leaderboard(_row("a", 3e9), _row("b", -3e9), metric="r2"),
        _leaderboard(FAILED, ABSENT),
        _leaderboard(),
    ],
)
def test_any_leaderboard_is_drawn(tmp_path: Path, board: dict[str, Any]) -> None:
    path = leaderboard_chart(board, tmp_path / "leaderboard.png")

    assert path == tmp_path / "leaderboard.png"
    with Image.open(path) as picture:
        assert picture.width == 760
        picture.verify()


def _ends(tests: list[float], baseline: float | None) -> tuple[float, float]:
    test = np.array(tests)
    return span(test - 0.01, test, test + 0.01, np.nan if baseline is None else baseline)


def test_good_candidates_fill_the_axis() -> None:
    low, high = _ends([0.95, 0.94, 0.93, 0.91], None)

    assert low == pytest.approx(0.9, abs=0.01)
    assert high == pytest.approx(0.96, abs=0.01)


def test_a_score_far_from_all_others_stays_outside() -> None:
    assert _ends([0.95, 0.94, 0.93, 0.10], None)[0] > 0.8
    assert _ends([3.1, 3.2, 3.4, 1e9], None)[1] < 10


def test_a_near_baseline_is_on_the_axis_and_a_far_one_is_not() -> None:
    assert _ends([0.95, 0.92], 0.85)[0] < 0.85
    assert _ends([0.95, 0.94], 0.50)[0] > 0.50
