"""A chart: two axes, marks in data coordinates, one PNG file. Knows nothing of models.

Drawn with Pillow, marks at three times the size and then reduced. matplotlib would take 50 to
110 ms of CPU a plot, most of it for ticks and text, and 0.7 s to import in each candidate's
process; this takes about 10 ms.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image, ImageDraw

from training.plots import lettering
from training.plots.lettering import LABEL, TICK, TITLE
from training.plots.png import encode

INK, MUTED, GRID, WHITE = "#1f2933", "#66727f", "#e6e9ed", "#ffffff"
BLUE, ORANGE = "#0072b2", "#d55e00"
#: Okabe and Ito's colours, which colour-blind people can tell apart.
SERIES = (BLUE, "#e69f00", "#009e73", "#cc79a7", ORANGE, "#56b4e9")

_FINE = 3  # marks are drawn this many times larger
_RIM = 8  # pixels around the plot area, so that a mark on its edge stays whole


@dataclass(frozen=True)
class Axis:
    """What one axis says and where it begins and ends.

    Attributes
    ----------
    label : str
        The quantity and its unit.
    low, high : float
        Data values at the two ends; `low` may be the larger one.
    ticks : sequence of (value, text)
    grid : bool
        Whether a line is drawn at each tick.
    faint : collection of float
        The ticks whose text is grey.
    """

    label: str
    low: float
    high: float
    ticks: Sequence[tuple[float, str]]
    grid: bool = True
    faint: Collection[float] = ()

    @classmethod
    def numbers(cls, label: str, values: ArrayLike, margin: float = 0.0, most: int = 6) -> "Axis":
        """An axis that holds all the `values`, with a margin as a share of their range."""
        array = np.asarray(values, dtype=np.float64)
        low, high = float(array.min()), float(array.max())
        if high - low <= 1e-9 * max(abs(low), abs(high)):
            half = 0.05 * max(abs(low), abs(high)) or 0.5
            low, high = low - half, high + half
        room = margin * (high - low)
        low, high = low - room, high + room
        return cls(label, low, high, lettering.ticks(low, high, most))

    @classmethod
    def names(
        cls,
        label: str,
        names: Sequence[object],
        pixels: float,
        down: bool = False,
        faint: Collection[float] = (),
    ) -> "Axis":
        """An axis with one name at each of 0, 1, 2…, cut to `pixels`; `down` begins at the top."""
        ticks = [(float(i), lettering.shorten(name, pixels)) for i, name in enumerate(names)]
        low, high = -0.5, max(1, len(names)) - 0.5
        if down:
            low, high = high, low
        return cls(label, low, high, ticks, grid=False, faint=faint)


class Chart:
    """A chart to draw marks on.

    Parameters
    ----------
    title : str
        What the chart shows, with its figure.
    x, y : Axis
    note : str
        A second, smaller line: which rows, what is marked how.
    size : (int, int)
        Width and height in pixels.
    right : int
        Pixels kept free at the right of the plot area.
    """

    def __init__(
        self,
        title: str,
        x: Axis,
        y: Axis,
        note: str = "",
        size: tuple[int, int] = (560, 420),
        right: int = 24,
    ) -> None:
        self.title, self.note, self.x, self.y, self.size = title, note, x, y, size
        self.left = round(max((lettering.width(t, TICK) for _, t in y.ticks), default=0)) + 26
        self.top = 46 + 20 * bool(note) + 24 * bool(y.label)
        widest = max((lettering.width(text, TICK) for _, text in x.ticks), default=0)
        self.width = size[0] - self.left - right
        self.turned = widest > self.width / max(1, len(x.ticks)) - 6 and not x.grid
        self.height = size[1] - self.top - 50 - (round(widest) - 8 if self.turned else 0)
        self._marks = Image.new("RGB", self._fine(self.width, self.height), WHITE)
        self._pen = ImageDraw.Draw(self._marks)
        self._wash = ImageDraw.Draw(self._marks, "RGBA")  # blends, and takes longer
        self._texts: list[tuple[tuple[float, float], str, str, int, str]] = []
        self._legend: tuple[Sequence[tuple[str, str]], str] | None = None
        if y.grid:
            at = [value for value, _ in y.ticks]
            self.segments([x.low] * len(at), at, [x.high] * len(at), at, GRID, 1)
        if x.grid:
            at = [value for value, _ in x.ticks]
            self.segments(at, [y.low] * len(at), at, [y.high] * len(at), GRID, 1)

    def line(self, x: ArrayLike, y: ArrayLike, color: str, width: float = 2) -> None:
        """A line through points."""
        points = self._place(x, y)
        self._pen.line(points, fill=color, width=round(width * _FINE), joint="curve")

    def segments(
        self,
        x0: ArrayLike,
        y0: ArrayLike,
        x1: ArrayLike,
        y1: ArrayLike,
        color: str,
        width: float = 1.5,
        dashed: bool = False,
    ) -> None:
        """Straight lines from (x0, y0) to (x1, y1)."""
        for start, end in zip(self._place(x0, y0), self._place(x1, y1), strict=True):
            for part in _dashes(start, end) if dashed else [(start, end)]:
                self._pen.line(part, fill=color, width=round(width * _FINE))

    def area(self, x: ArrayLike, low: ArrayLike, high: ArrayLike, color: str, alpha: float) -> None:
        """The area between two lines over the same `x`."""
        outline = self._place(x, low) + self._place(x, high)[::-1]
        self._wash.polygon(outline, fill=_faded(color, alpha))

    def boxes(
        self,
        x0: ArrayLike,
        y0: ArrayLike,
        x1: ArrayLike,
        y1: ArrayLike,
        colors: Sequence[str],
    ) -> None:
        """Filled rectangles between opposite corners, a colour each."""
        corners = zip(self._place(x0, y0), self._place(x1, y1), colors, strict=True)
        for (left, top), (right, bottom), color in corners:
            box = (min(left, right), min(top, bottom), max(left, right), max(top, bottom))
            self._pen.rectangle(box, fill=color)

    def points(
        self, x: ArrayLike, y: ArrayLike, color: str, radius: float = 4, alpha: float = 1.0
    ) -> None:
        """Filled circles."""
        pen, fill = (self._wash, _faded(color, alpha)) if alpha < 1 else (self._pen, color)
        r = radius * _FINE
        for left, top in self._place(x, y):
            pen.ellipse((left - r, top - r, left + r, top + r), fill=fill)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        color: str = INK,
        size: int = TICK,
        anchor: str = "mm",
        dx: float = 0,
    ) -> None:
        """Text at a point, `dx` pixels to its right; `anchor` is Pillow's: `lmr`, then `tmb`."""
        ((left, top),) = self._place([x], [y])
        place = (self.left - _RIM + left / _FINE + dx, self.top - _RIM + top / _FINE)
        self._texts.append((place, lettering.plain(text), color, size, anchor))

    def legend(self, entries: Sequence[tuple[str, str]], corner: str) -> None:
        """Name colours: (colour, text) pairs in a corner like `lower right`."""
        self._legend = (entries, corner)

    def save(self, path: Path) -> Path:
        """Write the chart as a PNG file; the same chart gives the same bytes."""
        picture = Image.new("RGB", self.size, WHITE)
        picture.paste(self._marks.reduce(_FINE), (self.left - _RIM, self.top - _RIM))
        pen = ImageDraw.Draw(picture)
        self._letter(picture, pen)
        if self._legend:
            self._explain(pen, *self._legend)
        for place, text, color, size, anchor in self._texts:
            pen.text(place, text, fill=color, font=lettering.font(size), anchor=anchor)
        path.write_bytes(encode(picture))
        return path

    def _letter(self, picture: Image.Image, pen: ImageDraw.ImageDraw) -> None:
        room = self.size[0] - 32
        title = lettering.shorten(self.title, room, TITLE, bold=True)
        pen.text((16, 14), title, fill=INK, font=lettering.font(TITLE, bold=True))
        small, tick = lettering.font(LABEL), lettering.font(TICK)
        note = lettering.shorten(self.note, room, LABEL)
        pen.text((16, 38), note, fill=MUTED, font=small)
        right, bottom = self.left + self.width, self.top + self.height
        label = lettering.shorten(self.y.label, room, LABEL)
        pen.text((16, self.top - 12), label, fill=INK, font=small, anchor="lb")
        label = lettering.shorten(self.x.label, room, LABEL)
        pen.text((right, self.size[1] - 10), label, fill=INK, font=small, anchor="rb")
        for value, text in self.y.ticks:
            top = bottom - self.height * (value - self.y.low) / (self.y.high - self.y.low)
            color = MUTED if self.y.grid or value in self.y.faint else INK
            pen.text((self.left - 10, top), text, fill=color, font=tick, anchor="rm")
        for value, text in self.x.ticks:
            left = self.left + self.width * (value - self.x.low) / (self.x.high - self.x.low)
            if self.turned:
                _upright(picture, text, left, bottom + 8)
            else:
                pen.text((left, bottom + 8), text, fill=MUTED, font=tick, anchor="mt")

    def _explain(
        self, pen: ImageDraw.ImageDraw, entries: Sequence[tuple[str, str]], corner: str
    ) -> None:
        texts = [lettering.shorten(text, self.width * 0.6) for _, text in entries]
        wide = max(lettering.width(text, TICK) for text in texts) + 40
        high = 18 * len(texts) + 10
        left = self.left + 8 if "left" in corner else self.left + self.width - wide - 8
        top = self.top + 8 if "upper" in corner else self.top + self.height - high - 8
        pen.rectangle((left, top, left + wide, top + high), fill=WHITE, outline=GRID)
        for i, ((color, _), text) in enumerate(zip(entries, texts, strict=True)):
            middle = top + 14 + 18 * i
            pen.line((left + 8, middle, left + 24, middle), fill=color, width=3)
            pen.text((left + 32, middle), text, fill=INK, font=lettering.font(TICK), anchor="lm")

    def _place(self, x: ArrayLike, y: ArrayLike) -> list[tuple[float, float]]:
        """Data coordinates as pixels of the enlarged plot area."""
        across = (np.asarray(x, np.float64) - self.x.low) / (self.x.high - self.x.low)
        up = (np.asarray(y, np.float64) - self.y.low) / (self.y.high - self.y.low)
        # Pillow's coordinates are machine integers in the end: keep what is far outside near.
        left = (np.clip(across, -5, 6) * self.width + _RIM) * _FINE
        top = ((1 - np.clip(up, -5, 6)) * self.height + _RIM) * _FINE
        return list(zip(left.tolist(), top.tolist(), strict=True))

    @staticmethod
    def _fine(width: int, height: int) -> tuple[int, int]:
        return (width + 2 * _RIM) * _FINE, (height + 2 * _RIM) * _FINE


