"""Figures as people read them."""

import math


def number(value: float | None) -> str:
    """A score with four significant digits."""
    if value is None or not math.isfinite(value):
        return "-"
    if value == 0:
        return "0.0000"
    if not 1e-3 <= abs(value) < 1e5:
        return f"{value:.4g}"
    return f"{value:.{max(0, 3 - math.floor(math.log10(abs(value))))}f}"


def percent(probability: float) -> str:
    """A probability that a bootstrap has counted: never said to be none, or certainty."""
    if probability < 0.001:
        return "under 0.1%"
    if probability > 0.999:
        return "over 99.9%"
    return f"{probability:.1%}".replace(".0%", "%")


def size(count: int) -> str:
    """A number of bytes for people."""
    value = float(count)
    for unit in ("B", "kB", "MB"):
        if value < 1_000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1_000
    return f"{value:.1f} GB"
