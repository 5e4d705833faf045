"""What the features are worth to a candidate: permutation importance, and coefficients."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from training.plots.chart import BLUE, FREE, INK, ORANGE, frame, names, reach, shorten, width
from training.plots.data import PlotData

#: The largest ones are shown.
MOST = 15


def importance(data: PlotData) -> Axes:
    """How much worse the metric gets when a feature's values are shuffled, largest first."""
    rows = sorted(data.importance, key=lambda row: -row[1])[:MOST]
    mean, spread = (np.array([row[i] for row in rows], np.float64) for i in (1, 2))
    title = _title("Permutation importance", len(rows), len(data.importance), "features")
    label = f"How much worse {data.metric} gets when the feature is shuffled"
    axes = _bars(title, data.about, label, [row[0] for row in rows], mean, [BLUE] * len(rows))
    axes.hlines(range(len(rows)), mean - spread, mean + spread, color=INK, lw=1.2)
    axes.set_xlim(reach(np.concatenate([[0], mean - spread, mean + spread])))
    return axes


def coefficients(data: PlotData) -> Axes:
    """The coefficients that are furthest from zero."""
    given = data.coefficients or ()
    rows = sorted(given, key=lambda row: -abs(row[1]))[:MOST]
    values = np.array([value for _, value in rows], np.float64)
    axes = _bars(
        _title("Coefficients", len(rows), len(given), "terms"),
        f"{data.candidate}; {_meaning(data)}",
        "Coefficient of the standardised feature",
        [name for name, _ in rows],
        values,
        [BLUE if value > 0 else ORANGE for value in values],
    )
    axes.set_xlim(reach(np.append(values, 0)))
    return axes


def _bars(
    title: str, note: str, x: str, given: Sequence[str], values: np.ndarray, colors: list[str]
) -> Axes:
    texts = [shorten(name, 200) for name in given]
    axes = frame(title, note, x, free=(round(max(map(width, texts))) + 30, *FREE[1:]))
    axes.barh(range(len(texts)), values, 0.64, color=colors, alpha=0.75)
    axes.axvline(0, color=INK, lw=0.8)
    names(axes, texts)
    return axes


def _meaning(data: PlotData) -> str:
    if data.task == "multiclass":
        return "of all classes, each feature's largest"
    return f"blue speaks for {data.classes[1]}" if data.classes else f"blue raises {data.target}"


def _title(what: str, shown: int, given: int, parts: str) -> str:
    return f"{what}: {shown} largest of {given:,} {parts}" if shown < given else what
