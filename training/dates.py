"""Texts that are dates: which layout they have."""

import re
from collections.abc import Sequence
from datetime import datetime
from itertools import product

import numpy as np

from training.values import parse_moments

ENOUGH = 0.95  # of the values must be dates

_ISO = ""
_DAYS = (
    *("%m/%d/%Y", "%d/%m/%Y", "%m/%d/%y", "%d/%m/%y", "%Y/%m/%d"),
    *("%m-%d-%Y", "%d-%m-%Y", "%m-%d-%y", "%d-%m-%y", "%d.%m.%Y", "%d.%m.%y", "%Y.%m.%d"),
    *("%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%B %d %Y"),
    *("%d-%b-%Y", "%d-%b-%y", "%d/%b/%Y", "%a, %d %b %Y", "%A, %d %B %Y"),
)
_TIMES = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p", " %H:%M:%S %z")
_LAYOUTS = (
    *(day + time for time, day in product(_TIMES, _DAYS)),
    "%a %b %d %H:%M:%S %Y",
    "%d/%b/%Y:%H:%M:%S %z",
)

#: Digits with separators between them, or with a month's name; a bare number is never a date.
_SHAPE = re.compile(
    r"\s*(\d{4}-\d{2}(-\d{2}|$)|\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}|.*\b[A-Za-z]{3,9}\b.*\d|"
    r"\d{1,2}[ /-][A-Za-z]{3,9}[ /-]\d{2,4})"
)
_SAMPLE = 60


def find_layout(texts: Sequence[str], counts: np.ndarray) -> tuple[str, bool] | None:
    """Find how dates are written.

    Parameters
    ----------
    texts : sequence of str
        The distinct values of a column.
    counts : ndarray of int, shape (len(texts),)
        How often each occurs.

    Returns
    -------
    layout : str
        strptime format, '' for ISO 8601.
    ambiguous : bool
        Day and month could as well be the other way round.
    None
        Instead, if fewer than 95 % of the values are dates by any one layout.
    """
    step = max(1, len(texts) // _SAMPLE)
    sample = [str(text) for text in texts[::step][:_SAMPLE]]
    shaped = [text for text in sample if len(text) < 50 and _SHAPE.match(text)]
    if len(shaped) < len(sample) / 2:
        return None
    shares: dict[str, float] = {}
    for layout in (_ISO, *_LAYOUTS):
        if _possible(shaped[:3], layout) and _strict(sample, layout).mean() > 0.4:
            shares[layout] = float(counts[_strict(texts, layout)].sum() / counts.sum())
            if layout == _ISO and shares[layout] >= ENOUGH:
                break
    if not shares:
        return None
    best = max(shares, key=lambda layout: shares[layout])
    rivals = [layout for layout in shares if layout != best and shares[layout] == shares[best]]
    return (best, bool(rivals)) if shares[best] >= ENOUGH else None


def _possible(texts: Sequence[str], layout: str) -> bool:
    """Whether any text fits: pandas takes a millisecond a layout, which is too much for all."""
    return layout == _ISO or any(_fits(text, layout) for text in texts)


def _fits(text: str, layout: str) -> bool:
    try:
        datetime.strptime(text, layout)
    except ValueError:
        return False
    return True


def _strict(texts: Sequence[str], layout: str) -> np.ndarray:
    """Which texts are dates by this layout alone."""
    return ~np.isnat(parse_moments(list(texts), layout, only=True))
