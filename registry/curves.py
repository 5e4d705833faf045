"""Curves of two versions over each other, as SVG: what a person looks at before a promotion.

On the rows that both were tested on where there are any, else each on its own test rows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from registry.common_rows import Pair
from registry.recorded import Recorded
from registry.svg import Axis, Line, bars, chart
from registry.version import Facts
from training.ranking import Ranking, rank

_BINS, _MOST_DOTS, _MOST_BARS, _STEPS = 10, 500, 12, 30
_GRID = np.linspace(0, 1, 201)
_SHARE = (-0.02, 1.02)


@dataclass(frozen=True)
class Shown:
    """One version's test rows.

    Attributes
    ----------
    y : ndarray, (n,)
        Values, or class codes.
    prediction : ndarray, (n,) or (n, k)
    labels : tuple of str
        Empty for regression.
    """

    y: np.ndarray
    prediction: np.ndarray
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Figure:
    """A curve of both versions."""

    title: str
    svg: str


def of_versions(
    versions: Sequence[Facts], recorded: Sequence[Recorded], pair: Pair | str
) -> list[Figure]:
    """Curves of two versions; none where they predict different things.

    Parameters
    ----------
    versions : sequence of two Facts
    recorded : sequence of two Recorded
    pair : Pair or str
        See `common_rows.pair_of`.
    """
    one, other = versions
    target = other.schema.target
    if not isinstance(pair, str):
        first, second = (Shown(pair.y, item, pair.labels) for item in pair.predictions)
    elif one.task == other.task and one.schema.target == target:
        labels = tuple(str(label) for label in target.classes or ())
        first, second = (Shown(item.y, item.prediction, labels) for item in recorded)
    else:
        return []
    return figures(first, second, target.name)


def figures(first: Shown, second: Shown, target: str) -> list[Figure]:
    """Draw what applies to the task.

    Parameters
    ----------
    first, second : Shown
        Of the same task.
    target : str
        Its name.
    """
    both = (first, second)
    if not first.labels:
        return [
            Figure("Predicted against actual", _predicted(both, target)),
            Figure("Residuals", _residuals(both, target)),
        ]
    return [
        *_ranked("ROC curve", both, _roc, "False positive rate", "True positive rate", (0.0, 0.0)),
        *_ranked("Precision-recall", both, _precision, "Recall", "Precision", None),
        Figure("Calibration", _calibration(both)),
        Figure("Predicted probabilities", _probabilities(both)),
    ]


def importances(
    first: Sequence[tuple[str, float]], second: Sequence[tuple[str, float]]
) -> Figure | None:
    """Permutation importance of both versions, those features that are worth most to either."""
    one, other = dict(first), dict(second)
    largest = {
        name: max(one.get(name, 0.0), other.get(name, 0.0))
        for name in dict.fromkeys([*other, *one])
    }
    names = sorted(largest, key=lambda name: -largest[name])[:_MOST_BARS]
    if not names:
        return None
    title = "Permutation importance"
    if len(largest) > len(names):
        title += f": {len(names)} largest of {len(largest):,} features"
    values = [(one.get(name, np.nan), other.get(name, np.nan)) for name in names]
    return Figure(title, bars(names, values, title))


def _ranked(
    title: str,
    both: Sequence[Shown],
    curve: Callable[[Ranking], tuple[np.ndarray, np.ndarray]],
    x: str,
    y: str,
    start: tuple[float, float] | None,
) -> list[Figure]:
    """One curve a version: of the second class, or the mean of all classes'."""
    lines = []
    for shown, kind in zip(both, ("first", "second"), strict=True):
        codes = [1] if len(shown.labels) == 2 else range(len(shown.labels))
        ranked = [rank(shown.prediction[:, code], shown.y == code) for code in codes]
        curves = [curve(item) for item in ranked if item is not None]
        if len(curves) == 1:
            lines.append(Line(*curves[0], kind))
        elif curves:
            mean = np.mean([np.interp(_GRID, *item) for item in curves], axis=0)
            ends = ([start[0]], [start[1]]) if start else ([], [])
            lines.append(Line(np.append(ends[0], _GRID), np.append(ends[1], mean), kind))
    if not lines:
        return []
    guide = [Line(np.array([0, 1]), np.array([0, 1]), "guide")] if start else []
    binary = len(both[0].labels) == 2
    y += f" ({both[0].labels[1]})" if binary else ", mean of the classes"
    return [Figure(title, chart([*guide, *lines], Axis(x, *_SHARE), Axis(y, *_SHARE), title))]


