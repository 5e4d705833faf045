"""Calibration: whether rows given a probability of 70 % come true 70 times in 100."""

import numpy as np

from training.plots.chart import BLUE, MUTED, Axis, Chart, mixed
from training.plots.data import PlotData
from training.plots.lettering import number, shorten

_BINS = 10
_ROWS = 30  # in each bin, where there are few


def calibration(data: PlotData) -> Chart:
    """The second class's probability for a binary task; the predicted class's for more."""
    if data.task == "binary":
        label = shorten(data.classes[1], 180)
        stated, came = data.prediction[:, 1], data.y == 1
        brier = float(np.mean((stated - came) ** 2))
        title = f"Calibration: Brier score = {number(brier)}"
        said, seen = f"Predicted probability of {label}", f"Share of rows that were {label}"
    else:
        stated = data.prediction[np.arange(len(data.y)), data.decided]
        came = data.decided == data.y
        title = f"Calibration: {stated.mean():.1%} sure on average, {came.mean():.1%} right"
        said, seen = "Probability of the predicted class", "Share of rows predicted right"
    k = int(np.clip(len(data.y) // _ROWS, 4, _BINS))
    bins = np.clip((stated * k).astype(np.int64), 0, k - 1)
    rows = np.bincount(bins, minlength=k)
    filled = rows > 0
    n = rows[filled]
    mean = np.bincount(bins, stated, minlength=k)[filled] / n
    rate = np.bincount(bins, came, minlength=k)[filled] / n
    chart = Chart(
        title,
        Axis.numbers(said, [0, 1]),
        Axis.numbers(seen, [0, 1]),
        f"{data.about}; bars: how often it was said, 95% intervals",
    )
    left = np.flatnonzero(filled) / k
    heights = 0.25 * n / n.max()
    light = [mixed(BLUE, 0.22)] * len(n)
    chart.boxes(left + 0.004, np.zeros(len(n)), left + 1 / k - 0.004, heights, light)
    chart.segments([0], [0], [1], [1], MUTED, 1, dashed=True)
    low, high = wilson(rate, n)
    chart.segments(mean, low, mean, high, BLUE, 1.5)
    chart.line(mean, rate, BLUE, 2)
    chart.points(mean, rate, BLUE, 4)
    return chart


def wilson(rate: np.ndarray, n: np.ndarray, z: float = 1.96) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's interval for a share of `n` rows, 95 % by default."""
    centre = (rate + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(rate * (1 - rate) / n + z**2 / (4 * n**2))
    return np.clip(centre - half, 0, 1), np.clip(centre + half, 0, 1)
