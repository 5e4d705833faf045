"""Charts as SVG text: sharp at any size, a few kilobytes, and coloured by the page they are in.

No colour is in them: what is drawn has the classes `first`, `second`, `axis`, `guide`, which the
page's style gives colours for light and dark.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from registry.html import escape

_WIDTH, _HEIGHT = 460, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 12, 10, 44
_CHARACTER = 6.6  # pixels, of the labels' font


@dataclass(frozen=True)
class Line:
    """Points joined, or dots where `dots`."""

    x: np.ndarray
    y: np.ndarray
    kind: str
    dots: bool = False


@dataclass(frozen=True)
class Axis:
    """An axis with its label and its ends."""

    label: str
    low: float
    high: float


def chart(lines: Sequence[Line], x: Axis, y: Axis, title: str) -> str:
    """Lines and dots in a frame.

    Parameters
    ----------
    lines : sequence of Line
        What lies outside the axes' ends is moved onto them.
    x, y : Axis
    title : str
        For people who cannot see it.

    Returns
    -------
    str
        An `<svg>` element.
    """
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM

    def across(values: np.ndarray) -> np.ndarray:
        return _LEFT + (np.clip(values, x.low, x.high) - x.low) / (x.high - x.low) * (right - _LEFT)

    def down(values: np.ndarray) -> np.ndarray:
        return bottom - (np.clip(values, y.low, y.high) - y.low) / (y.high - y.low) * (
            bottom - _TOP
        )

    parts = []
    for value in ticks(x.low, x.high):
        at = float(across(np.array([value]))[0])
        parts.append(f'<path class="grid" d="M{at:.1f} {_TOP}V{bottom}"/>')
        parts.append(_text(at, bottom + 16, _tick(value), "middle"))
    for value in ticks(y.low, y.high):
        at = float(down(np.array([value]))[0])
        parts.append(f'<path class="grid" d="M{_LEFT} {at:.1f}H{right}"/>')
        parts.append(_text(_LEFT - 6, at + 4, _tick(value), "end"))
    parts.append(
        _text((_LEFT + right) / 2, _HEIGHT - 8, _cut(x.label, right - _LEFT), "middle", "label")
    )
    label = escape(_cut(y.label, bottom - _TOP))
    parts.append(
        f'<text class="label" text-anchor="middle" '
        f'transform="translate(13 {(_TOP + bottom) / 2:.0f}) rotate(-90)">{label}</text>'
    )
    for line in lines:
        points = zip(across(line.x), down(line.y), strict=True)
        if line.dots:
            drawn = "".join(f"M{a:.1f} {b:.1f}h0" for a, b in points)
            parts.append(f'<path class="dots {line.kind}" d="{drawn}"/>')
        else:
            drawn = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
            parts.append(f'<polyline class="{line.kind}" points="{drawn}"/>')
    return drawing(_WIDTH, _HEIGHT, title, parts)


def bars(names: Sequence[str], values: Sequence[tuple[float, float]], title: str) -> str:
    """Two bars a row, the first one's above the second one's.

    Parameters
    ----------
    names : sequence of str
    values : sequence of (first, second)
        NaN where there is none.
    title : str
    """
    row, left = 36, 190
    height, room = row * len(names) + 8, 2 * _WIDTH - left - 70
    known = [value for pair in values for value in pair if math.isfinite(value)]
    low, high = min([0.0, *known]), max([0.0, *known])
    scale = room / (high - low) if high > low else 0.0
    zero = left - low * scale
    parts = [f'<path class="axis" d="M{zero:.1f} 0V{height}"/>']
    for at, (name, pair) in enumerate(zip(names, values, strict=True)):
        middle = row * at + row / 2 + 4
        parts.append(_text(left - 8, middle + 4, _cut(name, left - 14), "end", "label"))
        for place, (value, kind) in enumerate(zip(pair, ("first", "second"), strict=True)):
            if math.isfinite(value):
                wide, start = abs(value) * scale, zero + min(0.0, value * scale)
                top = middle - 13 + 14 * place
                parts.append(
                    f'<rect class="{kind}" x="{start:.1f}" y="{top:.1f}" '
                    f'width="{max(wide, 0.5):.1f}" height="12"/>'
                )
                parts.append(_text(start + wide + 5, top + 10, f"{value:.3g}", "start"))
    return drawing(2 * _WIDTH, height, title, parts)


def strip(scores: Sequence[tuple[float, float, float] | None], title: str) -> str:
    """Two scores with their intervals on one line of their own, without numbers.

    Parameters
    ----------
    scores : sequence of two (value, low, high) or None
    title : str
    """
    wide, high = 110, 26
    known = [end for score in scores if score for end in score if math.isfinite(end)]
    if not known:
        return ""
    low, top = min(known), max(known)
    scale = (wide - 12) / (top - low) if top > low else 0.0
    parts = []
    for at, (score, kind) in enumerate(zip(scores, ("first", "second"), strict=True)):
        if score and all(math.isfinite(end) for end in score):
            value, start, end = (6 + (item - low) * scale for item in score)
            y = 8 + 10 * at
            parts.append(f'<path class="{kind}" d="M{start:.1f} {y}H{end:.1f}"/>')
            parts.append(f'<path class="dot {kind}" d="M{value:.1f} {y}h0"/>')
    return drawing(wide, high, title, parts, "strip")


def drawing(wide: float, high: float, title: str, parts: Sequence[str], kind: str = "chart") -> str:
    """An `<svg>` element of its parts."""
    return (
        f'<svg class="{kind}" viewBox="0 0 {wide} {high}" width="{wide}" height="{high}" role="img"'
        f' aria-label="{escape(title)}">{"".join(parts)}</svg>'
    )


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers between the ends of an axis, at most about `most`."""
    raw = (high - low) / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next((factor * power for factor in (1, 2, 5) if factor * power >= raw), 10 * power)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(step * at, 12) if step > 1e-6 else step * at for at in range(first, last + 1)]


def _text(x: float, y: float, text: str, anchor: str, kind: str = "tick") -> str:
    return (
        f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
    )


def _tick(value: float) -> str:
    return f"{value:,.6g}" if 1e-4 <= abs(value) < 1e6 or value == 0 else f"{value:.2g}"


def _cut(text: str, pixels: float) -> str:
    line, most = " ".join(text.split()), int(pixels / _CHARACTER)
    return line if len(line) <= most else f"{line[: most // 2]}…{line[-(most - most // 2 - 1) :]}"
