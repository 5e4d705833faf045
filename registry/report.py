"""A comparison as one self-contained page: no script, nothing from the network, light and dark.

All text is escaped here or in `svg.py`: names and labels are users'.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from registry.compare import Change, Comparison, Line, Score, Side
from registry.curves import Figure
from registry.side_by_side import change_said, facts_of, gain_said, gates_said, score_said, verdict
from registry.svg import escape, strip
from training.lettering import percent

_STYLE = Path(__file__).with_name("report.css")
#: A page may load nothing, whatever a user's text has in it.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
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
        f"<h1>{escape(title)}</h1>",
        f"<p>{_key(first, 'first')} &#160; {_key(second, 'second')}</p>",
        f'<p class="verdict">{escape(verdict(comparison))}</p>',
        _section("Scores", _scores(comparison)),
        *([_section("Curves", _where(comparison), _figures(figures))] if figures else ()),
        *([_section("Features", _importance(importance))] if importance else ()),
        _section("Both versions", _facts(comparison)),
        _section(
            "Gates", f'<div class="two">{_gates(first, "first")}{_gates(second, "second")}</div>'
        ),
        *_changes(comparison, "Parameters that differ", comparison.params),
        *_changes(comparison, "Columns that differ", comparison.columns),
        *_changes(comparison, "Packages that differ", comparison.packages),
    ]
    style = _STYLE.read_text(encoding="utf-8")
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"/>'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}"/>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>'
        f"<title>{escape(title)}</title>\n<style>\n{style}</style></head>\n<body>\n"
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def _key(side: Side, kind: str) -> str:
    said = f"version {side.version}: {side.candidate}"
    return f'<span class="key {kind}">{escape(said)}</span>'


def _section(title: str, *parts: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{''.join(parts)}</section>"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Cells are whole elements."""
    lines = "".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    return (
        f'<div class="wide"><table><thead><tr>{"".join(head)}</tr></thead>'
        f"<tbody>{lines}</tbody></table></div>"
    )


def _cell(text: str, kind: str = "", element: str = "td") -> str:
    named = f' class="{kind}"' if kind else ""
    return f"<{element}{named}>{escape(text)}</{element}>"


def _heads(comparison: Comparison) -> list[str]:
    return [
        f'<th><span class="key {kind}">{escape(f"version {side.version}")}</span></th>'
        for side, kind in ((comparison.first, "first"), (comparison.second, "second"))
    ]


def _scores(comparison: Comparison) -> str:
    common = comparison.rows_in_common
    head = [_cell("Metric", element="th"), *_heads(comparison), _cell("", element="th")]
    if common:
        head += [
            _cell(f"Gain on {common:,} rows of both", element="th"),
            _cell("Better", element="th"),
        ]
    rows = [_score_row(line, bool(common)) for line in comparison.lines]
    tested = [f"{side.tested:,}" for side in (comparison.first, comparison.second)]
    note = f"Each on its own test rows ({tested[0]} and {tested[1]}), with 95% bootstrap intervals."
    if common:
        note += (
            " The gain is of the rows that both were tested on and neither was trained on, by a "
            "paired bootstrap: positive is better, whatever the metric; the last column is the "
            "probability that the second version is better."
        )
    return _table(head, rows) + f'<p class="note">{escape(note)}</p>'


def _score_row(line: Line, common: bool) -> list[str]:
    way, arrow = ("more", "↑") if line.greater_is_better else ("less", "↓")
    drawn = strip([_ends(line.first), _ends(line.second)], f"{line.metric} with intervals")
    cells = [
        f'<th class="whole" title="{way} is better">{escape(line.metric)} {arrow}</th>',
        _cell(score_said(line.first), "figure"),
        _cell(score_said(line.second), "figure"),
        f'<td class="strip">{drawn}</td>',
    ]
    if common:
        gain = line.same_rows
        kind = (
            "" if gain is None else "better" if gain.low > 0 else "worse" if gain.high < 0 else ""
        )
        cells.append(_cell(gain_said(gain), f"figure {kind}".strip()))
        said = "" if gain is None else percent(gain.probability_better)
        cells.append(_cell(said.replace("over ", ">").replace("under ", "<"), "figure"))
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
    return f'<p class="note">{escape(said)}</p>'


def _figures(figures: Sequence[Figure]) -> str:
    return f'<div class="figures">{"".join(map(_figure, figures))}</div>'


def _figure(figure: Figure) -> str:
    return f"<figure><figcaption>{escape(figure.title)}</figcaption>{figure.svg}</figure>"


def _importance(figure: Figure) -> str:
    note = "How much worse the selection metric gets when a feature's values are shuffled."
    return f'{_figure(figure)}<p class="note">{escape(note)}</p>'


def _facts(comparison: Comparison) -> str:
    rows = [
        [_cell(name, element="th"), _cell(one), _cell(other)]
        for name, one, other in facts_of(comparison)
    ]
    return _table([_cell("", element="th"), *_heads(comparison)], rows)


def _gates(side: Side, kind: str) -> str:
    head = f'<h3><span class="key {kind}">{escape(f"version {side.version}")}</span></h3>'
    said = f'<p class="note">{escape(gates_said(side))}</p>'
    if not side.gates:
        return f"<div>{head}{said}</div>"
    titles = [_cell(name, element="th") for name in ("Gate", "Outcome", "Found")]
    return f"<div>{head}{said}{_table(titles, map(_gate_row, side.gates))}</div>"


def _gate_row(gate: dict[str, Any]) -> list[str]:
    outcome = str(gate["outcome"])
    kind = outcome if outcome in ("passed", "failed", "skipped") else ""
    warns = " (warns)" if outcome == "failed" and gate.get("enforce") == "warn" else ""
    return [
        _cell(str(gate["gate"]), element="th"),
        _cell(outcome + warns, f"whole {kind}".strip()),
        _cell(str(gate["sentence"])),
    ]


def _changes(comparison: Comparison, title: str, changes: Sequence[Change]) -> list[str]:
    if not changes:
        return []
    rows = [
        [_cell(name, element="th"), _cell(one), _cell(other)]
        for name, one, other in map(change_said, changes[:_MOST])
    ]
    table = _table([_cell("", element="th"), *_heads(comparison)], rows)
    more = len(changes) - _MOST
    note = f'<p class="note">… and {more:,} more</p>' if more > 0 else ""
    return [_section(title, table, note)]
