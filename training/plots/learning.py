"""Learning curve: whether more rows would help."""

import numpy as np
from matplotlib.axes import Axes

from training.lettering import number
from training.plots.chart import BLUE, frame, reach
from training.plots.data import PlotData


def learning(data: PlotData) -> Axes:
    """The metric on validation rows against the number of training rows, with its spread."""
    rows, mean, spread = (np.array(part, np.float64) for part in zip(*data.learning, strict=True))
    low, high = mean - spread, mean + spread
    axes = frame(
        f"Learning curve: {data.metric} = {number(float(mean[-1]))} with {int(rows[-1]):,} rows",
        f"{data.candidate}, on validation rows; shaded: one standard deviation",
        "Training rows",
        data.metric,
    )
    axes.set(xlim=reach(np.append(rows, 0)), ylim=reach([*low, *high], 0.08))
    axes.fill_between(rows, low, high, color=BLUE, alpha=0.15, lw=0)
    axes.plot(rows, mean, "o-", color=BLUE, lw=2, ms=6)
    return axes
