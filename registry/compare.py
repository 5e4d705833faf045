"""Two versions side by side, from what their trainings recorded. Reads nothing, loads no model.

`recorded.py` reads it; `side_by_side.py` prints the comparison, `report.py` writes it as a page.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from registry.common_rows import Pair
from registry.confusion import METRICS as OF_LABELS
from registry.recorded import Recorded
from registry.scores import gain, paired, point
from registry.version import Facts
from training.evaluate import METRICS, interval
from training.leaderboard import plain as as_json
from training.schema import Schema

#: The selection metric has as many as a training gives it, the other metrics fewer.
_RESAMPLES, _FEWER, _MANY_ROWS = 1_000, 300, 20_000


@dataclass(frozen=True)
class Score:
    """A score with the ends of its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Gain:
    """How much better the second version is on the same rows: positive is better.

    Attributes
    ----------
    first, second : float
        Their scores on those rows.
    value, low, high : float
        The gain and its 95 % interval by a paired bootstrap.
    probability_better : float
        A tie counts half.
    """

    first: float
    second: float
    value: float
    low: float
    high: float
    probability_better: float


@dataclass(frozen=True)
class Line:
    """One metric: of each version on its own test rows, and of both on the same ones."""

    metric: str
    greater_is_better: bool
    first: Score | None
    second: Score | None
    same_rows: Gain | None


@dataclass(frozen=True)
class Side:
    """What is shown of one version."""

    version: str
    stage: str
    aliases: tuple[str, ...]
    candidate: str
    task: str
    metric: str
    target: str
    source: str
    rows: int
    fingerprint: str
    tested: int
    trained: float
    trainer: str
    commit: str
    fit_seconds: float | None
    predict_seconds_per_row: float | None
    model_bytes: int | None
    importance: list[tuple[str, float]]
    gates: list[dict[str, Any]]
    gates_outcome: str


@dataclass(frozen=True)
class Change:
    """Something that differs; None where a version has no such thing."""

    name: str
    first: str | None
    second: str | None


@dataclass(frozen=True)
class Comparison:
    """Two versions of a model side by side.

    Attributes
    ----------
    model : str
    first, second : Side
    lines : list of Line
        The selection metric first.
    params : list of Change
        Of the configurations and of the trainings.
    columns : list of Change
        What the schemas have of a column: kind and type.
    packages : list of Change
        Of the environments trained in.
    rows_in_common : int
        Rows that both have tested on and neither was trained on.
    not_compared : str
        Why there are none, in one sentence; '' if there are.
    """

    model: str
    first: Side
    second: Side
    lines: list[Line]
    params: list[Change]
    columns: list[Change]
    packages: list[Change]
    rows_in_common: int
    not_compared: str


def compare(
    first: Facts, second: Facts, recorded: Sequence[Recorded], pair: Pair | str
) -> Comparison:
    """Hold two versions of a model against each other.

    Parameters
    ----------
    first, second : Facts
    recorded : sequence of two Recorded
    pair : Pair or str
        See `common_rows.pair_of`.

    Returns
    -------
    Comparison
    """
    one, other = recorded
    said = pair if isinstance(pair, str) else ""
    return Comparison(
        model=first.version.model,
        first=_side(first, one),
        second=_side(second, other),
        lines=_lines(first, second, recorded, None if isinstance(pair, str) else pair),
        params=[
            *_changes(one.params, other.params),
            *_changes(_training(first), _training(second)),
        ],
        columns=_changes(_columns(first.schema), _columns(second.schema)),
        packages=_changes(_packages(first.requirements), _packages(second.requirements)),
        rows_in_common=0 if isinstance(pair, str) else len(pair.y),
        not_compared=said,
    )


def plain(comparison: Comparison) -> dict[str, Any]:
    """A comparison as JSON has it."""
    found: dict[str, Any] = as_json(asdict(comparison))
    return found


