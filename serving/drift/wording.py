"""A comparison in words and figures: for the terminal, for the page, and as JSON."""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from serving.drift.compare import (
    DRIFTED,
    LEAST_ROWS,
    MISSING,
    PSI,
    SHIFTED,
    SIGNIFICANT,
    STABLE,
    TOO_FEW,
    UNSEEN,
    Finding,
    Rate,
    bins_of,
)
from serving.drift.run import Drift
from training.lettering import number

if TYPE_CHECKING:
    from rich.table import Table

#: Lines of the terminal's table.
_MOST = 40
_NAMES, _LONGEST = 5, 60
_COLOURS = {DRIFTED: "red", SHIFTED: "yellow", STABLE: "green"}


def sentence(drift: Drift) -> str:
    """The verdict in one sentence."""
    name, rows = drift.version.name, f"{drift.found.rows:,} rows"
    known = [performance_said(drift)] if drift.performance is not None else []
    if drift.verdict == TOO_FEW:
        return f"{name}: {'; '.join([_too_few(drift.found.rows), *known])}"
    said = [*_counted(drift, DRIFTED), *_counted(drift, SHIFTED), *known]
    what = {DRIFTED: "has drifted", SHIFTED: "has shifted", STABLE: "is stable"}[drift.verdict]
    return f"{name} {what}, by {rows}" + (f": {'; '.join(said)}" if said else "")


def performance_said(drift: Drift) -> str:
    """How good the predictions were, where it is known."""
    found = drift.performance
    assert found is not None
    now = _score(found.scores.get(found.metric), found.low, found.high)
    then = _score(found.trained.get(found.metric), found.trained_low, found.trained_high)
    score = f"{now} on {found.rows:,} rows, {then} at training"
    if found.unknown_verdict == DRIFTED:  # then it is worse, whatever the others' score is
        return f"worse: {unknown_said(drift)}; {found.metric} of the others {score}"
    said = f"{found.metric} {found.verdict}: {score}"
    return f"{said}; {unknown_said(drift)}" if found.unknown else said


def unknown_said(drift: Drift) -> str:
    """How many rows have a true class that training has not had."""
    found = drift.performance
    assert found is not None
    rows = found.rows + found.unknown
    names = [_printable(" ".join(name.split())) for name in found.unknown_classes]
    shown = ", ".join(name[:_LONGEST] for name in names[:_NAMES])
    more = ", …" if len(names) > _NAMES else ""
    return (
        f"{found.unknown:,} of {rows:,} rows ({found.unknown / rows:.1%}) are of classes that "
        f"training has not had ({shown}{more})"
    )


def read_said(drift: Drift) -> list[tuple[str, str]]:
    """What was read."""
    found = drift.found
    shares = sorted(found.shares)
    share = " to ".join(dict.fromkeys(f"{item:.3g}" for item in (shares[0], shares[-1])))
    said = [
        ("recordings", drift.place),
        ("rows", f"{found.rows:,}, in {found.files:,} files"),
        ("from", f"{found.first:%Y-%m-%d %H:%M:%S} UTC"),
        ("to", f"{found.last:%Y-%m-%d %H:%M:%S} UTC"),
        ("share of the requests", share),
        ("rows of the training table", f"{drift.profile.rows:,}"),
        ("test rows that its predictions are of", f"{drift.profile.tested:,}"),
    ]
    if found.damaged:
        said.append(("files that could not be read", f"{found.damaged:,}"))
    if found.foreign:
        said.append(("files of another schema", f"{found.foreign:,}"))
    return said


def judged_said() -> str:
    """How the verdicts come about."""
    return (
        f"Drifted is what is significant (p below {SIGNIFICANT:g}, adjusted by Benjamini and "
        f"Hochberg for all tests that are judged) and large: a population stability index of "
        f"{PSI[1]:g}, {MISSING[1]:.0%} of the rows more or fewer missing, or {UNSEEN[1]:.0%} more "
        f"with unknown levels. Shifted is what reaches {PSI[0]:g}, {MISSING[0]:.0%}, "
        f"{UNSEEN[0]:.0%}. With fewer than {LEAST_ROWS} rows nothing is said; dates are not judged "
        "by their values, for time goes on."
    )


def name_of(finding: Finding) -> str:
    """A finding's name on one line."""
    return " ".join(finding.name.split()) or "(empty)"


def test_said(finding: Finding) -> str:
    """The test's statistic; nothing where there was nothing to test."""
    if math.isnan(finding.test.statistic):
        return ""
    sign = {"KS": "KS", "chi2": "χ²"}[finding.test.name]
    figure = finding.test.statistic
    return f"{sign} {figure:,.0f}" if figure >= 1_000 else f"{sign} {figure:.3g}"


