"""Precision against recall: the view for rare classes."""

import numpy as np

from training.plots.chart import BLUE, INK, MUTED, SERIES, Axis, Chart
from training.plots.data import PlotData
from training.plots.lettering import share
from training.plots.ranking import Ranking


def precision_recall(data: PlotData) -> Chart:
    """One curve for a binary task; the classes' average and the worst classes for more."""
    ranked = sorted(data.rankings, key=lambda item: item[1].average_precision)
    mean = float(np.mean([ranking.average_precision for _, ranking in ranked]))
    binary = data.task == "binary"
    name = "average precision" if binary else "mean average precision"
    chart = Chart(
        f"Precision-recall: {name} = {share(mean)}",
        Axis.numbers("Recall", [0, 1]),
        Axis.numbers("Precision" + (f" ({ranked[0][0]})" if binary else ""), [0, 1]),
        data.about_ranking,
    )
    if binary:
        ranking = ranked[0][1]
        base = ranking.prevalence
        x, y = _steps(ranking)
        chart.area(x, np.zeros_like(x), y, BLUE, 0.1)
        chart.segments([0], [base], [1], [base], MUTED, 1, dashed=True)
        chart.line(x, y, BLUE, 2.5)
        at = (0.012, base + 0.02, "lb") if base < 0.85 else (0.012, base - 0.02, "lt")
        chart.text(*at[:2], f"share of {ranked[0][0]}: {share(base)}", MUTED, anchor=at[2])
        return chart
    grid = np.linspace(0, 1, 201)[1:]
    curves = [_precision_at(ranking, grid) for _, ranking in ranked]
    worst = list(zip(SERIES, ranked, strict=False))
    for color, (_, ranking) in reversed(worst):
        chart.line(*_steps(ranking), color, 1.5)
    chart.line(grid, np.mean(curves, axis=0), INK, 3)
    entries = [(INK, f"{share(mean)} mean of {len(ranked)} classes")]
    entries += [(c, f"{share(r.average_precision)} {label}") for c, (label, r) in worst]
    chart.legend(entries, "lower left")
    return chart


def _steps(ranking: Ranking) -> tuple[np.ndarray, np.ndarray]:
    """Corners of the curve: precision is that of the next cut until its recall is reached."""
    end = int(np.argmax(ranking.tp == ranking.tp[-1])) + 1
    recall, precision = ranking.recall[:end], ranking.precision[:end]
    return np.repeat(recall, 2)[:-1], np.repeat(precision, 2)[1:]


def _precision_at(ranking: Ranking, recall: np.ndarray) -> np.ndarray:
    cut = np.searchsorted(ranking.tp, recall * ranking.tp[-1] - 1e-9)
    return ranking.precision[np.minimum(cut, len(ranking.tp) - 1)]