def _roc(ranking: Ranking) -> tuple[np.ndarray, np.ndarray]:
    return ranking.false_alarms, ranking.recall


def _precision(ranking: Ranking) -> tuple[np.ndarray, np.ndarray]:
    end = int(np.argmax(ranking.tp == ranking.tp[-1])) + 1
    return ranking.recall[:end], ranking.precision[:end]


def _stated(shown: Shown) -> tuple[np.ndarray, np.ndarray]:
    """Each row's probability of the second class, or of the predicted one; whether it came true."""
    if len(shown.labels) == 2:
        return shown.prediction[:, 1], shown.y == 1
    decided = shown.prediction.argmax(axis=1)
    return shown.prediction[np.arange(len(shown.y)), decided], decided == shown.y


def _stated_label(labels: Sequence[str]) -> str:
    of = labels[1] if len(labels) == 2 else "the predicted class"
    return f"Predicted probability of {of}"


def _calibration(both: Sequence[Shown]) -> str:
    lines = [Line(np.array([0, 1]), np.array([0, 1]), "guide")]
    for shown, kind in zip(both, ("first", "second"), strict=True):
        stated, came = _stated(shown)
        k = int(np.clip(len(shown.y) // 30, 4, _BINS))
        bins = np.clip((stated * k).astype(np.int64), 0, k - 1)
        rows = np.bincount(bins, minlength=k)
        filled = rows > 0
        x = np.bincount(bins, stated, minlength=k)[filled] / rows[filled]
        y = np.bincount(bins, came, minlength=k)[filled] / rows[filled]
        lines += [Line(x, y, kind), Line(x, y, f"large {kind}", dots=True)]
    labels = both[0].labels
    seen = f"Share that were {labels[1]}" if len(labels) == 2 else "Share predicted right"
    return chart(lines, Axis(_stated_label(labels), *_SHARE), Axis(seen, *_SHARE), "Calibration")


def _probabilities(both: Sequence[Shown]) -> str:
    values = [_stated(shown)[0] for shown in both]
    return _distribution(values, Axis(_stated_label(both[0].labels), 0.0, 1.0), "Probabilities")


def _predicted(both: Sequence[Shown], target: str) -> str:
    drawn = [_some(len(shown.y)) for shown in both]
    values = [
        part[rows]
        for shown, rows in zip(both, drawn, strict=True)
        for part in (shown.y, shown.prediction)
    ]
    low, high = _ends(np.concatenate(values))
    lines = [Line(np.array([low, high]), np.array([low, high]), "guide")]
    lines += [
        Line(shown.y[rows], shown.prediction[rows], kind, dots=True)
        for shown, rows, kind in zip(both, drawn, ("first", "second"), strict=True)
    ]
    x, y = Axis(f"Actual {target}", low, high), Axis(f"Predicted {target}", low, high)
    return chart(lines, x, y, "Predicted against actual")


def _residuals(both: Sequence[Shown], target: str) -> str:
    """Their distributions as steps, on the range that holds 99 % of them."""
    residuals = [shown.y - shown.prediction for shown in both]
    low, high = _ends(np.concatenate([np.quantile(item, (0.005, 0.995)) for item in residuals]))
    return _distribution(
        residuals, Axis(f"Actual less predicted {target}", low, high), "Residuals", [0.0]
    )


def _distribution(
    values: Sequence[np.ndarray], x: Axis, title: str, guides: Sequence[float] = ()
) -> str:
    """Shares of the rows, as steps."""
    edges = np.linspace(x.low, x.high, _STEPS + 1)
    lines, top = [], 0.0
    for item, kind in zip(values, ("first", "second"), strict=True):
        counts, _ = np.histogram(np.clip(item, x.low, x.high), edges)
        shares = counts / len(item)
        top = max(top, float(shares.max()))
        heights = np.concatenate([[0.0], np.repeat(shares, 2), [0.0]])
        lines.append(Line(np.repeat(edges, 2), heights, kind))
    drawn = [Line(np.full(2, at), np.array([0.0, 1.05 * top]), "guide") for at in guides]
    return chart([*drawn, *lines], x, Axis("Share of the rows", 0.0, 1.05 * top), title)


def _some(n: int) -> np.ndarray:
    """The positions of at most as many rows as dots are drawn, the same ones for the same `n`."""
    if n <= _MOST_DOTS:
        return np.arange(n)
    return np.sort(np.random.default_rng(0).choice(n, _MOST_DOTS, replace=False))


def _ends(values: np.ndarray) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        half = 0.05 * max(abs(low), abs(high)) or 0.5
        low, high = low - half, high + half
    room = 0.03 * (high - low)
    return low - room, high + room
