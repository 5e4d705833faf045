"""What the features are worth to a candidate: permutation importance, and coefficients."""

import numpy as np

from training.plots.chart import BLUE, INK, ORANGE, Axis, Chart, mixed
from training.plots.data import PlotData

#: The largest ones are shown.
MOST = 15


def importance(data: PlotData) -> Chart:
    """How much worse the metric gets when a feature's values are shuffled, largest first."""
    rows = sorted(data.importance, key=lambda row: -row[1])[:MOST]
    names = [name for name, _, _ in rows]
    mean, spread = (np.array([row[i] for row in rows], np.float64) for i in (1, 2))
    chart = Chart(
        _title("Permutation importance", len(rows), len(data.importance), "features"),
        Axis.numbers(
            f"How much worse {data.metric} gets when the feature is shuffled",
            np.concatenate([[0], mean - spread, mean + spread]),
            margin=0.02,
            most=5,
        ),
        Axis.names("", names, 200, down=True),
        data.about,
    )
    at = np.arange(len(rows))
    _bars(chart, mean, [BLUE] * len(rows))
    chart.segments(mean - spread, at, mean + spread, at, INK, 1.5)
    return chart


def coefficients(data: PlotData) -> Chart:
    """The coefficients that are furthest from zero."""
    given = data.coefficients or ()
    rows = sorted(given, key=lambda row: -abs(row[1]))[:MOST]
    values = np.array([value for _, value in rows], np.float64)
    chart = Chart(
        _title("Coefficients", len(rows), len(given), "terms"),
        Axis.numbers(
            "Coefficient of the standardised feature", np.append(values, 0), margin=0.02, most=5
        ),
        Axis.names("", [name for name, _ in rows], 200, down=True),
        f"{data.candidate}; {_meaning(data)}",
    )
    _bars(chart, values, [BLUE if value > 0 else ORANGE for value in values])
    return chart


def _bars(chart: Chart, values: np.ndarray, colors: list[str]) -> None:
    at = np.arange(len(values))
    tones = [mixed(color, 0.75) for color in colors]
    chart.boxes(np.zeros(len(values)), at - 0.32, values, at + 0.32, tones)
    chart.segments([0], [chart.y.low], [0], [chart.y.high], INK, 1)


def _meaning(data: PlotData) -> str:
    if data.task == "multiclass":
        return "of all classes, each feature's largest"
    return f"blue speaks for {data.classes[1]}" if data.classes else f"blue raises {data.target}"


def _title(what: str, shown: int, given: int, parts: str) -> str:
    return f"{what}: {shown} largest of {given:,} {parts}" if shown < given else what
