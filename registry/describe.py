"""What MLflow's UI shows of a version: its description in Markdown, and tags to filter by.

Names, sources and notes are users' text and are escaped. The store takes 5,000 characters: texts
are cut as far as it needs, figures never.
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from training.evaluate import METRICS
from training.lettering import number, percent
from training.markdown import escape, table

if TYPE_CHECKING:
    from registry.gates.result import Result
    from registry.version import Facts

#: Characters of a description in MLflow's database, and of a tag's value that people read.
LONGEST, _LONGEST_TAG = 5_000, 250
#: How much of each user's text and each sentence is kept, the first that fits.
_CUTS = (600, 300, 200, 140, 100, 60, 30, 0)


def describe(
    facts: "Facts",
    results: Sequence["Result"] = (),
    *,
    production: "Facts | None" = None,
    stage: str = "Production",
    who: str = "",
    when: float | None = None,
    note: str = "",
) -> str:
    """The description of a version that was promoted.

    Parameters
    ----------
    facts : Facts
    results : sequence of Result
        What its gates found.
    production : Facts, optional
        The version that was in Production before it.
    stage : str
        Where it was promoted to.
    who : str
    when : float, optional
        Seconds since the epoch.
    note : str
        The promoter's own words.

    Returns
    -------
    str
        Markdown, at most `LONGEST` characters.
    """
    for cut in _CUTS:
        parts = [
            _summary(facts, stage, who, when, cut),
            f"**Note:** {escape(note, cut)}" if note.strip() and cut else "",
            "**Scores**",
            _scores(facts, production),
            _against(results, production),
            "**Training**",
            *_training(facts, cut),
            *_gates(results, cut),
        ]
        text = "\n\n".join(part for part in parts if part) + "\n"
        if len(text) <= LONGEST:
            return text
    # Dozens of gates: whole lines, as many as there is room for.
    return text[: text.rindex("\n", 0, LONGEST - 2) + 1] + "…"


def version_tags(
    facts: "Facts", results: Sequence["Result"] = (), promoted_by: str = ""
) -> dict[str, str]:
    """Tags of a version that a person can filter by, e.g. `tags.algorithm = 'svm'`.

    Parameters
    ----------
    facts : Facts
    results : sequence of Result
    promoted_by : str

    Returns
    -------
    dict of str to str
        Without the ones whose value is not known.
    """
    algorithm, _, engine = facts.candidate.partition(":")
    score = facts.row.get("test")
    tags = {
        "algorithm": algorithm,
        "engine": engine,
        "task": facts.task,
        "table": facts.schema.fingerprint,
        "selection_metric": facts.metric,
        f"test_{facts.metric}": "" if score is None else number(score),
        "promoted_by": promoted_by,
        "gates": counted(results),
    }
    return {key: value[:_LONGEST_TAG] for key, value in tags.items() if value}


def counted(results: Sequence["Result"]) -> str:
    """How the gates ended in numbers: `10 passed, 1 failed`; nothing of what there is none of."""
    counts = Counter(result.outcome for result in results)
    return ", ".join(
        f"{counts[outcome]} {outcome}"
        for outcome in ("passed", "failed", "skipped")
        if counts[outcome]
    )


def paired(results: Sequence["Result"]) -> Mapping[str, Any] | None:
    """The details of the gate that compared old and new on the same rows; None if none did.

    Their `difference` is a gain: positive is better, whatever the metric.
    """
    for result in results:
        if result.gate == "quality" and result.details.get("difference") is not None:
            return result.details
    return None


def moment(seconds: float) -> str:
    """A point in time for people, to the minute."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))


def signed(value: float | None) -> str:
    """A difference: a score with its sign."""
    text = number(value)
    return f"+{text}" if value is not None and value > 0 else text


def _summary(facts: "Facts", stage: str, who: str, when: float | None, cut: int) -> str:
    goal = "" if not cut else f" predicts {escape(facts.schema.target.name, cut)}"
    said = f"**{escape(facts.candidate, 100)}**{goal} ({facts.task})."
    by = f" by {escape(who, max(cut, 30))}" if who else ""
    at = f" on {moment(when)}" if when is not None else ""
    return f"{said} Promoted to {escape(stage)}{by}{at}." if by or at else said