def _lines(
    first: Facts, second: Facts, recorded: Sequence[Recorded], pair: Pair | None
) -> list[Line]:
    names = [name for name, item in METRICS.items() if {first.task, second.task} & {*item.tasks}]
    names.sort(key=lambda name: name not in (second.metric, first.metric))
    lines = []
    for name in names:
        samples = _samples(name, second.metric, pair)
        one, other = (
            _own(name, facts, item, pair, None if samples is None else samples[at])
            for at, (facts, item) in enumerate(zip((first, second), recorded, strict=True))
        )
        better = METRICS[name].greater_is_better
        lines.append(Line(name, better, one, other, _gain(name, pair, samples)))
    return lines


def _samples(metric: str, selection: str, pair: Pair | None) -> list[np.ndarray] | None:
    if pair is None:
        return None
    return paired(metric, pair.y, list(pair.predictions), 0, _count(metric, selection, pair.y))


def _count(metric: str, selection: str, y: np.ndarray) -> int:
    """Resamples: few rows and the selection metric deserve more."""
    many = metric in OF_LABELS or (metric == selection and len(y) <= _MANY_ROWS)
    return _RESAMPLES if many else _FEWER


def _own(
    metric: str, facts: Facts, item: Recorded, pair: Pair | None, samples: np.ndarray | None
) -> Score | None:
    """On the version's own test rows; of the selection metric as its training has recorded it."""
    if facts.task not in METRICS[metric].tasks:
        return None
    value = point(metric, item.y, item.prediction)
    row = facts.row
    if metric == facts.metric and row.get("test_low") is not None:
        return Score(value, row["test_low"], row["test_high"])
    if samples is None or pair is None or len(pair.y) != len(item.y):
        count = _count(metric, facts.metric, item.y)
        samples = paired(metric, item.y, [item.prediction], 0, count)[0]
    return Score(value, *interval(samples))


def _gain(metric: str, pair: Pair | None, samples: list[np.ndarray] | None) -> Gain | None:
    if pair is None or samples is None:
        return None
    one, other = (point(metric, pair.y, prediction) for prediction in pair.predictions)
    sign = 1.0 if METRICS[metric].greater_is_better else -1.0
    gains = sign * (samples[1] - samples[0])
    gains = gains[np.isfinite(gains)]
    probability = float(((gains > 0) + 0.5 * (gains == 0)).mean()) if len(gains) else 0.5
    return Gain(one, other, gain(metric, other, one), *interval(gains), probability)


def _side(facts: Facts, item: Recorded) -> Side:
    row, version, schema = facts.row, facts.version, facts.schema
    return Side(
        version=version.version,
        stage=version.stage,
        aliases=version.aliases,
        candidate=facts.candidate,
        task=facts.task,
        metric=facts.metric,
        target=schema.target.name,
        source=facts.source,
        rows=schema.rows,
        fingerprint=schema.fingerprint,
        tested=len(item.y),
        trained=facts.trained,
        trainer=facts.trainer,
        commit=facts.commit,
        fit_seconds=row.get("fit_seconds"),
        predict_seconds_per_row=row.get("predict_seconds_per_row"),
        model_bytes=row.get("model_bytes"),
        importance=list(facts.importance),
        gates=item.gates,
        gates_outcome=item.gates_outcome,
    )


def _changes(first: Mapping[str, str], second: Mapping[str, str]) -> list[Change]:
    return [
        Change(name, first.get(name), second.get(name))
        for name in dict.fromkeys([*first, *second])
        if first.get(name) != second.get(name)
    ]


def _training(facts: Facts) -> dict[str, str]:
    return {f"training: {name}": value for name, value in facts.params.items()}


def _columns(schema: Schema) -> dict[str, str]:
    return {
        column.name: f"{column.kind} ({column.dtype})"
        if column.dtype != column.kind
        else column.kind
        for column in schema.columns
    }


def _packages(requirements: str) -> dict[str, str]:
    pairs = (line.partition("==") for line in requirements.split())
    return {name: version for name, _, version in pairs}
