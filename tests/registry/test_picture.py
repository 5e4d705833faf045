"""The picture of a promotion's gates."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from registry.gates.result import Result
from registry.picture import draw_gates
from tests.registry.facts import quality, result

_BLUE, _ORANGE = (0, 114, 178), (213, 94, 0)


def _draw(results: list[Result], path: Path, **texts: str) -> np.ndarray:
    draw_gates(results, path, title=texts.get("title", "churn version 7"), note="by grace")
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


@pytest.mark.parametrize(
    "results",
    [
        [],
        [result("loads")],
        [result("loads", "failed"), quality(), result("fairness", "skipped")],
        [quality(low=None, high=None, probability_better=None)],
        [quality(difference=0.0, low=0.0, high=0.0, allowed=0.0)],
        [quality(difference=-3e9, low=-4e9, high=1e9, metric="rmse", rows=None)],
        [result("<$x_1$>" * 20, sentence="年 $a$ " * 200) for _ in range(20)],
    ],
)
def test_any_results_are_drawn(tmp_path: Path, results: list[Result]) -> None:
    picture = _draw(results, tmp_path / "gates.png", title="<$x$> " * 80)

    assert picture.shape[1] == 860


def test_a_worse_version_is_seen_to_be(tmp_path: Path) -> None:
    better = _draw([quality()], tmp_path / "a.png")
    worse = _draw([quality(difference=-0.02, low=-0.035, high=-0.005)], tmp_path / "b.png")

    # Only the interval's colour can differ: the gate's own mark is the same.
    assert (better == _ORANGE).all(axis=2).sum() == 0
    assert (worse == _ORANGE).all(axis=2).sum() > 100
    assert (worse == _BLUE).all(axis=2).sum() < (better == _BLUE).all(axis=2).sum()


def test_there_is_no_interval_where_nothing_was_compared(tmp_path: Path) -> None:
    compared = _draw([quality()], tmp_path / "a.png")
    alone = _draw([result("quality")], tmp_path / "b.png")

    assert alone.shape[0] < compared.shape[0]