def _scores(facts: "Facts", production: "Facts | None") -> str:
    shown = [facts] if production is None else [facts, production]
    header = ["Score", f"Version {escape(facts.version.version)}"]
    if production is not None:
        header.append(f"Before: version {escape(production.version.version)}")
    metrics = list(dict.fromkeys(item.metric for item in shown))
    rows = []
    for metric in metrics:
        here = [item.row if item.metric == metric else {} for item in shown]
        rows.append([f"Test {escape(metric)} (95%)", *(_test(row) for row in here)])
        rows.append([f"Cross-validated {escape(metric)}", *(_validated(row) for row in here)])
    return _table(header, rows) + "\n\n" + _direction(facts.metric)


def _against(results: Sequence["Result"], production: "Facts | None") -> str:
    found = paired(results)
    if found is None:
        if production is None:
            return "No version was in Production to compare with."
        return "Each on its own test rows: not compared on the same ones."
    other = f"version {escape(production.version.version)}" if production else "Production"
    rows = f" {found['rows']:,}" if found.get("rows") is not None else ""
    gain = found["difference"]
    word = "better" if gain > 0 else "worse" if gain < 0 else "no different"
    said = f"Against {other} on the same{rows} rows, {escape(found.get('metric', ''))} is **"
    said += f"{word} by {number(abs(gain))}**" if gain else f"{word}**"
    if found.get("low") is not None and found.get("high") is not None:
        said += f" (95% interval of the gain: {signed(found['low'])} to {signed(found['high'])})"
    if found.get("probability_better") is not None:
        said += f", and better with a probability of {percent(found['probability_better'])}"
    return f"{said}."


def _training(facts: "Facts", cut: int) -> list[str]:
    trained = moment(facts.trained) + (
        f" by {escape(facts.trainer, max(cut, 30))}" if facts.trainer else ""
    )
    facts_shown = [
        ("Table", escape(facts.source, cut) if cut else ""),
        ("Rows", f"{facts.schema.rows:,}"),
        ("Fingerprint", f"`{facts.schema.fingerprint}`"),
        ("Trained", trained),
        ("Run", f"`{facts.run_id}`" if facts.run_id else ""),
        ("Commit", f"`{escape(facts.commit, 60)}`" if facts.commit else ""),
    ]
    return [_table(("Fact", "Value"), [row for row in facts_shown if row[1]])]


def _gates(results: Sequence["Result"], cut: int) -> list[str]:
    if not results:
        return []
    rows = [
        (
            escape(result.gate),
            escape(result.outcome) + (" (warns only)" if _warns(result) else ""),
            "" if result.figure is None else number(result.figure),
            "" if result.threshold is None else number(result.threshold),
            escape(result.sentence, cut) if cut else "",
        )
        for result in results
    ]
    header = ("Gate", "Outcome", "Figure", "Threshold", "Found")
    return [f"**Gates: {counted(results)}**", _table(header, rows)]


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """MLflow's page leaves no room between cells: a space at the end of all but the last does."""

    def spaced(cells: Sequence[str]) -> list[str]:
        return [*(f"{cell}&ensp;" for cell in cells[:-1]), cells[-1]]

    return table(spaced(header), map(spaced, rows))


def _warns(result: "Result") -> bool:
    return result.outcome == "failed" and not result.stops


def _test(row: Mapping[str, Any]) -> str:
    low, high = row.get("test_low"), row.get("test_high")
    interval = "" if low is None or high is None else f" ({number(low)} to {number(high)})"
    return number(row.get("test")) + interval


def _validated(row: Mapping[str, Any]) -> str:
    spread = row.get("cv_std")
    return number(row.get("cv_mean")) + ("" if spread is None else f" ± {number(spread)}")


def _direction(metric: str) -> str:
    known = METRICS.get(metric)
    if known is None:
        return ""
    return f"{'More' if known.greater_is_better else 'Less'} {escape(metric)} is better."
