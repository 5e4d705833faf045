"""How every plot looks: one style, one frame with a title that states the figures, one writer."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any, Literal
from zlib import Z_RLE

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from matplotlib.ft2font import LoadFlags
from numpy.typing import ArrayLike

INK, MUTED, GRID, WHITE = "#1f2933", "#66727f", "#e6e9ed", "#ffffff"
BLUE, ORANGE = "#0072b2", "#d55e00"
#: Okabe and Ito's colours, which colour-blind people can tell apart.
SERIES = (BLUE, "#e69f00", "#009e73", "#cc79a7", ORANGE, "#56b4e9")
SHADES = LinearSegmentedColormap.from_list("shades", [WHITE, BLUE])

#: Pixels of a plot, and what is kept free at its left, right, bottom and top.
SIZE, FREE = (560, 420), (90, 24, 56, 74)
_DPI = 100
_STYLE: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": GRID,
    "axes.formatter.limits": (-4, 6),
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.labelsize": 9,
    "axes.linewidth": 0.8,
    "font.family": ["DejaVu Sans"],
    "font.size": 8,
    "grid.color": GRID,
    "legend.edgecolor": GRID,
    "legend.fontsize": 8,
    "text.color": INK,
    "text.parse_math": False,  # a column may be called `$x_1$`
    "text.hinting": "none",
    "xtick.bottom": False,
    "xtick.labelcolor": MUTED,
    "xtick.labelsize": 8,
    "xtick.major.pad": 6,
    "ytick.labelcolor": MUTED,
    "ytick.labelsize": 8,
    "ytick.left": False,
    "ytick.major.pad": 6,
}


@contextmanager
def style() -> Iterator[None]:
    """The plots' style, whatever the user's own matplotlib settings; for drawing and saving."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        yield


def frame(
    title: str,
    note: str,
    x: str = "",
    y: str = "",
    size: tuple[int, int] = SIZE,
    free: tuple[int, int, int, int] = FREE,
) -> Axes:
    """Axes with a title, a smaller line under it and the labels `x` and `y`, cut where too long.

    `free` are the pixels at the left, right, bottom and top of the axes. Their figure is a new one.
    """
    (width, height), (left, right, bottom, top) = size, free
    wide, high = width - left - right, height - top - bottom
    figure = Figure((width / _DPI, height / _DPI), dpi=_DPI)
    line: dict[str, Any] = {"x": 16 / width, "ha": "left", "va": "top"}
    title = shorten(title, width - 32, 11.5, "bold")
    figure.suptitle(title, y=1 - 13 / height, fontsize=11.5, weight="bold", **line)
    figure.text(y=1 - 36 / height, s=shorten(note, width - 32, 9), color=MUTED, fontsize=9, **line)
    axes = figure.add_axes((left / width, bottom / height, wide / width, high / height))
    axes.spines[:].set_visible(False)
    axes.locator_params(nbins=5)
    axes.set_xlabel(shorten(x, wide, 9), labelpad=6)
    axes.set_ylabel(shorten(y, high, 9))
    axes.yaxis.set_label_coords((24 - left) / wide, 0.5)  # inside, however wide the ticks' text
    return axes


def names(axes: Axes, texts: Sequence[str], first: float = 0) -> None:
    """One name a row in place of the numbers of `y`, the first one at the top, at `first`."""
    axes.set_yticks([first + row for row in range(len(texts))], texts, color=INK)
    axes.set_ylim(first + max(1, len(texts)) - 0.5, first - 0.5)
    axes.grid(False, axis="y")


def legend(axes: Axes, corner: Literal["upper left", "lower left", "lower right"]) -> None:
    """Name the labelled lines in a corner like `lower right`, the last one first."""
    lines, labels = axes.get_legend_handles_labels()
    texts = [shorten(label, 260) for label in labels]
    axes.legend(lines[-1:] + lines[:-1], texts[-1:] + texts[:-1], loc=corner, framealpha=1)


def save(axes: Axes, path: Path) -> Path:
    """Write the figure of some axes as a PNG file; the same figure gives the same bytes."""
    fast = {"compress_level": 1, "compress_type": Z_RLE}
    FigureCanvasAgg(axes.get_figure(root=True)).print_png(
        path, metadata={"Software": None}, pil_kwargs=fast
    )
    return path


def draw_nothing() -> None:
    """Load what the first plot of a process would wait for: fonts, and the writer of PNG files."""
    with style():
        FigureCanvasAgg(frame("0", "0", "0", "0").get_figure(root=True)).print_png(BytesIO())


def reach(values: ArrayLike, margin: float = 0.02) -> tuple[float, float]:
    """The ends of an axis that holds all the `values`, with a margin as a share of their range."""
    low, high = float(np.min(values)), float(np.max(values))
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        half = 0.05 * max(abs(low), abs(high)) or 0.5
        low, high = low - half, high + half
    room = margin * (high - low)
    return low - room, high + room


def plain(text: object) -> str:
    """Text on one line, with an escape like `\\u5e74` for each character the font cannot draw."""
    return "".join(map(_drawable, " ".join(str(text).split())))


def width(text: str, size: float = 8, weight: str = "normal") -> float:
    """Width of plain text in pixels; `size` in points."""
    font = get_font(findfont(f"DejaVu Sans:{weight}"))
    font.set_size(size, _DPI)
    font.set_text(text, flags=LoadFlags.NO_HINTING)
    return float(font.get_width_height()[0]) / 64


def shorten(text: object, pixels: float, size: float = 8, weight: str = "normal") -> str:
    """Make text plain and, where it is wider than `pixels`, leave out its middle."""
    line = plain(text)
    if len(line) > 400:
        line = line[:200] + line[-200:]
    short, kept = line, len(line)
    if kept * size * _DPI / 72 <= pixels:  # even if it were all `W`
        return line
    while kept > 1 and (wide := width(short, size, weight)) > pixels:
        kept = min(kept - 1, int(kept * pixels / wide) + 1)
        short = f"{line[: (kept + 1) // 2]}…{line[len(line) - kept // 2 :]}"
    return short


def share(value: float) -> str:
    """A figure between 0 and 1 with three decimals that never rounds an imperfect one to 1."""
    return ">0.999" if 0.9995 <= value < 1 else f"{value:.3f}"


@cache
def _drawable(character: str) -> str:
    known = get_font(findfont("DejaVu Sans")).get_char_index(ord(character))
    return character if known and character.isprintable() else ascii(character)[1:-1]
