"""Receiver operating characteristic: what share of false alarms buys what share of hits."""

import numpy as np
from matplotlib.axes import Axes

from training.plots.chart import BLUE, INK, MUTED, SERIES, frame, legend, share
from training.plots.data import PlotData


def roc(data: PlotData) -> Axes:
    """One curve for a binary task; the classes' average and the worst classes for more."""
    ranked = sorted(data.rankings, key=lambda item: item[1].auc)
    auc = float(np.mean([ranking.auc for _, ranking in ranked]))
    binary = data.task == "binary"
    axes = frame(
        f"ROC curve: AUC = {share(auc)}" if binary else f"ROC curves: mean AUC = {share(auc)}",
        data.about_ranking,
        "False positive rate",
        "True positive rate" + (f" ({ranked[0][0]})" if binary else ""),
    )
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    axes.plot([0, 1], [0, 1], "--", color=MUTED, lw=1)
    if binary:
        x, y = ranked[0][1].false_alarms, ranked[0][1].recall
        axes.fill_between(x, y, color=BLUE, alpha=0.1, lw=0)
        axes.plot(x, y, color=BLUE, lw=2)
        return axes
    # With more classes than colours, the worst ranked ones are drawn.
    for color, (label, ranking) in zip(SERIES, ranked, strict=False):
        text = f"{share(ranking.auc)} {label}"
        axes.plot(ranking.false_alarms, ranking.recall, color=color, lw=1.2, label=text)
    grid = np.linspace(0, 1, 201)
    mean = np.mean([np.interp(grid, r.false_alarms, r.recall) for _, r in ranked], axis=0)
    text = f"{share(auc)} mean of {len(ranked)} classes"
    axes.plot(np.append(0, grid), np.append(0, mean), color=INK, lw=2.5, label=text)
    legend(axes, "lower right")
    return axes
