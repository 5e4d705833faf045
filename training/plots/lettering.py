"""Text as the plots show it: fonts, widths, names that fit, numbers that read well.

Nothing here parses what it is given: a column called `$x_1$` is drawn as `$x_1$`.
"""

import math
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from PIL import ImageFont
from PIL.ImageFont import FreeTypeFont

#: Text sizes in pixels.
TITLE, LABEL, TICK = 16, 12, 11

_MISSING = "\U0010ffff"
_SUFFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


@cache
def font(size: int, bold: bool = False) -> FreeTypeFont:
    """DejaVu Sans at a size in pixels, from the copy that matplotlib carries.

    matplotlib is found and not imported: that alone would cost each candidate's process half a
    second.
    """
    spec = find_spec("matplotlib")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("expected matplotlib for its fonts, found none; install matplotlib")
    face = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(spec.origin).parent / "mpl-data/fonts/ttf" / face, size)


def plain(text: object) -> str:
    """Text on one line, with an escape like `\\u5e74` for each character the font cannot draw."""
    words = " ".join(str(text).split())
    return words if words.isascii() and words.isprintable() else "".join(map(_drawable, words))


def width(text: str, size: int, bold: bool = False) -> float:
    """Width of a line of text in pixels."""
    return font(size, bold).getlength(text)


def shorten(text: object, pixels: float, size: int = TICK, bold: bool = False) -> str:
    """Make text plain and, where it is wider than `pixels`, leave out its middle."""
    line = plain(text)
    if len(line) > 400:
        line = line[:200] + line[-200:]
    kept = len(line)
    short = line
    while kept > 1 and (wide := width(short, size, bold)) > pixels:
        kept = min(kept - 1, int(kept * pixels / wide) + 1)
        short = f"{line[: (kept + 1) // 2]}…{line[len(line) - kept // 2 :]}"
    return short


def number(value: float) -> str:
    """A number with about four significant digits: `0.9934`, `48,123`, `1.2e-07`."""
    size = abs(value)
    if not math.isfinite(value) or (size and not 1e-3 <= size < 1e9):
        return f"{value:.3g}"
    decimals = 4 if size <= 1 else 3 if size < 10 else 2 if size < 100 else 1 if size < 1000 else 0
    return f"{value:,.{decimals}f}"


def share(value: float) -> str:
    """A figure between 0 and 1 with three decimals that never rounds an imperfect one to 1."""
    return ">0.999" if 0.9995 <= value < 1 else f"{value:.3f}"


def count(rows: int) -> str:
    """A count in at most five characters: `9,999`, `12k`, `1.2M`."""
    if rows < 10_000:
        return f"{rows:,}"
    scale, suffix = next(item for item in _SUFFIXES if rows >= item[0])
    return f"{rows / scale:.1f}{suffix}" if rows < 10 * scale else f"{rows / scale:.0f}{suffix}"


def ticks(low: float, high: float, most: int = 6) -> list[tuple[float, str]]:
    """Round numbers between `low` and `high` (`low` < `high`), at most about `most`, as written."""
    raw = (high - low) / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    values = [i * step for i in range(first, last + 1)]
    largest = max((abs(value) for value in values), default=0.0)
    if 0 < largest < 1e-3 or largest >= 1e15:
        return [(value, f"{value:.3g}") for value in values]
    scale, suffix = next(
        (item for item in _SUFFIXES if largest >= item[0] * (10 if item[0] == 1e3 else 1)), (1, "")
    )
    decimals = next(d for d in range(9) if abs(round(step / scale, d) * scale - step) < step / 1e6)
    return [(v, f"{v / scale:,.{decimals}f}{suffix}" if v else "0") for v in values]


@cache
def _drawable(character: str) -> str:
    if character.isascii() and character.isprintable():
        return character
    if character.isprintable():
        face = font(TICK)
        if bytes(face.getmask(character)) != bytes(face.getmask(_MISSING)):
            return character
    return character.encode("unicode_escape").decode()
