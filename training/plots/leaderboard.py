"""The parent run's chart: every candidate's test score with its 95% interval."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from training.lettering import number
from training.plots.chart import (
    BLUE,
    MUTED,
    frame,
    names,
    plain,
    reach,
    save,
    shorten,
    style,
    width,
)

_FAR = 4  # times as far from the best score as the next nearer one, and it is left outside
_LIGHT = "#99c7e0"
_NOTE = "Best first by cross-validation; 95% intervals; dark: cannot be told from the best"


@style()
def leaderboard_chart(leaderboard: Mapping[str, Any], path: Path) -> Path:
    """Draw what `sixfold leaderboard --json` prints, with `baseline` or not, as the PNG `path`."""
    rows, metric = leaderboard["candidates"], leaderboard["metric"]
    rows = sorted(rows, key=lambda row: bool(np.isnan(_scores(row)[1])))
    low, test, high = np.array([_scores(row) for row in rows]).reshape(-1, 3).T
    shown = int(np.isfinite(test).sum())
    labels = [shorten(row["name"], 210) for row in rows]
    texts = [
        f"{number(test[i])} ({number(low[i])} to {number(high[i])})"
        if i < shown
        else f"{row['status']}: {row.get('reason') or 'no test score'}".replace("_", " ", 1)
        for i, row in enumerate(rows)
    ]
    left, right = (round(max(map(width, x), default=0)) for x in (labels, texts[:shown]))
    title = f"{plain(rows[0]['name'])} leads: {metric} = {number(test[0])}" if shown else ""
    label = f"{metric} on the test rows" if shown else ""
    size, free = (760, 140 + 28 * len(rows)), (left + 34, right + 36, 56, 84)
    axes = frame(title or "No candidate finished", _NOTE, label, size=size, free=free)
    names(axes, labels)
    baseline = _scores(leaderboard.get("baseline") or {})[1]
    ends = span(low[:shown], test[:shown], high[:shown], baseline) if shown else (0.0, 1.0)
    axes.set_xlim(ends)
    if not shown:
        axes.set_xticks([])
    for i, (row, tick) in enumerate(zip(rows, axes.get_yticklabels(), strict=True)):
        line, place = shorten(texts[i], 760 - left - 54), axes.get_yaxis_transform()
        written = axes.text(1.02, i, line, transform=place, va="center_baseline")
        if i >= shown:
            written.set(x=0, color=MUTED)
            tick.set_color(MUTED)
            continue
        color = BLUE if row.get("tied_with_best") else _LIGHT
        axes.hlines(i, low[i], high[i], color=color, lw=2)
        mark = "<" if test[i] < ends[0] else ">" if test[i] > ends[1] else "o"
        axes.plot(np.clip(test[i], *ends), i, mark, color=color, ms=8, clip_on=False)
    if shown and np.isfinite(baseline):
        x, outside = float(np.clip(baseline, *ends)), not ends[0] <= baseline <= ends[1]
        axes.axvline(x, ls="" if outside else "--", color=MUTED, lw=1.2)
        side, text = "center", f"dummy baseline {number(baseline)}"
        if outside:
            side, text = ("left", f"◀ {text}") if x == ends[0] else ("right", f"{text} ▶")
        axes.text(x, 1.02, text, color=MUTED, ha=side, transform=axes.get_xaxis_transform())
    return save(axes, path)


def _scores(row: Mapping[str, Any]) -> np.ndarray:
    """Low end, score and high end; NaN without a score."""
    scores = np.array([row.get(key) for key in ("test_low", "test", "test_high")], np.float64)
    return np.where(np.isfinite(scores), scores, scores[1])


def span(
    low: np.ndarray, test: np.ndarray, high: np.ndarray, baseline: float
) -> tuple[float, float]:
    """Ends of the axis so that good candidates can be told apart: a score far off stays outside."""
    order = np.argsort(np.abs(test - test[0]), kind="stable")
    far, near = float(np.median(high - low)), 0
    for away in np.abs(test - test[0])[order]:
        if away > _FAR * far:
            break
        far, near = max(far, float(away)), near + 1
    held = [test[0], *low[order[:near]], *high[order[:near]]]
    return reach(held + [baseline] * bool(abs(baseline - test[0]) <= _FAR * far), 0.04)