def mixed(color: str, share: float) -> str:
    """A colour mixed into white: 0 is white, 1 the colour."""
    parts = (round(255 + (part - 255) * share) for part in bytes.fromhex(color[1:]))
    return "#" + "".join(f"{part:02x}" for part in parts)


def _faded(color: str, alpha: float) -> str:
    return f"{color}{round(alpha * 255):02x}"


def _dashes(
    start: tuple[float, float], end: tuple[float, float]
) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    length = float(np.hypot(end[0] - start[0], end[1] - start[1]))
    marks = np.linspace(start, end, 2 * max(1, round(length / (10 * _FINE)))).tolist()
    return [(tuple(a), tuple(b)) for a, b in zip(marks[::2], marks[1::2], strict=True)]


def _upright(picture: Image.Image, text: str, x: float, y: float) -> None:
    """Write a tick's text from the bottom to the top, its end at (x, y)."""
    face = lettering.font(TICK)
    strip = Image.new("L", (round(face.getlength(text)) + 2, TICK + 6), 0)
    ImageDraw.Draw(strip).text((1, strip.height / 2), text, fill=255, font=face, anchor="lm")
    turned = strip.transpose(Image.Transpose.ROTATE_90)
    picture.paste(MUTED, (round(x - turned.width / 2), round(y)), turned)
