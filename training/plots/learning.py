"""Learning curve: whether more rows would help."""

import numpy as np

from training.plots.chart import BLUE, Axis, Chart
from training.plots.data import PlotData
from training.plots.lettering import number


def learning(data: PlotData) -> Chart:
    """The metric on validation rows against the number of training rows, with its spread."""
    rows, mean, spread = (np.array(part, np.float64) for part in zip(*data.learning, strict=True))
    low, high = mean - spread, mean + spread
    chart = Chart(
        f"Learning curve: {data.metric} = {number(float(mean[-1]))} with {int(rows[-1]):,} rows",
        Axis.numbers("Training rows", np.append(rows, 0), margin=0.02),
        Axis.numbers(data.metric, np.concatenate([low, high]), margin=0.08),
        f"{data.candidate}, on validation rows; shaded: one standard deviation",
    )
    chart.area(rows, low, high, BLUE, 0.15)
    chart.line(rows, mean, BLUE, 2.5)
    chart.points(rows, mean, BLUE, 4)
    return chart
