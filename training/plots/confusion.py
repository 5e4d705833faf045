"""Confusion matrix: which class is taken for which."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from training.plots.chart import FREE, INK, MUTED, SHADES, WHITE, frame, names, shorten, width
from training.plots.data import PlotData

#: With more classes, the ones with the most errors are shown and the rest counted together.
MOST = 12


def confusion(data: PlotData) -> Axes:
    """Counts, coloured by their share of the actual class's rows."""
    k = len(data.classes)
    counts = np.bincount(data.y * k + data.decided, minlength=k * k).reshape(k, k)
    accuracy = float(np.trace(counts) / counts.sum())
    labels, note = [str(label) for label in data.classes], data.about
    if k > MOST:
        counts, labels = most_confused(counts, labels)
        note = f"{note}; the {MOST - 1} of {k} classes with the most errors"
    size = len(labels)
    labels = [shorten(label, 110) for label in labels]
    widest = round(max(map(width, labels)))
    turned = widest > 420 / size - 6
    below = FREE[2] + (widest - 8 if turned else 0)
    axes = frame(
        f"Confusion matrix: accuracy = {_percent(accuracy)}",
        note,
        "Predicted class",
        "Actual class",
        free=(widest + 52, FREE[1], below, FREE[3]),
    )
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    if k > MOST:
        shares[-1, -1] = 0.0  # right and wrong rows together: no colour would be true
    axes.pcolormesh(shares, cmap=SHADES, vmin=-0.07, vmax=1.05, edgecolor=WHITE, lw=1.5)
    axes.set_xticks(np.arange(size) + 0.5, labels, color=MUTED, rotation=90 if turned else 0)
    names(axes, labels, 0.5)
    axes.grid(False)
    for (row, column), n in np.ndenumerate(counts):
        part = shares[row, column]
        if n or size <= 4:
            text, points = (f"{n:,}\n{part:.1%}", 10) if size <= 4 else (_count(int(n)), 8)
            color = WHITE if part > 0.55 else INK
            axes.text(column + 0.5, row + 0.5, text, color=color, fontsize=points,
                      ha="center", va="center")  # fmt: skip
    return axes


def most_confused(counts: np.ndarray, names: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    """Keep the `MOST` - 1 classes with the most errors, and count all others as one, the last."""
    k = len(names)
    errors = counts.sum(axis=0) + counts.sum(axis=1) - 2 * counts.diagonal()
    kept = np.sort(np.argsort(-errors, kind="stable")[: MOST - 1])
    place = np.full(k, MOST - 1)
    place[kept] = np.arange(MOST - 1)
    few = np.zeros((MOST, MOST), np.int64)
    np.add.at(few, (place[:, None], place), counts)
    return few, [*(names[i] for i in kept), f"{k - MOST + 1} others"]


def _count(rows: int) -> str:
    """A count in at most five characters: `9,999`, `12k`, `1.2M`."""
    if rows < 10_000:
        return f"{rows:,}"
    return f"{rows / 1e3:.0f}k" if rows < 1e6 else f"{rows / 1e6:.1f}M"


def _percent(accuracy: float) -> str:
    return f"{accuracy:.1%}" if accuracy <= 0.9994 or accuracy == 1 else ">99.9%"
