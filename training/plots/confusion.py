"""Confusion matrix: which class is taken for which."""

from collections.abc import Sequence

import numpy as np

from training.plots.chart import BLUE, INK, WHITE, Axis, Chart, mixed
from training.plots.data import PlotData
from training.plots.lettering import count

#: With more classes, the ones with the most errors are shown and the rest counted together.
MOST = 12


def confusion(data: PlotData) -> Chart:
    """Counts, coloured by their share of the actual class's rows."""
    k = len(data.classes)
    counts = np.bincount(data.y * k + data.decided, minlength=k * k).reshape(k, k)
    accuracy = float(np.trace(counts) / counts.sum())
    names = [str(label) for label in data.classes]
    note = data.about
    if rest := k > MOST:
        counts, names = most_confused(counts, names)
        note = f"{note}; the {MOST - 1} of {k} classes with the most errors"
    size = len(names)
    chart = Chart(
        f"Confusion matrix: accuracy = {_percent(accuracy)}",
        Axis.names("Predicted class", names, 90 if size > 5 else 420 / size),
        Axis.names("Actual class", names, 110, down=True),
        note,
    )
    actual, predicted = (part.ravel() for part in np.indices(counts.shape))
    shares = (counts / np.maximum(1, counts.sum(axis=1, keepdims=True))).ravel()
    if rest:
        shares[-1] = 0.0  # right and wrong rows together: no colour would be true
    tones = [mixed(BLUE, 0.07 + 0.88 * share) for share in shares]
    gap = 0.01 * size / 4
    chart.boxes(predicted - 0.5 + gap, actual - 0.5 + gap, predicted + 0.5 - gap,
                actual + 0.5 - gap, tones)  # fmt: skip
    cells = zip(
        actual.tolist(), predicted.tolist(), shares.tolist(), counts.ravel().tolist(), strict=True
    )
    for row, column, share, n in cells:
        if not n and size > 4:
            continue
        ink = WHITE if share > 0.55 else INK
        if size <= 4:
            chart.text(column, row - 0.02, f"{n:,}", ink, 15, "mb")
            chart.text(column, row + 0.05, f"{share:.1%}", ink, 11, "mt")
        else:
            chart.text(column, row, count(n), ink)
    return chart


def most_confused(counts: np.ndarray, names: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    """Keep the classes with the most errors, and count all others as one, the last.

    Parameters
    ----------
    counts : ndarray of int, shape (k, k), k > MOST
        Rows by actual and predicted class.
    names : sequence of str

    Returns
    -------
    counts : ndarray of int64, shape (MOST, MOST)
    names : list of str
    """
    k = len(names)
    errors = counts.sum(axis=0) + counts.sum(axis=1) - 2 * counts.diagonal()
    kept = np.sort(np.argsort(-errors, kind="stable")[: MOST - 1])
    place = np.full(k, MOST - 1)
    place[kept] = np.arange(MOST - 1)
    few = np.zeros((MOST, MOST), np.int64)
    np.add.at(few, (place[:, None], place), counts)
    return few, [*(names[i] for i in kept), f"{k - MOST + 1} others"]


def _percent(accuracy: float) -> str:
    return f"{accuracy:.1%}" if accuracy <= 0.9994 or accuracy == 1 else ">99.9%"
