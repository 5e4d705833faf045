"""A single cell of JSON or CSV as a text, a number, or yes and no: as `training.values` has it.

Without pandas, which is why it is here a second time; the tests hold one against the other.
"""

import math
import re
from typing import Any

#: Beyond this a float64 is infinite as the float32 that boosters and trees compute with.
LARGEST = 3e38

_TRUTH = dict.fromkeys(("true", "t", "yes", "y", "1"), 1.0) | dict.fromkeys(
    ("false", "f", "no", "n", "0"), 0.0
)

#: Sign, currency, digits in groups of three by commas or not, fraction, currency or per cent.
_DRESSED = re.compile(r"([+-]?) ?[$€£¥]? ?(\d{1,3}(?:,\d{3})+|\d+)(\.\d*)? ?[$€£¥%]?", re.ASCII)


def label(value: Any) -> str | None:
    """The text a cell stands for: 3.0 and 3 are '3', True is 'true', a list is nothing."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float) and not math.isnan(value):
        return str(int(value)) if value.is_integer() else repr(value)
    return None


def number(value: Any) -> float:
    """A cell as a number; NaN if it is none, infinite or beyond `LARGEST`."""
    if isinstance(value, str):
        found = _parsed(value)
    elif isinstance(value, int | float):
        try:
            found = float(value)
        except OverflowError:
            return math.nan
    else:
        return math.nan
    return found if abs(found) <= LARGEST else math.nan


def truth(value: Any) -> float:
    """1.0 for true, yes, y, t, 1; 0.0 for false, no, n, f, 0; else NaN."""
    text = label(value)
    return math.nan if text is None else _TRUTH.get(text.strip().lower(), math.nan)


def _parsed(text: str) -> float:
    if text in ("true", "false"):
        return float(text == "true")
    if "_" in text:
        return math.nan
    try:
        return float(text)
    except ValueError:
        dressed = _DRESSED.fullmatch(text.strip())
        return float("".join(dressed.groups("")).replace(",", "")) if dressed else math.nan
