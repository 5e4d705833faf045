"""Training and recordings as bars side by side: SVG that takes its colours from the page."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from registry.html import escape
from registry.svg import drawing
from serving.drift.compare import Finding
from serving.drift.counts import LevelCounts, NumberCounts
from serving.drift.measures import cells_of
from training.profile import Levels, Numbers

_WIDTH, _HIGH, _TOP, _LINE = 460, 148, 18, 15
_STRIP_WIDTH, _STRIP_HEIGHT = 132, 30
_BINS, _LEVELS = 24, 8
_CHARACTER = 7.2  # pixels


@dataclass(frozen=True)
class Bars:
    """Shares of the rows that have a value, at training and since.

    Attributes
    ----------
    labels : list of str
        A bar's, or '' where it has none.
    then, now : ndarray
    """

    labels: list[str]
    then: np.ndarray
    now: np.ndarray


def bars_of(finding: Finding) -> Bars:
    """What is drawn of a finding: its levels, or equal steps of its numbers."""
    reference, counts = finding.reference, finding.counts
    if isinstance(reference, Levels):
        assert isinstance(counts, LevelCounts)
        return _levels(reference, counts)
    assert isinstance(counts, NumberCounts)
    return _steps(reference, counts, finding.kind == "datetime")


def chart(bars: Bars, title: str) -> str:
    """Bars with their labels, as an `<svg>` element."""
    bottom = _HIGH
    parts = _drawn(bars, _WIDTH, _TOP, bottom)
    parts.append(f'<path class="axis" d="M0 {bottom}H{_WIDTH}"/>')
    step = _WIDTH / max(1, len(bars.labels))
    shown = [place for place, label in enumerate(bars.labels) if label]
    narrow = any(len(bars.labels[place]) * _CHARACTER > step for place in shown)
    far = len(bars.labels) > len(shown)  # an axis of numbers: its labels have room
    lines = 2 if narrow and not far else 1
    for at, place in enumerate(shown):
        middle = step * (place + 0.5)
        beside = max(step, 2 * min(middle, _WIDTH - middle))
        room = _WIDTH / len(shown) if far else min(lines * step, beside) - 4
        text = _cut(bars.labels[place], room)
        half = len(text) * _CHARACTER / 2
        x = min(max(middle, half), _WIDTH - half)
        parts.append(
            f'<text class="tick" x="{x:.1f}" y="{bottom + _LINE * (at % lines + 1)}" '
            f'text-anchor="middle">{escape(text)}</text>'
        )
    top = float(max([*bars.then, *bars.now, 0.0]))
    parts.append(f'<text class="tick" x="0" y="11">{top:.0%} of the rows</text>')
    return drawing(_WIDTH, bottom + _LINE * lines + 8, title, parts)


def strip(bars: Bars, title: str) -> str:
    """The same without any text, for a line of a table."""
    parts = _drawn(bars, _STRIP_WIDTH, 1, _STRIP_HEIGHT - 1)
    parts.append(f'<path class="axis" d="M0 {_STRIP_HEIGHT - 0.5}H{_STRIP_WIDTH}"/>')
    return drawing(_STRIP_WIDTH, _STRIP_HEIGHT, title, parts, "strip")


def _levels(reference: Levels, counts: LevelCounts) -> Bars:
    names = list(reference.counts)[:_LEVELS]
    then = [reference.counts[name] for name in names]
    now = [counts.counts[name] for name in names]
    labels = list(names)
    rest = (reference.count - sum(then), counts.count - sum(now))
    if any(rest):
        labels.append("others")
        then.append(rest[0])
        now.append(rest[1])
    if counts.unseen or reference.unseen:
        labels.append("unknown")
        then.append(reference.unseen)
        now.append(counts.unseen)
    return Bars([_plain(label) for label in labels], _shares(then), _shares(now))


def _steps(reference: Numbers, counts: NumberCounts, is_date: bool) -> Bars:
    values, old = reference.values, cells_of(reference)
    if not len(values):
        return Bars([], np.zeros(0), np.zeros(0))
    upto = np.cumsum(old)[1::2] / max(1, old.sum())
    if len(values) <= _BINS // 2 and not reference.between.any() and not is_date:
        return _each(values, old, counts.cells)
    # What is far out is not to press the others together.
    low, high = values[np.searchsorted(upto, [0.005, 0.995])]
    if low == high:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, _BINS + 1)
    then, now = (_in_steps(values, cells, edges) for cells in (old, counts.cells))
    labels = [""] * len(then)
    said = _day if is_date else _figure
    for place in (1, _BINS // 2, _BINS):
        labels[place] = said((edges[place - 1] + edges[place]) / 2)
    outside = max(then[0], now[0]) > 0, max(then[-1], now[-1]) > 0
    first, last = 0 if outside[0] else 1, len(then) if outside[1] else -1
    if outside[0]:
        labels[0], labels[1] = f"< {said(edges[0])}", ""
    if outside[1]:
        labels[-1], labels[-2] = f"> {said(edges[-1])}", ""
    part = slice(first, last)
    return Bars(labels[part], _shares(then)[part], _shares(now)[part])


def _each(values: np.ndarray, old: np.ndarray, new: np.ndarray) -> Bars:
    """A bar a value, and one for all that training has not had."""
    labels = list(map(_figure, values.tolist()))
    then, now = old[1::2].tolist(), new[1::2].tolist()
    if others := int(new[::2].sum()):
        labels.append("others")
        then.append(0)
        now.append(others)
    return Bars(labels, _shares(then), _shares(now))


def _in_steps(values: np.ndarray, cells: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Rows below the first edge, in each step, and above the last; even between two values."""
    between = np.append(0, np.cumsum(cells[2:-1:2]))
    even = np.interp(edges, values, between)
    atoms, _ = np.histogram(
        values, np.concatenate([[-np.inf], edges, [np.inf]]), weights=cells[1::2]
    )
    steps = np.diff(np.concatenate([[0.0], even, [between[-1]]])) + atoms
    last = cells[1::2][values == edges[-1]].sum()  # the last step has its right edge
    steps[-1], steps[-2] = steps[-1] - last, steps[-2] + last
    steps[0] += cells[0]
    steps[-1] += cells[-1]
    return np.maximum(steps, 0.0)


