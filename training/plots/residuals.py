"""Residuals: where the model is off, and in which direction."""

import numpy as np

from training.plots.chart import BLUE, INK, ORANGE, Axis, Chart
from training.plots.data import PlotData
from training.plots.lettering import number

BINS = 12


def residuals(data: PlotData) -> Chart:
    """Residuals against predicted values, with their median and middle half in steps of rows."""
    rmse = float(np.sqrt(np.mean(np.square(data.residuals))))
    rows = data.shown_rows
    x, y = data.prediction[rows], data.residuals[rows]
    chart = Chart(
        f"Residuals: RMSE = {number(rmse)}, mean = {number(float(data.residuals.mean()))}",
        Axis.numbers(f"Predicted {data.target}", x, margin=0.02),
        Axis.numbers("Residual (actual - predicted)", np.append(y, 0), margin=0.04),
        data.about_rows,
    )
    chart.points(x, y, BLUE, 2.5, _opacity(len(rows)))
    chart.segments([chart.x.low], [0], [chart.x.high], [0], INK, 1)
    if len(rows) >= 5 * BINS:
        steps = np.array_split(np.argsort(x, kind="stable"), BINS)
        at = [float(np.median(x[step])) for step in steps]
        low, middle, high = np.transpose(
            [np.quantile(y[step], (0.25, 0.5, 0.75)) for step in steps]
        )
        chart.area(at, low, high, ORANGE, 0.3)
        chart.line(at, middle, ORANGE, 2.5)
        chart.legend([(ORANGE, "median and middle half")], "upper left")
    return chart


def predicted(data: PlotData) -> Chart:
    """Predicted against actual values; on the line they are equal."""
    rows = data.shown_rows
    x, y = data.y[rows], data.prediction[rows]
    spread = float(np.sum(np.square(data.y - data.y.mean())))
    r2 = 1 - float(np.sum(np.square(data.residuals))) / spread if spread > 0 else None
    both = np.concatenate([x, y])
    chart = Chart(
        "Predicted against actual" + (f": R² = {r2:.3f}" if r2 is not None else ""),
        Axis.numbers(f"Actual {data.target}", both, margin=0.02),
        Axis.numbers(f"Predicted {data.target}", both, margin=0.02),
        data.about_rows,
    )
    chart.points(x, y, BLUE, 2.5, _opacity(len(rows)))
    ends = [chart.x.low, chart.x.high]
    chart.line(ends, ends, INK, 1)
    return chart


def _opacity(points: int) -> float:
    return 0.85 if points < 100 else 0.5 if points < 500 else 0.35
