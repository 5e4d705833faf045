"""Precision against recall: the view for rare classes."""

import numpy as np
from matplotlib.axes import Axes

from training.plots.chart import BLUE, INK, MUTED, SERIES, frame, legend, share, shorten
from training.plots.data import PlotData
from training.ranking import Ranking


def precision_recall(data: PlotData) -> Axes:
    """One curve for a binary task; the classes' average and the worst classes for more."""
    ranked = sorted(data.rankings, key=lambda item: item[1].average_precision)
    mean = float(np.mean([ranking.average_precision for _, ranking in ranked]))
    binary = data.task == "binary"
    name = "average precision" if binary else "mean average precision"
    axes = frame(
        f"Precision-recall: {name} = {share(mean)}",
        data.about_ranking,
        "Recall",
        "Precision" + (f" ({ranked[0][0]})" if binary else ""),
    )
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    if binary:
        label, ranking = ranked[0]
        base = ranking.prevalence
        x, y = _corners(ranking)
        axes.fill_between(x, y, color=BLUE, alpha=0.1, lw=0)
        axes.axhline(base, ls="--", color=MUTED, lw=1)
        axes.plot(x, y, color=BLUE, lw=2)
        text = f"share of {shorten(label, 300)}: {share(base)}"
        side = "bottom" if base < 0.85 else "top"
        axes.text(0.01, base + (0.015 if base < 0.85 else -0.02), text, color=MUTED, va=side)
        return axes
    for color, (label, ranking) in zip(SERIES, ranked, strict=False):
        text = f"{share(ranking.average_precision)} {label}"
        axes.plot(*_corners(ranking), color=color, lw=1.2, label=text)
    grid = np.linspace(0, 1, 201)[1:]
    average = np.mean([_precision_at(ranking, grid) for _, ranking in ranked], axis=0)
    text = f"{share(mean)} mean of {len(ranked)} classes"
    axes.plot(grid, average, color=INK, lw=2.5, label=text)
    legend(axes, "lower left")
    return axes


def _corners(ranking: Ranking) -> tuple[np.ndarray, np.ndarray]:
    """Corners of the curve: precision is that of the next cut until its recall is reached."""
    end = int(np.argmax(ranking.tp == ranking.tp[-1])) + 1
    recall, precision = ranking.recall[:end], ranking.precision[:end]
    return np.repeat(recall, 2)[:-1], np.repeat(precision, 2)[1:]


def _precision_at(ranking: Ranking, recall: np.ndarray) -> np.ndarray:
    cut = np.searchsorted(ranking.tp, recall * ranking.tp[-1] - 1e-9)
    return ranking.precision[np.minimum(cut, len(ranking.tp) - 1)]
