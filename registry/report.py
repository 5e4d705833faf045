"""A comparison as one self-contained page."""

from collections.abc import Iterable, Sequence
from typing import Any

from registry import html
from registry.compare import Change, Comparison, Line, Score, Side
from registry.curves import Figure
from registry.side_by_side import change_said, facts_of, gain_said, gates_said, score_said, verdict
from registry.svg import strip
from training.lettering import percent

_MOST = 200


def page(
    comparison: Comparison, figures: Sequence[Figure], importance: Figure | None = None
) -> str:
    """Write a comparison as HTML.

    Parameters
    ----------
    comparison : Comparison
    figures : sequence of Figure
        Curves of both versions.
    importance : Figure, optional

    Returns
    -------
    str
        A whole document, well-formed as XML too.
    """
    first, second = comparison.first, comparison.second
    title = f"{comparison.model}: version {first.version} and version {second.version}"
    body = [
        f"<p>{_key(first, 'first', True)} &#160; {_key(second, 'second', True)}</p>",
        html.paragraph(verdict(comparison), "verdict"),
        html.section("Scores", _scores(comparison)),
        *([html.section("Curves", _where(comparison), _figures(figures))] if figures else ()),
        *([html.section("Features", _importance(importance))] if importance else ()),
        html.section("Both versions", _by_version(comparison, facts_of(comparison))),
        html.section(
            "Gates", f'<div class="two">{_gates(first, "first")}{_gates(second, "second")}</div>'
        ),
        *_changes(comparison, "Parameters that differ", comparison.params),
        *_changes(comparison, "Columns that differ", comparison.columns),
        *_changes(comparison, "Packages that differ", comparison.packages),
    ]
    return html.document(title, body)


def _key(side: Side, kind: str, whole: bool = False) -> str:
    said = f": {side.candidate}" if whole else ""
    return html.key(f"version {side.version}{said}", kind)


def _heads(comparison: Comparison) -> list[str]:
    return [
        f"<th>{_key(side, kind)}</th>"
        for side, kind in ((comparison.first, "first"), (comparison.second, "second"))
    ]


def _scores(comparison: Comparison) -> str:
    common = comparison.rows_in_common
    head = [html.heading("Metric"), *_heads(comparison), html.heading("")]
    if common:
        head += map(html.heading, (f"Gain on {common:,} rows of both", "Better"))
    rows = [_score_row(line, bool(common)) for line in comparison.lines]
    tested = [f"{side.tested:,}" for side in (comparison.first, comparison.second)]
    note = f"Each on its own test rows ({tested[0]} and {tested[1]}), with 95% bootstrap intervals."
    if common:
        note += (
            " The gain is of the rows that both were tested on and neither was trained on, by a "
            "paired bootstrap: positive is better, whatever the metric; the last column is the "
            "probability that the second version is better."
        )
    return html.table(head, rows) + html.note(note)


def _score_row(line: Line, common: bool) -> list[str]:
    way, arrow = ("more", "↑") if line.greater_is_better else ("less", "↓")
    drawn = strip([_ends(line.first), _ends(line.second)], f"{line.metric} with intervals")
    cells = [
        f'<th class="whole" title="{way} is better">{html.escape(line.metric)} {arrow}</th>',
        html.cell(score_said(line.first), "figure"),
        html.cell(score_said(line.second), "figure"),
        f'<td class="strip">{drawn}</td>',
    ]
    if common:
        gain = line.same_rows
        kind = (
            "" if gain is None else "better" if gain.low > 0 else "worse" if gain.high < 0 else ""
        )
        cells.append(html.cell(gain_said(gain), f"figure {kind}".strip()))
        said = "" if gain is None else percent(gain.probability_better)
        cells.append(html.cell(said.replace("over ", ">").replace("under ", "<"), "figure"))
    return cells


def _ends(score: Score | None) -> tuple[float, float, float] | None:
    return None if score is None else (score.value, score.low, score.high)


def _where(comparison: Comparison) -> str:
    common = comparison.rows_in_common
    said = (
        f"On the {common:,} rows that both were tested on."
        if common
        else "Each version on its own test rows, which are different ones."
    )
    return html.note(said)


def _figures(figures: Sequence[Figure]) -> str:
    return html.figures(map(_figure, figures))


def _figure(figure: Figure) -> str:
    return html.figure(html.escape(figure.title), figure.svg)


def _importance(figure: Figure) -> str:
    note = "How much worse the selection metric gets when a feature's values are shuffled."
    return _figure(figure) + html.note(note)


def _gates(side: Side, kind: str) -> str:
    head = f"<h3>{_key(side, kind)}</h3>"
    said = html.note(gates_said(side))
    if not side.gates:
        return f"<div>{head}{said}</div>"
    titles = map(html.heading, ("Gate", "Outcome", "Found"))
    return f"<div>{head}{said}{html.table(titles, map(_gate_row, side.gates))}</div>"


def _gate_row(gate: dict[str, Any]) -> list[str]:
    outcome = str(gate["outcome"])
    kind = outcome if outcome in ("passed", "failed", "skipped") else ""
    warns = " (warns)" if outcome == "failed" and gate.get("enforce") == "warn" else ""
    return [
        html.heading(str(gate["gate"])),
        html.cell(outcome + warns, f"whole {kind}".strip()),
        html.cell(str(gate["sentence"])),
    ]


def _changes(comparison: Comparison, title: str, changes: Sequence[Change]) -> list[str]:
    if not changes:
        return []
    table = _by_version(comparison, map(change_said, changes[:_MOST]))
    return [html.section(title, table, html.left_out(len(changes) - _MOST))]


def _by_version(comparison: Comparison, lines: Iterable[tuple[str, str, str]]) -> str:
    """A table of what each version has."""
    rows = ([html.heading(name), html.cell(one), html.cell(other)] for name, one, other in lines)
    return html.table([html.heading(""), *_heads(comparison)], rows)
