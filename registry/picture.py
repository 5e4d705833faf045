"""The picture of a promotion's run: what each gate found, and old against new with its interval."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matplotlib.axes import Axes

from registry.describe import counted, paired, signed
from training.lettering import number, percent
from training.plots.chart import (
    BLUE,
    INK,
    MUTED,
    ORANGE,
    frame,
    names,
    plain,
    reach,
    save,
    shorten,
    style,
    width,
)

if TYPE_CHECKING:
    from registry.gates.result import Result

_WIDTH, _ROW, _TOP, _BELOW, _AGAINST = 860, 26, 96, 24, 128
_MARKS = {"passed": ("●", BLUE), "failed": ("✕", ORANGE), "skipped": ("-", MUTED)}


@style()
def draw_gates(results: Sequence["Result"], path: Path, *, title: str, note: str = "") -> Path:
    """Draw a promotion's gates as the PNG `path`.

    Parameters
    ----------
    results : sequence of Result
    path : Path
    title : str
        What was asked for: `churn version 7 to Production`.
    note : str
        The line under it: who, when, the outcome.

    Returns
    -------
    Path
        As given.
    """
    found = paired(results)
    below = _BELOW + (_AGAINST if found else 0)
    height = _TOP + below + _ROW * max(1, len(results))
    texts = [shorten(result.gate, 150) for result in results]
    left = 62 + round(max(map(width, texts), default=0))
    heading = f"{title}: {counted(results)}" if results else title
    axes = frame(heading, note, size=(_WIDTH, height), free=(left, 16, below, _TOP))
    axes.set(xlim=(0, _WIDTH - left - 16), xticks=[])
    names(axes, texts)
    _rows(axes, results, left)
    if found:
        _against(axes, found, height, below)
    return save(axes, path)


def _rows(axes: Axes, results: Sequence["Result"], left: int) -> None:
    """Mark, figure, threshold and sentence of each gate; the axis of `x` is in pixels."""
    figure_at, threshold_at, sentence_at = 90, 180, 200
    room = _WIDTH - left - 16 - sentence_at - 4
    heads = (("figure", figure_at, "right"), ("threshold", threshold_at, "right"),
             ("found", sentence_at, "left"))  # fmt: skip
    for text, x, side in heads if results else ():
        axes.text(x, -0.85, text, color=MUTED, ha=side, va="center_baseline")
    for row, result in enumerate(results):
        mark, color = _MARKS.get(result.outcome, ("?", MUTED))
        warns = result.outcome == "failed" and not result.stops
        quiet = result.outcome == "skipped"
        if row:
            axes.axhline(row - 0.5, color=axes.spines["left"].get_edgecolor(), lw=0.8)
        axes.text(26 - left, row, mark, color=color, fontsize=10, weight="bold", ha="center",
                  va="center_baseline")  # fmt: skip
        style: dict[str, Any] = {"va": "center_baseline", "color": MUTED if quiet else INK}
        axes.text(figure_at, row, _figure(result.figure), ha="right", **style)
        axes.text(threshold_at, row, _figure(result.threshold), ha="right", **style)
        said = ("Warns only. " if warns else "") + result.sentence
        axes.text(sentence_at, row, shorten(said, room), **style)
        axes.get_yticklabels()[row].set_color(MUTED if quiet else color if mark == "✕" else INK)


def _against(above: Axes, found: Mapping[str, Any], height: int, below: int) -> None:
    """Under the gates: the difference between old and new on the same rows."""
    figure = above.figure
    room = 16 / _WIDTH
    axes = figure.add_axes((40 / _WIDTH, 44 / height, 1 - 80 / _WIDTH, (below - 92) / height))
    axes.spines[:].set_visible(False)
    axes.locator_params(nbins=7)
    axes.set(yticks=[], ylim=(-1, 1))
    gain = float(found["difference"])
    ends = [found[key] for key in ("low", "high") if found.get(key) is not None]
    allowed = found.get("allowed")
    marks = [0.0, gain, *ends] + ([] if allowed is None else [-allowed])
    axes.set_xlim(reach(marks, 0.08))
    axes.axvline(0, color=INK, lw=0.8)
    if allowed:
        axes.axvline(-allowed, color=MUTED, lw=1.2, ls="--")
        axes.text(-allowed, 1.02, "allowed", color=MUTED, ha="center")
    color = BLUE if gain >= 0 else ORANGE
    if len(ends) == 2:
        axes.hlines(0, *ends, color=color, lw=2.5)
    axes.plot(gain, 0, "o", color=color, ms=8)
    rows = "" if found.get("rows") is None else f"{found['rows']:,} "
    metric = plain(found.get("metric", ""))
    axes.set_xlabel(f"Gain in {metric} on the same {rows}rows: right of 0 is better; 95% interval")
    said = f"{metric}: new {number(found.get('candidate'))}, old {number(found.get('production'))}"
    said += f"; gain {signed(gain)}"
    if len(ends) == 2:
        said += f" ({signed(ends[0])} to {signed(ends[1])})"
    if found.get("probability_better") is not None:
        said += f", better with a probability of {percent(found['probability_better'])}"
    figure.text(
        room, (below - 20) / height, shorten(said, _WIDTH - 32, 9), fontsize=9, weight="bold",
        va="top",
    )  # fmt: skip


def _figure(value: float | None) -> str:
    return "" if value is None else number(value)
