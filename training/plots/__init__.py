"""The plots of a finished candidate, and the chart of a whole training.

To add a plot is to write a function from `PlotData` to axes and to add a row to `PLOTS`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes

from training.plots.calibration import calibration
from training.plots.chart import save, style
from training.plots.confusion import confusion
from training.plots.data import PlotData
from training.plots.features import coefficients, importance
from training.plots.leaderboard import leaderboard_chart
from training.plots.learning import learning
from training.plots.precision_recall import precision_recall
from training.plots.residuals import predicted, residuals
from training.plots.roc import roc

__all__ = ["PLOTS", "Plot", "PlotData", "draw", "leaderboard_chart"]


@dataclass(frozen=True)
class Plot:
    """A plot, the name of its file, and which candidates it applies to."""

    name: str
    axes: Callable[[PlotData], Axes]
    applies: Callable[[PlotData], bool]


PLOTS = (
    Plot("roc", roc, lambda data: data.classification and bool(data.rankings)),
    Plot(
        "precision_recall",
        precision_recall,
        lambda data: data.classification and bool(data.rankings),
    ),
    Plot("calibration", calibration, lambda data: data.classification),
    Plot("confusion_matrix", confusion, lambda data: data.classification),
    Plot("residuals", residuals, lambda data: not data.classification),
    Plot("predicted_against_actual", predicted, lambda data: not data.classification),
    Plot("learning_curve", learning, lambda data: len(data.learning) > 1),
    Plot("permutation_importance", importance, lambda data: bool(data.importance)),
    Plot("coefficients", coefficients, lambda data: bool(data.coefficients)),
)


def draw(data: PlotData, folder: Path) -> list[Path]:
    """Draw every plot that applies to a candidate.

    Parameters
    ----------
    data : PlotData
    folder : Path
        Where the PNG files go; made if it is not there.

    Returns
    -------
    list of Path
        One file a plot, in the order of `PLOTS`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with style():
        return [
            save(plot.axes(data), folder / f"{plot.name}.png")
            for plot in PLOTS
            if plot.applies(data)
        ]
