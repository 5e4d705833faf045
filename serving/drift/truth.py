"""What has turned out to be true, brought together with what was predicted by the request's id."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from serving.drift.compare import DRIFTED, LEAST_ROWS, SIGNIFICANT, STABLE, UNSEEN, graded
from serving.drift.counts import probabilities
from serving.drift.measures import rates_differ
from serving.drift.recordings import PREDICTION, PROBABILITIES, REQUEST, ROW
from training.errors import UserError, nearest
from training.profile import Profile
from training.schema import Schema

if TYPE_CHECKING:
    import pyarrow as pa

_REQUEST, _ROW = "request", "row"
_HALF = 1.96  # a 95 % interval's half width, in standard errors
_SEED = 0
_NAMES, _LONGEST = 4, 40


@dataclass(frozen=True)
class Performance:
    """Scores of the predictions whose truth is known.

    Attributes
    ----------
    rows : int
        That are scored.
    told : int
        Rows of the truth; those without a recorded prediction were not recorded, or not in time.
    metric : str
        The selection metric.
    greater_is_better : bool
    low, high : float
        95 % bootstrap interval of the selection metric.
    scores, trained : dict of str to float
        Every metric, now and on the test rows of training.
    trained_low, trained_high : float
    p : float
        Of the selection metric being as it was.
    verdict : {'worse', 'as at training', 'better', 'too few rows'}
        Worse is also what has too many rows of unknown classes, whatever the others' score is.
    unknown : int
        Recorded rows whose true class training has not had: mispredicted all, and not scored.
    unknown_classes : dict of str to int
        Rows of each, the most frequent first.
    unknown_verdict : {'stable', 'shifted', 'drifted'}
        By the share of these rows.
    unnamed : int
        Rows of the truth without a request's id, which were left out.
    """

    rows: int
    told: int
    metric: str
    greater_is_better: bool
    low: float
    high: float
    scores: dict[str, float]
    trained: dict[str, float]
    trained_low: float
    trained_high: float
    p: float
    verdict: str
    unknown: int = 0
    unknown_classes: dict[str, int] = field(default_factory=dict)
    unknown_verdict: str = STABLE
    unnamed: int = 0


class Truth:
    """The true targets of recorded rows.

    Parameters
    ----------
    source : str
        Any table that `sixfold train` reads, with the columns `request`, the target's, and `row`
        (in the request; 0 if there is no such column).
    schema : Schema

    Attributes
    ----------
    unnamed : int
        Rows without a request's id, which are left out.

    Raises
    ------
    UserError
        It cannot be read, lacks a column, has no request's id, or has a row twice.
    """

    def __init__(self, source: str, schema: Schema) -> None:
        import pandas as pd

        from training.features import encode_target, has_target, new_classes
        from training.table import read_table
        from training.values import to_numbers, to_texts

        table = read_table(source, schema.na_values)
        frame, shown = table.frame, table.source  # the source without credentials
        for name in (_REQUEST, schema.target.name):
            if name not in frame.columns:
                raise UserError(
                    f"expected the columns {_REQUEST!r} and {schema.target.name!r} in {shown}, "
                    f"got a table without {name!r}; {nearest(name, frame.columns)}"
                )
        named = to_texts(frame[_REQUEST]) != ""
        self.unnamed = int((~named).sum())
        if not named.any():
            raise UserError(
                f"expected a request's id in the column {_REQUEST!r} of {shown}, got "
                f"{len(frame):,} rows of which none has one; it is the answer's x-request-id"
            )
        target = frame[schema.target.name]
        new = new_classes(target, schema)
        told = named & (has_target(target, schema) | (new != ""))
        frame, self._new = frame[told], new[told]
        rows = to_numbers(frame[_ROW]) if _ROW in frame.columns else np.zeros(len(frame))
        self._index = pd.MultiIndex.from_arrays([to_texts(frame[_REQUEST]), rows])
        if twice := int(self._index.duplicated().sum()):
            raise UserError(
                f"expected each {_REQUEST} and {_ROW} once in {shown}, got {twice:,} rows that "
                "are there before; leave one of each"
            )
        self._source, self._schema = shown, schema
        known = self._new == ""
        self._y = np.full(len(frame), -1.0 if schema.target.classes is None else -1)
        self._y[known] = encode_target(frame[schema.target.name][known], schema)
        self._requests = pd.Index(self._index.get_level_values(0).unique())
        self._taken = np.zeros(len(self._y), bool)
        self._found: list[tuple[int, np.ndarray]] = []

    def add(self, batch: "pa.RecordBatch") -> None:
        """Take up the predictions of a batch whose truth is known."""
        import pandas as pd

        requests = pd.Index(batch[REQUEST].to_pandas().astype(object))
        known = requests.isin(self._requests)
        if not known.any():
            return
        rows = np.asarray(batch[ROW].to_numpy(zero_copy_only=False), np.float64)
        raw = _raw(batch)
        keys = pd.MultiIndex.from_arrays([requests[known], rows[known]])
        places = self._index.get_indexer(keys)
        for place, prediction in zip(places.tolist(), raw[known], strict=True):
            if place >= 0 and not self._taken[place]:  # a request that was sent again counts once
                self._taken[place] = True
                self._found.append((place, prediction))

    def performance(self, profile: Profile) -> Performance:
        """Score them, against the test rows of training.

        Raises
        ------
        UserError
            No prediction goes with the truth, or none of a class that training has had.
        """
        from training.evaluate import METRICS, all_scores, bootstrap, interval

        if not self._found:
            raise UserError(
                f"expected the truth of recorded requests in {self._source}, got {len(self._y):,} "
                f"rows of which none was recorded; {_REQUEST!r} is the answer's x-request-id"
            )
        unknown = Counter(self._new[place] for place, _ in self._found if self._new[place])
        scored = [(place, raw) for place, raw in self._found if not self._new[place]]
        if not scored:
            raise UserError(self._of_other_classes(unknown))
        y = self._y[[place for place, _ in scored]]
        raw = np.array([prediction for _, prediction in scored])
        metric = METRICS[profile.metric]
        scores = all_scores(self._schema.task, y, raw)
        now, then = scores.get(profile.metric, np.nan), profile.scores.get(profile.metric, np.nan)
        with np.errstate(all="ignore"):
            low, high = interval(bootstrap(profile.metric, y, raw, _SEED))
        p = _p(then, profile.low, profile.high, now, low, high)
        strange = _strange(unknown.total(), len(self._found), profile)
        if strange == DRIFTED:
            verdict = "worse"
        elif len(y) < LEAST_ROWS or np.isnan(p):
            verdict = "too few rows"
        elif p >= SIGNIFICANT:
            verdict = "as at training"
        else:
            verdict = "better" if (now > then) == metric.greater_is_better else "worse"
        return Performance(
            rows=len(y),
            told=len(self._y),
            metric=profile.metric,
            greater_is_better=metric.greater_is_better,
            low=low,
            high=high,
            scores=scores,
            trained=profile.scores,
            trained_low=profile.low,
            trained_high=profile.high,
            p=p,
            verdict=verdict,
            unknown=unknown.total(),
            unknown_classes=dict(unknown.most_common()),
            unknown_verdict=strange,
            unnamed=self.unnamed,
        )

    def _of_other_classes(self, unknown: Counter[str]) -> str:
        expected, got = map(_listed, (self._schema.target.classes or (), unknown))
        return (
            f"expected {self._schema.target.name!r} as one of {expected} in {self._source}, got "
            f"only others: {got}; write the classes as the training table has them"
        )


def _strange(unknown: int, rows: int, profile: Profile) -> str:
    """The verdict on rows of classes that training has not had: as on unknown levels."""
    p = rates_differ((0, profile.rows), (unknown, rows))
    judged = rows >= LEAST_ROWS and p < SIGNIFICANT
    return graded(unknown / rows, UNSEEN) if judged else STABLE


def _listed(names: Iterable[Any]) -> str:
    shown = [repr(str(name)[:_LONGEST]) for name in islice(names, _NAMES + 1)]
    return ", ".join(shown[:_NAMES]) + (", …" if len(shown) > _NAMES else "")


def _raw(batch: "pa.RecordBatch") -> np.ndarray:
    if PROBABILITIES in batch.schema.names:
        return probabilities(batch[PROBABILITIES])
    return np.asarray(batch[PREDICTION].to_numpy(zero_copy_only=False), np.float64)


def _p(then: float, then_low: float, then_high: float, now: float, low: float, high: float) -> Any:
    """Of two scores being one, by the standard errors that their intervals stand for."""
    from scipy.stats import norm

    spread = float(np.hypot(then_high - then_low, high - low)) / 2 / _HALF
    if not np.isfinite([spread, now, then]).all():
        return np.nan
    if spread == 0:
        return 1.0 if now == then else 0.0
    return float(2 * norm.sf(abs(now - then) / spread))
