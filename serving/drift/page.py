"""A comparison as one self-contained page."""

from collections.abc import Sequence
from pathlib import Path

from registry import html
from serving.drift.compare import DRIFTED, SHIFTED, Finding
from serving.drift.figures import bars_of, chart, strip
from serving.drift.run import Drift
from serving.drift.wording import (
    judged_said,
    name_of,
    p_said,
    performance_said,
    rate_said,
    read_said,
    sentence,
    test_said,
    unknown_said,
)
from training.lettering import number

_STYLE = Path(__file__).with_name("drift.css")
_MOST_LINES, _MOST_FIGURES = 500, 24
_KINDS = {"not judged": "skipped", "too few rows": "skipped"}


def page(drift: Drift) -> str:
    """Write a comparison as HTML: a whole document, well-formed as XML too."""
    title = f"{drift.version.name}: training and {drift.found.rows:,} recorded rows"
    moved = [item for item in drift.findings if item.verdict in (DRIFTED, SHIFTED)]
    shown = [*drift.predictions, *(item for item in moved if not item.is_prediction)]
    body = [
        f"<p>{html.key('training', 'first')} &#160; {html.key('recorded', 'second')}</p>",
        html.paragraph(sentence(drift), f"verdict {_kind(drift.verdict)}"),
        *([_performance(drift)] if drift.performance is not None else ()),
        html.section("Predictions, and columns that moved", _figures(shown)),
        html.section("All columns", _findings(drift.columns)),
        html.section("Predictions", _findings(drift.predictions)),
        html.section("What was read", _facts(drift)),
        html.note(judged_said()),
    ]
    return html.document(title, body, _STYLE)


def _kind(verdict: str) -> str:
    return _KINDS.get(verdict, verdict)


def _figures(items: Sequence[Finding]) -> str:
    more = html.left_out(len(items) - _MOST_FIGURES, ", in the table below")
    return html.figures(map(_figure, items[:_MOST_FIGURES])) + more


def _figure(item: Finding) -> str:
    name = ("prediction: " if item.is_prediction else "") + name_of(item)
    said = item.verdict + (f": {item.why}" if item.why else "")
    unit = {"datetime": ", as days", "text": ", by its length"}.get(item.kind, "")
    verdict = f'<span class="said {_kind(item.verdict)}">{html.escape(said)}</span>'
    drawn = chart(bars_of(item), f"{name} at training and since")
    return html.figure(f"{html.escape(name + unit)} {verdict}", drawn)


def _findings(items: Sequence[Finding]) -> str:
    head = ("", "Kind", "Training and recorded", "PSI", "Test", "p", "Missing", "Unknown", "")
    table = html.table(map(html.heading, head), map(_line, items[:_MOST_LINES]))
    return table + html.left_out(len(items) - _MOST_LINES)


def _line(item: Finding) -> list[str]:
    said = item.verdict + (f": {item.why}" if item.why else "")
    return [
        html.heading(name_of(item)),
        html.cell(item.kind, "whole"),
        f'<td class="strip">{strip(bars_of(item), name_of(item))}</td>',
        html.cell(f"{item.psi:.3f}", "figure"),
        html.cell(test_said(item), "figure"),
        html.cell(p_said(item.p), "figure"),
        html.cell(rate_said(item.missing), "figure"),
        html.cell(rate_said(item.unseen), "figure"),
        html.cell(said, _kind(item.verdict)),
    ]


def _performance(drift: Drift) -> str:
    found = drift.performance
    assert found is not None
    rows = [
        [
            html.heading(name + (", selected by" if name == found.metric else "")),
            html.cell(number(found.trained.get(name)), "figure"),
            html.cell(number(found.scores.get(name)), "figure"),
        ]
        for name in dict.fromkeys([found.metric, *found.trained, *found.scores])
    ]
    kind = {"worse": "drifted", "better": "stable", "as at training": "stable"}
    said = kind.get(found.verdict, "skipped")
    if found.unknown_verdict == SHIFTED and said != "drifted":
        said = SHIFTED
    known = found.rows + found.unknown
    note = f"The truth is known of {known:,} recorded rows, of {found.told:,} that were told. "
    if found.unknown:
        note += (
            f"{unknown_said(drift)}: the model cannot have predicted them, and no score has them. "
        )
    if found.unnamed:
        note += f"{found.unnamed:,} more rows of the truth have no request's id. "
    note += "Intervals are 95% bootstrap intervals; at training they are of the test rows."
    return html.section(
        "Performance",
        html.paragraph(performance_said(drift), said),
        html.table(map(html.heading, ("Metric", "At training", "Now")), rows),
        html.note(note),
    )


def _facts(drift: Drift) -> str:
    rows = [[html.heading(name), html.cell(said)] for name, said in read_said(drift)]
    return html.table(map(html.heading, ("", "")), rows)
