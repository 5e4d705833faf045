"""A comparison as one self-contained page: no script, nothing from the network, light and dark.

All text is escaped here or in `figures.py`: names and levels are users'.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from registry import report
from registry.svg import escape
from serving.drift.compare import DRIFTED, SHIFTED, Finding
from serving.drift.figures import bars_of, figure, strip
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
)
from training.lettering import number

_STYLES = (Path(report.__file__).with_name("report.css"), Path(__file__).with_name("drift.css"))
#: A page may load nothing, whatever a user's text has in it.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_MOST_LINES, _MOST_FIGURES = 500, 24
_KINDS = {"not judged": "skipped", "too few rows": "skipped"}


def page(drift: Drift) -> str:
    """Write a comparison as HTML: a whole document, well-formed as XML too."""
    title = f"{drift.version.name}: training and {drift.found.rows:,} recorded rows"
    moved = [item for item in drift.findings if item.verdict in (DRIFTED, SHIFTED)]
    shown = [*drift.predictions, *(item for item in moved if not item.is_prediction)]
    body = [
        f"<h1>{escape(title)}</h1>",
        '<p><span class="key first">training</span> &#160; '
        '<span class="key second">recorded</span></p>',
        f'<p class="verdict {_kind(drift.verdict)}">{escape(sentence(drift))}</p>',
        *([_performance(drift)] if drift.performance is not None else ()),
        _section("Predictions, and columns that moved", _figures(shown)),
        _section("All columns", _findings(drift.columns)),
        _section("Predictions", _findings(drift.predictions)),
        _section("What was read", _facts(drift)),
        f'<p class="note">{escape(judged_said())}</p>',
    ]
    style = "\n".join(path.read_text(encoding="utf-8") for path in _STYLES)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"/>'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}"/>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>'
        f"<title>{escape(title)}</title>\n<style>\n{style}</style></head>\n<body>\n"
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def _kind(verdict: str) -> str:
    return _KINDS.get(verdict, verdict)


def _section(title: str, *parts: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{''.join(parts)}</section>"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Cells are whole elements."""
    titles = "".join(_cell(text, element="th") for text in head)
    lines = "".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    return (
        f'<div class="wide"><table><thead><tr>{titles}</tr></thead>'
        f"<tbody>{lines}</tbody></table></div>"
    )


def _cell(text: str, kind: str = "", element: str = "td") -> str:
    named = f' class="{kind}"' if kind else ""
    return f"<{element}{named}>{escape(text)}</{element}>"


def _figures(items: Sequence[Finding]) -> str:
    drawn = "".join(map(_figure, items[:_MOST_FIGURES]))
    more = len(items) - _MOST_FIGURES
    note = f'<p class="note">… and {more:,} more, in the table below</p>' if more > 0 else ""
    return f'<div class="figures">{drawn}</div>{note}'


def _figure(item: Finding) -> str:
    name = ("prediction: " if item.is_prediction else "") + name_of(item)
    said = item.verdict + (f": {item.why}" if item.why else "")
    unit = {"datetime": ", as days", "text": ", by its length"}.get(item.kind, "")
    return (
        f"<figure><figcaption>{escape(name + unit)} "
        f'<span class="said {_kind(item.verdict)}">{escape(said)}</span></figcaption>'
        f"{figure(bars_of(item), f'{name} at training and since')}</figure>"
    )


def _findings(items: Sequence[Finding]) -> str:
    head = ("", "Kind", "Training and recorded", "PSI", "Test", "p", "Missing", "Unknown", "")
    table = _table(head, map(_line, items[:_MOST_LINES]))
    more = len(items) - _MOST_LINES
    return table + (f'<p class="note">… and {more:,} more</p>' if more > 0 else "")


def _line(item: Finding) -> list[str]:
    said = item.verdict + (f": {item.why}" if item.why else "")
    return [
        _cell(name_of(item), element="th"),
        _cell(item.kind, "whole"),
        f'<td class="strip">{strip(bars_of(item), name_of(item))}</td>',
        _cell(f"{item.psi:.3f}", "figure"),
        _cell(test_said(item), "figure"),
        _cell(p_said(item.p), "figure"),
        _cell(rate_said(item.missing), "figure"),
        _cell(rate_said(item.unseen), "figure"),
        _cell(said, _kind(item.verdict)),
    ]


def _performance(drift: Drift) -> str:
    found = drift.performance
    assert found is not None
    rows = [
        [
            _cell(name + (", selected by" if name == found.metric else ""), element="th"),
            _cell(number(found.trained.get(name)), "figure"),
            _cell(number(found.scores.get(name)), "figure"),
        ]
        for name in dict.fromkeys([found.metric, *found.trained, *found.scores])
    ]
    kind = {"worse": "drifted", "better": "stable", "as at training": "stable"}
    note = (
        f"The truth is known of {found.rows:,} recorded rows, of {found.told:,} that were told. "
        "Intervals are 95% bootstrap intervals; at training they are of the test rows."
    )
    return _section(
        "Performance",
        f'<p class="{kind.get(found.verdict, "skipped")}">{escape(performance_said(drift))}</p>',
        _table(("Metric", "At training", "Now"), rows),
        f'<p class="note">{escape(note)}</p>',
    )


def _facts(drift: Drift) -> str:
    rows = [[_cell(name, element="th"), _cell(said)] for name, said in read_said(drift)]
    return _table(("", ""), rows)
