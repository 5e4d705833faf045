"""The parent run's chart: every candidate's test score with its 95% interval."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from training.plots.chart import BLUE, INK, MUTED, Axis, Chart, mixed
from training.plots.lettering import TICK, number, plain, shorten, width

_ROW = 28  # pixels
_FAR = 4  # times as far from the best score as the next nearer one, and it is left outside
_LIGHT = mixed(BLUE, 0.4)
_NOTE = "Best first by cross-validation; 95% intervals; dark: cannot be told from the best"


def leaderboard_chart(leaderboard: Mapping[str, Any], path: Path) -> Path:
    """Draw the leaderboard as a PNG file.

    Parameters
    ----------
    leaderboard : mapping
        As `sixfold leaderboard --json` prints it; `baseline`, a mapping with `test`, may be absent.
    path : Path
        The file to write.

    Returns
    -------
    Path
        `path`.
    """
    rows = sorted(leaderboard["candidates"], key=lambda row: _figure(row, "test") is None)
    scored = [row for row in rows if _figure(row, "test") is not None]
    metric, baseline = leaderboard["metric"], _figure(leaderboard.get("baseline") or {}, "test")
    low, test, high = np.array([_interval(row) for row in scored]).reshape(-1, 3).T
    texts = [_text(*interval) for interval in zip(low, test, high, strict=True)]
    title = "No candidate finished"
    if scored:
        title = f"{plain(scored[0]['name'])} leads: {metric} = {number(test[0])}"
    faint = range(len(scored), len(rows))
    chart = Chart(
        title,
        _axis(f"{metric} on the test rows", low, test, high, baseline),
        Axis.names("Candidate", [row["name"] for row in rows], 210, down=True, faint=faint),
        _NOTE,
        size=(760, 140 + _ROW * len(rows)),
        right=round(max((width(text, TICK) for text in texts), default=0)) + 40,
    )
    if baseline is not None and scored:
        _draw_baseline(chart, baseline)
    for i, row in enumerate(scored):
        color = BLUE if row.get("tied_with_best") else _LIGHT
        _draw_score(chart, i, low[i], test[i], high[i], color)
        chart.text(chart.x.high, i, texts[i], INK, anchor="lm", dx=16)
    for i, row in enumerate(rows[len(scored) :], start=len(scored)):
        reason = shorten(_reason(row), chart.size[0] - chart.left - 16)
        chart.text(chart.x.low, i, reason, MUTED, anchor="lm")
    return chart.save(path)


def _figure(row: Mapping[str, Any], key: str) -> float | None:
    value = row.get(key)
    return value if value is not None and math.isfinite(value) else None


def _interval(row: Mapping[str, Any]) -> tuple[float, float, float]:
    test, low, high = row["test"], _figure(row, "test_low"), _figure(row, "test_high")
    return (test if low is None else low, test, test if high is None else high)


def _text(low: float, test: float, high: float) -> str:
    return f"{number(test)} ({number(low)} to {number(high)})"


def _reason(row: Mapping[str, Any]) -> str:
    status = str(row["status"]).replace("_", " ")
    return f"{status}: {row['reason']}" if row.get("reason") else f"{status}, without a test score"


def _axis(
    label: str, low: np.ndarray, test: np.ndarray, high: np.ndarray, baseline: float | None
) -> Axis:
    """An axis on which good candidates can be told apart: a score far from them stays outside."""
    if not len(test):
        return Axis("", 0, 1, [])
    away = np.abs(test - test[0])
    reach = float(np.median(high - low))
    near = [0]
    for i in np.argsort(away, kind="stable"):
        if away[i] > _FAR * reach:
            break
        reach = max(reach, float(away[i]))
        near.append(int(i))
    ends = np.concatenate([low[near], high[near]])
    if baseline is not None and abs(baseline - test[0]) <= _FAR * reach:
        ends = np.append(ends, baseline)
    return Axis.numbers(label, ends, margin=0.04, most=5)


def _draw_baseline(chart: Chart, baseline: float) -> None:
    x, top = chart.x, chart.y.high
    text = f"dummy baseline {number(baseline)}"
    if baseline < x.low:
        chart.text(x.low, top, f"◀ {text}", MUTED, anchor="lb")
    elif baseline > x.high:
        chart.text(x.high, top, f"{text} ▶", MUTED, anchor="rb")
    else:
        chart.segments([baseline], [chart.y.low], [baseline], [top], MUTED, 1.5, dashed=True)
        chart.text(baseline, top, text, MUTED, anchor="mb")


def _draw_score(chart: Chart, i: int, low: float, test: float, high: float, color: str) -> None:
    if test < chart.x.low:
        chart.text(chart.x.low, i, "◀", color, anchor="lm")
    elif test > chart.x.high:
        chart.text(chart.x.high, i, "▶", color, anchor="rm")
    else:
        chart.segments([low], [i], [high], [i], color, 2.5)
        chart.points([test], [i], color, 5.5)