def p_said(p: float) -> str:
    """A p-value; nothing where nothing was tested or judged."""
    if math.isnan(p):
        return ""
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def rate_said(rate: Rate) -> str:
    """A share of rows at training and since."""
    return "" if not rate.then and not rate.now else f"{rate.then:.1%} → {rate.now:.1%}"


def table(drift: Drift) -> "Table":
    """The findings for a terminal, the worst first."""
    from rich.box import SIMPLE
    from rich.table import Table
    from rich.text import Text

    title = Text(_printable(f"{drift.version.name}, {drift.found.rows:,} rows"))
    shown = Table(box=SIMPLE, title=title)
    for heading in ("", "kind", "PSI", "test", "p", "missing", "unknown", ""):
        right = heading in ("PSI", "test", "p")
        shown.add_column(heading, justify="right" if right else "left")
    for item in drift.findings[:_MOST]:
        said = item.verdict + (f": {item.why}" if item.why else "")
        name = f"prediction: {name_of(item)}" if item.is_prediction else name_of(item)
        shown.add_row(
            Text(_printable(name), overflow="ellipsis"),
            item.kind,
            f"{item.psi:.3f}",
            test_said(item),
            p_said(item.p),
            rate_said(item.missing),
            rate_said(item.unseen),
            Text(said, _COLOURS.get(item.verdict, "dim")),
        )
    if (more := len(drift.findings) - _MOST) > 0:
        shown.add_row(Text(f"… and {more:,} more columns: --json, or the report", "dim"))
    return shown


def plain(drift: Drift, run_id: str = "", link: str = "") -> dict[str, Any]:
    """A comparison as JSON has it."""
    found, performance = drift.found, drift.performance
    told: dict[str, Any] = {
        "model": drift.version.model,
        "version": drift.version.version,
        "verdict": drift.verdict,
        "sentence": sentence(drift),
        "recordings": drift.place,
        "since": drift.window.since,
        "until": drift.window.until,
        "first": found.first,
        "last": found.last,
        "rows": found.rows,
        "files": found.files,
        "damaged_files": found.damaged,
        "foreign_files": found.foreign,
        "sampled": sorted(found.shares),
        "days": {day.isoformat(): rows for day, rows in sorted(found.days.items())},
        "predictions": [_plain(item) for item in drift.predictions],
        "columns": [_plain(item) for item in drift.columns],
        "performance": None if performance is None else dict(vars(performance)),
        "run_id": run_id,
        "link": link,
    }
    cleaned: dict[str, Any] = _clean(told)
    return cleaned


def _plain(item: Finding) -> dict[str, Any]:
    levels, then, now = bins_of(item.reference, item.counts)
    bins = {"training": then.tolist(), "recorded": now.tolist()}
    return {
        "name": item.name,
        "kind": item.kind,
        "verdict": item.verdict,
        "why": item.why,
        "rows": item.rows,
        "psi": item.psi,
        "test": item.test.name,
        "statistic": item.test.statistic,
        "p": item.test.p,
        "p_adjusted": item.p,
        "missing": dict(vars(item.missing)),
        "unknown": dict(vars(item.unseen)),
        "bins": bins | ({"levels": levels} if levels is not None else {}),
    }


def _clean(value: Any) -> Any:
    """With nothing for what is no number, which JSON has no word for."""
    if isinstance(value, Mapping):
        return {name: _clean(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value


def _too_few(rows: int) -> str:
    if rows < LEAST_ROWS:
        return f"too few rows to tell: {rows:,} rows, at least {LEAST_ROWS} are needed"
    return (
        f"too few values to tell: {rows:,} rows, but nothing that is judged has a known value in "
        f"at least {LEAST_ROWS} of them"
    )


def _counted(drift: Drift, verdict: str) -> Iterator[str]:
    if predictions := [item for item in drift.predictions if item.verdict == verdict]:
        yield f"the predictions ({_listed(predictions)}) {verdict}"
    if columns := [item for item in drift.columns if item.verdict == verdict]:
        yield f"{len(columns)} of {len(drift.columns)} columns {verdict} ({_listed(columns)})"


def _listed(items: Sequence[Finding]) -> str:
    names = [_printable(name_of(item)) for item in items[:_NAMES]]
    return ", ".join(names) + (", …" if len(items) > _NAMES else "")


def _score(value: float | None, low: float, high: float) -> str:
    if value is None:
        return "undefined"
    if not math.isfinite(low) or not math.isfinite(high):
        return number(value)
    return f"{number(value)} ({number(low)} to {number(high)})"


def _printable(text: str) -> str:
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)
