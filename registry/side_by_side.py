"""A comparison as tables for the terminal (rich)."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from registry.describe import moment, signed
from training.lettering import number, percent, size

if TYPE_CHECKING:
    from registry.compare import Change, Comparison, Gain, Score, Side

_MOST = 15
_FACTS: tuple[tuple[str, "Callable[[Side], str]"], ...] = (
    ("stage", lambda side: ", ".join([side.stage, *(f"@{name}" for name in side.aliases)])),
    ("candidate", lambda side: side.candidate),
    ("trained", lambda side: moment(side.trained) + (f", {side.trainer}" if side.trainer else "")),
    ("table", lambda side: side.source),
    ("rows", lambda side: f"{side.rows:,}, {side.tested:,} of them tested on"),
    ("fingerprint", lambda side: side.fingerprint),
    ("commit", lambda side: side.commit[:12] + ("-dirty" if "dirty" in side.commit else "")),
    ("fit", lambda side: _with(side.fit_seconds, "{:.2f} s")),
    ("predict a row", lambda side: _with(side.predict_seconds_per_row, "{:.2f} ms", 1_000)),
    ("size", lambda side: "" if side.model_bytes is None else size(side.model_bytes)),
    ("gates", lambda side: gates_said(side)),
)


def facts_of(comparison: "Comparison") -> list[tuple[str, str, str]]:
    """What is shown of both versions: name, and what each has."""
    rows = [(name, of(comparison.first), of(comparison.second)) for name, of in _FACTS]
    return [row for row in rows if row[1] or row[2]]


def gates_said(side: "Side") -> str:
    """How a version's gates ended: `promoted: 9 passed, 1 skipped`."""
    if not side.gates:
        return "none on record"
    outcomes = [gate["outcome"] for gate in side.gates]
    counts = [
        f"{outcomes.count(outcome)} {outcome}"
        for outcome in ("passed", "failed", "skipped")
        if outcome in outcomes
    ]
    return f"{side.gates_outcome}: {', '.join(counts)}"


def verdict(comparison: "Comparison") -> str:
    """The comparison in one sentence."""
    first, second = (f"version {side.version}" for side in (comparison.first, comparison.second))
    found = comparison.lines[0]
    if found.same_rows is None:
        return f"{comparison.not_compared} Each version is scored on its own test rows."
    same = found.same_rows
    if same.low > 0:
        said = f"{second} is better than {first}"
    elif same.high < 0:
        said = f"{second} is worse than {first}"
    else:
        said = f"{second} cannot be told from {first}"
    return (
        f"{said[0].upper()}{said[1:]} on the {comparison.rows_in_common:,} rows that both were "
        f"tested on: gain in {found.metric} {gain_said(same)}, better with a probability of "
        f"{percent(same.probability_better)}."
    )


def table(comparison: "Comparison") -> Any:
    """A comparison as rich renders it."""
    from rich.box import SIMPLE
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    heads = [f"version {side.version}" for side in (comparison.first, comparison.second)]

    def made(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
        shown = Table(box=SIMPLE, title=title, title_justify="left")
        for at, column in enumerate(columns):
            shown.add_column(column, overflow="fold", no_wrap=at == 0)
        for row in rows:
            shown.add_row(*(Text(cell) for cell in row))
        return shown

    scores = [
        (
            line.metric,
            score_said(line.first),
            score_said(line.second),
            *((gain_said(line.same_rows),) if comparison.rows_in_common else ()),
        )
        for line in comparison.lines
    ]
    common = [f"gain on {comparison.rows_in_common:,} rows of both"]
    parts: list[Any] = [
        made(comparison.model, ("", *heads), facts_of(comparison)),
        made(
            "Test scores (95 %)",
            ("", *heads, *(common if comparison.rows_in_common else ())),
            scores,
        ),
    ]
    for title, changes in (
        ("Parameters that differ", comparison.params),
        ("Columns that differ", comparison.columns),
        ("Packages that differ", comparison.packages),
    ):
        if changes:
            rows = [change_said(change) for change in changes[:_MOST]]
            more = len(changes) - _MOST
            if more > 0:
                rows.append((f"… and {more:,} more", "", ""))
            parts.append(made(title, ("", *heads), rows))
    return Group(*parts, Text(verdict(comparison)))


def score_said(score: "Score | None") -> str:
    """`0.9200 (0.9000 to 0.9400)`."""
    if score is None:
        return "-"
    return f"{number(score.value)} ({number(score.low)} to {number(score.high)})"


def gain_said(gain: "Gain | None") -> str:
    """`+0.02000 (+0.005000 to +0.03500)`."""
    if gain is None:
        return "-"
    return f"{signed(gain.value)} ({signed(gain.low)} to {signed(gain.high)})"


def change_said(change: "Change") -> tuple[str, str, str]:
    """A name and what each version has; `-` where it has none."""
    first, second = ("-" if value is None else value for value in (change.first, change.second))
    return change.name, first, second


def _with(value: float | None, form: str, scale: float = 1) -> str:
    return "" if value is None else form.format(scale * value)
