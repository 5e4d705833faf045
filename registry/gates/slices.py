"""No part of the rows loses: categories and quarters of the columns that matter, each by itself.

A slice counts as lost if its score is worse than Production's by more than the margin, and if
chance does not explain it: the bootstrap's interval of the difference, at 95 % for all slices
together (Bonferroni), lies below zero.
"""

import math
from dataclasses import asdict, dataclass, field
from statistics import NormalDist

import numpy as np

from registry.evidence import Compared, Evidence
from registry.gates.result import FAILED, SKIPPED, Finding, outcome
from registry.groups import Groups, groups_of
from registry.scores import allowed, difference, gain
from registry.settings import Slices
from training.errors import nearest
from training.evaluate import score
from training.lettering import number

_SEED = 0
#: The worst ones are kept in the record.
_KEPT = 20


@dataclass
class Slice:
    """Rows with one value, or with values in one range.

    Attributes
    ----------
    column, group : str
    rows : int
    candidate, production : float
        Scores.
    gain, allowed : float
        How much better the candidate is, and how much worse it may be.
    low, high : float or None
        Ends of the gain's interval, at 95 % for all slices together; None if the gain decides.
    """

    column: str
    group: str
    rows: int
    candidate: float
    production: float
    gain: float
    allowed: float
    low: float | None = None
    high: float | None = None
    mask: np.ndarray = field(default_factory=lambda: np.zeros(0, bool), repr=False)

    @property
    def excess(self) -> float:
        """How far below the margin; positive is too far. In units of what is allowed."""
        if self.allowed:
            return -self.gain / self.allowed
        return -math.copysign(math.inf, self.gain) if self.gain else 0.0

    @property
    def lost(self) -> bool:
        return self.gain < -self.allowed and self.high is not None and self.high < 0

    @property
    def said(self) -> str:
        return f"{self.column} = {self.group} ({self.rows:,} rows)"


def check(evidence: Evidence) -> Finding:
    """Score both versions on every slice with enough rows."""
    settings: Slices = evidence.policy.gate("slices")
    if evidence.production is None:
        return Finding(SKIPPED, "There is no Production to compare slices with.")
    compared, rows = evidence.compared, evidence.rows
    if evidence.not_compared or compared is None or rows is None:
        return Finding(FAILED, f"{evidence.not_compared}.")
    columns = list(settings.columns) or _important(evidence, settings.top)
    absent = [name for name in columns if name not in rows.frame]
    if absent:
        return Finding(
            FAILED,
            f"The policy's slices name {absent[0]!r}, which the rows do not have; "
            f"{nearest(absent[0], rows.frame.columns)}",
        )
    metric = evidence.candidate.metric
    groups = [groups_of(rows.frame, name, evidence.candidate.schema) for name in columns]
    slices = [item for each in groups for item in _scored(metric, each, compared, settings)]
    if not slices:
        return Finding(
            SKIPPED,
            f"No slice of {', '.join(columns) or 'any column'} has {settings.min_rows} rows and a "
            f"defined {metric} in {rows.said}.",
        )
    _bound(metric, slices, compared, settings)
    return _finding(metric, slices, columns, evidence)


def _important(evidence: Evidence, top: int) -> list[str]:
    """The columns of the most important features; the first ones where none is recorded."""
    schema = evidence.candidate.schema
    column_of = {feature.name: feature.column for feature in schema.features}
    ranked = [column_of.get(name, name) for name, _ in evidence.candidate.importance]
    ranked = ranked or [column.name for column in schema.used]
    known = {column.name for column in schema.used if column.kind != "text"}
    return [name for name in dict.fromkeys(ranked) if name in known][:top]


def _scored(metric: str, groups: Groups, compared: Compared, settings: Slices) -> list[Slice]:
    assert compared.production is not None
    found = []
    for code in np.flatnonzero(groups.counts() >= settings.min_rows):
        mask = groups.codes == code
        y = compared.y[mask]
        own = score(metric, y, compared.candidate[mask])
        other = score(metric, y, compared.production[mask])
        if math.isfinite(own) and math.isfinite(other):
            found.append(
                Slice(
                    column=groups.column,
                    group=groups.names[code],
                    rows=len(y),
                    candidate=own,
                    production=other,
                    gain=gain(metric, own, other),
                    allowed=allowed(metric, settings.margin, other),
                    mask=mask,
                )
            )
    return found


def _bound(metric: str, slices: list[Slice], compared: Compared, settings: Slices) -> None:
    """Find the interval of the slices that may be lost, and of the worst one."""
    assert compared.production is not None
    slices.sort(key=lambda item: -item.excess)
    width = NormalDist().inv_cdf(1 - 0.05 / (2 * len(slices)))
    for at, item in enumerate(slices):
        if at and item.gain >= -item.allowed:
            break
        found = difference(
            metric,
            compared.y[item.mask],
            compared.candidate[item.mask],
            compared.production[item.mask],
            _SEED,
            settings.resamples,
        )
        item.low, item.high = item.gain - width * found.error, item.gain + width * found.error


def _finding(metric: str, slices: list[Slice], columns: list[str], evidence: Evidence) -> Finding:
    assert evidence.production is not None
    lost = [item for item in slices if item.lost]
    worst = (lost or slices)[0]
    against = evidence.production.version.name
    scores = (
        f"{metric} {number(worst.candidate)}, {against} has {number(worst.production)}; at most "
        f"{number(worst.allowed)} worse is allowed"
    )
    if lost:
        more = f", and {len(lost) - 1} more" if len(lost) > 1 else ""
        sentence = f"Of {len(slices)} slices {worst.said}{more} loses beyond chance: {scores}."
    elif worst.gain < -worst.allowed:
        sentence = (
            f"None of {len(slices)} slices loses beyond chance; the worst, which chance explains, "
            f"is {worst.said}: {scores}."
        )
    else:
        sentence = (
            f"None of {len(slices)} slices loses more than is allowed; the worst is {worst.said}: "
            f"{scores}."
        )
    details = {
        "metric": metric,
        "columns": columns,
        "slices": len(slices),
        "lost": len(lost),
        "worst": [
            _record(item) for item in [worst, *(s for s in slices if s is not worst)][:_KEPT]
        ],
        "against": evidence.production.version.version,
    }
    return Finding(outcome(not lost), sentence, worst.gain, -worst.allowed, details)


def _record(item: Slice) -> dict[str, object]:
    record = {name: value for name, value in asdict(item).items() if name != "mask"}
    return record | {"lost": item.lost}
