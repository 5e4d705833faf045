"""Residuals: where the model is off, and in which direction."""

import numpy as np
from matplotlib.axes import Axes

from training.lettering import number
from training.plots.chart import BLUE, INK, ORANGE, frame, legend, reach
from training.plots.data import PlotData

_STEPS = 12


def residuals(data: PlotData) -> Axes:
    """Residuals against predicted values, with their median and middle half in steps of rows."""
    rmse = float(np.sqrt(np.mean(np.square(data.residuals))))
    rows = data.shown_rows
    x, y = data.prediction[rows], data.residuals[rows]
    axes = frame(
        f"Residuals: RMSE = {number(rmse)}, mean = {number(float(data.residuals.mean()))}",
        data.about_rows,
        f"Predicted {data.target}",
        "Residual (actual - predicted)",
    )
    axes.set(xlim=reach(x), ylim=reach([*y, 0], 0.04))
    _dots(axes, x, y)
    axes.axhline(0, color=INK, lw=0.8)
    if len(rows) >= 5 * _STEPS:
        steps = np.array_split(np.argsort(x, kind="stable"), _STEPS)
        at = [float(np.median(x[step])) for step in steps]
        low, middle, high = np.transpose(
            [np.quantile(y[step], (0.25, 0.5, 0.75)) for step in steps]
        )
        axes.fill_between(at, low, high, color=ORANGE, alpha=0.3, lw=0)
        axes.plot(at, middle, color=ORANGE, lw=2, label="median and middle half")
        legend(axes, "upper left")
    return axes


def predicted(data: PlotData) -> Axes:
    """Predicted against actual values; on the line they are equal."""
    rows = data.shown_rows
    x, y = data.y[rows], data.prediction[rows]
    spread = float(np.sum(np.square(data.y - data.y.mean())))
    r2 = 1 - float(np.sum(np.square(data.residuals))) / spread if spread > 0 else None
    axes = frame(
        "Predicted against actual" + (f": R² = {r2:.3f}" if r2 is not None else ""),
        data.about_rows,
        f"Actual {data.target}",
        f"Predicted {data.target}",
    )
    ends = reach([*x, *y])
    axes.set(xlim=ends, ylim=ends)
    _dots(axes, x, y)
    axes.plot(ends, ends, color=INK, lw=0.8)
    return axes


def _dots(axes: Axes, x: np.ndarray, y: np.ndarray) -> None:
    alpha = 0.85 if len(x) < 100 else 0.5 if len(x) < 500 else 0.35
    axes.plot(x, y, "o", color=BLUE, ms=3.6, mew=0, alpha=alpha)
