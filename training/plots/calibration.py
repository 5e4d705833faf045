"""Calibration: whether rows given a probability of 70 % come true 70 times in 100."""

import numpy as np
from matplotlib.axes import Axes
from scipy.stats import binomtest

from training.lettering import number
from training.plots.chart import BLUE, MUTED, frame, shorten
from training.plots.data import PlotData

_BINS = 10
_ROWS = 30  # in each bin, where there are few


def calibration(data: PlotData) -> Axes:
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
    filled = np.flatnonzero(rows)
    n, true = rows[filled], np.bincount(bins[came], minlength=k)[filled]
    mean = np.bincount(bins, stated, minlength=k)[filled] / n
    note = f"{data.about}; bars: how often it was said, 95% intervals"
    axes = frame(title, note, said, seen)
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    axes.bar((filled + 0.5) / k, 0.25 * n / n.max(), 0.98 / k, color=BLUE, alpha=0.22, lw=0)
    axes.plot([0, 1], [0, 1], "--", color=MUTED, lw=1)
    axes.vlines(mean, *np.transpose([_interval(*pair) for pair in zip(true, n, strict=True)]),
                color=BLUE, lw=1.2)  # fmt: skip
    axes.plot(mean, true / n, "o-", color=BLUE, lw=1.6, ms=6)
    return axes


def _interval(true: int, rows: int) -> tuple[float, float]:
    """Wilson's 95 % interval."""
    return binomtest(int(true), int(rows)).proportion_ci(method="wilson")