def _drawn(bars: Bars, width: float, top: float, bottom: float) -> list[str]:
    highest = float(max([*bars.then, *bars.now, 1e-9]))
    step = width / max(1, len(bars.then))
    wide = max(1.0, min(step * 0.42, 26.0))
    parts = []
    for place, pair in enumerate(zip(bars.then, bars.now, strict=True)):
        middle = step * (place + 0.5)
        for share, kind, left in zip(
            pair, ("first", "second"), (middle - wide, middle), strict=True
        ):
            if share > 0:
                high = max(0.8, float(share) / highest * (bottom - top))
                parts.append(
                    f'<rect class="{kind}" x="{left:.1f}" y="{bottom - high:.1f}" '
                    f'width="{wide:.1f}" height="{high:.1f}"/>'
                )
    return parts


def _shares(rows: Sequence[float] | np.ndarray) -> np.ndarray:
    total = float(np.sum(rows))
    return np.asarray(rows, np.float64) / total if total else np.zeros(len(rows))


def _day(days: float) -> str:
    try:
        return (date(1970, 1, 1) + timedelta(days=float(days))).isoformat()
    except OverflowError:
        return f"{days:.3g}"


def _figure(value: float) -> str:
    return f"{value:,.0f}" if 1e3 <= abs(value) < 1e6 else f"{value:.3g}"


def _plain(text: str) -> str:
    return " ".join(text.split()) or "(empty)"


def _cut(text: str, pixels: float) -> str:
    most = max(2, int(pixels / _CHARACTER))
    return text if len(text) <= most else f"{text[: most - 1]}…"
