"""Receiver operating characteristic: what share of false alarms buys what share of hits."""

import numpy as np

from training.plots.chart import BLUE, INK, MUTED, SERIES, Axis, Chart
from training.plots.data import PlotData
from training.plots.lettering import share

#: With more classes than colours, this many of the worst ranked ones are drawn.
MOST = len(SERIES)


def roc(data: PlotData) -> Chart:
    """One curve for a binary task; the classes' average and the worst classes for more."""
    ranked = sorted(data.rankings, key=lambda item: item[1].auc)
    auc = float(np.mean([ranking.auc for _, ranking in ranked]))
    binary = data.task == "binary"
    chart = Chart(
        f"ROC curve: AUC = {share(auc)}" if binary else f"ROC curves: mean AUC = {share(auc)}",
        Axis.numbers("False positive rate", [0, 1]),
        Axis.numbers("True positive rate" + (f" ({ranked[0][0]})" if binary else ""), [0, 1]),
        data.about_ranking,
    )
    chart.segments([0], [0], [1], [1], MUTED, 1, dashed=True)
    if binary:
        ranking = ranked[0][1]
        x, y = ranking.false_alarms, ranking.recall
        chart.area(x, np.zeros_like(x), y, BLUE, 0.1)
        chart.line(x, y, BLUE, 2.5)
        return chart
    grid = np.linspace(0, 1, 201)
    curves = [np.interp(grid, r.false_alarms, r.recall) for _, r in ranked]
    worst = list(zip(SERIES, ranked, curves, strict=False))
    for color, (_, ranking), _ in reversed(worst):
        chart.line(ranking.false_alarms, ranking.recall, color, 1.5)
    chart.line(np.append(0, grid), np.append(0, np.mean(curves, axis=0)), INK, 3)
    entries = [(INK, f"{share(auc)} mean of {len(ranked)} classes")]
    entries += [(color, f"{share(ranking.auc)} {label}") for color, (label, ranking), _ in worst]
    chart.legend(entries, "lower right")
    return chart
