"""What was recorded, counted where a profile has its values: nothing here grows with the rows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from serving.drift.measures import cells_at
from serving.drift.recordings import PREDICTION, PROBABILITIES
from serving.drift.rounded import Rounded
from serving.server.record_table import RESERVED
from training.profile import DATE_PART, Distribution, Levels, Numbers, Profile, probability
from training.schema import Column, Schema
from training.values import label

if TYPE_CHECKING:
    import pyarrow as pa

#: How far a compiled prediction may be from the one at training and still be the same value.
_SAME = 1e-5

ReadNumbers = Callable[["pa.RecordBatch"], np.ndarray]


class NumberCounts:
    """Numbers, counted in the cells of a profile.

    Parameters
    ----------
    reference : Numbers
    near : float, default 0
        How far from one of the profile's values a number is still taken for it.
    rounded : bool, default False
        Whether a number is also one of the profile's values if a client has rounded that.

    Attributes
    ----------
    cells : ndarray of int64
        See `measures.cells_at`.
    missing : int
    """

    unseen = 0

    def __init__(self, reference: Numbers, near: float = 0.0, *, rounded: bool = False) -> None:
        self._values = reference.values
        self._near = near
        self._rounded = Rounded(reference.values) if rounded else None
        self.cells = np.zeros(2 * len(reference.values) + 1, np.int64)
        self.missing = 0

    @property
    def count(self) -> int:
        """Rows that have a value."""
        return int(self.cells.sum())

    def add(self, numbers: np.ndarray) -> None:
        """Count some, NaN as missing."""
        known = numbers[~np.isnan(numbers)]
        self.missing += len(numbers) - len(known)
        if self._near and len(self._values):
            known = self._snapped(known)
        if self._rounded is not None:
            known = self._rounded.of(known)
        self.cells += np.bincount(cells_at(self._values, known), minlength=len(self.cells))

    def _snapped(self, numbers: np.ndarray) -> np.ndarray:
        values = self._values
        right = np.minimum(np.searchsorted(values, numbers), len(values) - 1)
        left = np.maximum(right - 1, 0)
        nearer = numbers - values[left] < values[right] - numbers
        nearest = np.where(nearer, values[left], values[right])
        reach = self._near * np.maximum(np.abs(nearest), float(np.abs(values).mean()))
        return np.where(np.abs(numbers - nearest) <= reach, nearest, numbers)


class LevelCounts:
    """Categories, counted by the levels of a profile.

    Parameters
    ----------
    reference : Levels
    known : collection of str
        All levels that the model knows.

    Attributes
    ----------
    counts : dict of str to int
        Of the profile's levels.
    other, unseen, missing : int
        Rows of the schema's other levels, of levels that it does not know, without a value.
    """

    def __init__(self, reference: Levels, known: Mapping[str, Any]) -> None:
        self._known = known
        self.counts = dict.fromkeys(reference.counts, 0)
        self.other = self.unseen = self.missing = 0

    @property
    def count(self) -> int:
        """Rows that have a known level."""
        return sum(self.counts.values()) + self.other

    def add(self, texts: "pa.Array") -> None:
        """Count some, null as missing."""
        import pyarrow.compute as pc

        for item in pc.value_counts(texts).to_pylist():
            text, rows = item["values"], item["counts"]
            if text is None:
                self.missing += rows
            elif text in self.counts:
                self.counts[text] += rows
            elif text in self._known:
                self.other += rows
            else:
                self.unseen += rows


Counts = NumberCounts | LevelCounts


@dataclass(frozen=True)
class Watched:
    """A column, or something of the predictions.

    Attributes
    ----------
    name : str
    kind : str
        The column's kind; `label`, `probability` or `value` of predictions.
    reference : Numbers or Levels
        At training.
    counts : NumberCounts or LevelCounts
        Since.
    source : str
        The recordings' column.
    """

    name: str
    kind: str
    reference: Distribution
    counts: Counts
    source: str
    _read: Callable[["pa.Array"], Any] = field(repr=False)

    @property
    def is_prediction(self) -> bool:
        return self.source in (PREDICTION, PROBABILITIES)

    def add(self, batch: "pa.RecordBatch") -> None:
        """Count a batch's rows."""
        self.counts.add(self._read(batch[self.source]))


def watched(schema: Schema, profile: Profile) -> list[Watched]:
    """What of a version is compared: its predictions, then its columns."""
    found = []
    for kind, reference in profile.predictions.items():
        source = PROBABILITIES if kind == "probability" else PREDICTION
        if isinstance(reference, Levels):
            known = dict.fromkeys(label(item) or "" for item in schema.target.classes or ())
            labels = LevelCounts(reference, known)
            found.append(Watched("label", kind, reference, labels, source, _texts))
        else:
            read = _probability if kind == "probability" else _numbers
            counts = NumberCounts(reference, _SAME)
            found.append(Watched(_said(kind, schema), kind, reference, counts, source, read))
    for column in schema.used:
        if column.name not in RESERVED and column.name in profile.columns:
            found.append(_of_column(column, profile.columns[column.name]))
    return found


def _of_column(column: Column, reference: Distribution) -> Watched:
    name, kind = column.name, column.kind
    if isinstance(reference, Levels):
        known = {"true": 1, "false": 0} if kind == "boolean" else column.codes
        return Watched(name, kind, reference, LevelCounts(reference, known), name, _texts)
    readers = {"datetime": _days, "text": _lengths}
    read = readers.get(kind, _numbers)
    counts = NumberCounts(reference, rounded=kind == "numeric")
    return Watched(name, kind, reference, counts, name, read)


def _said(kind: str, schema: Schema) -> str:
    classes = schema.target.classes or ()
    if kind != "probability":
        return kind
    return f"probability of {classes[1]}" if len(classes) == 2 else "probability of the label"


def _texts(values: "pa.Array") -> "pa.Array":
    return values


def _numbers(values: "pa.Array") -> np.ndarray:
    return np.asarray(values.to_numpy(zero_copy_only=False), np.float64)


def _lengths(values: "pa.Array") -> np.ndarray:
    import pyarrow.compute as pc

    found = _numbers(pc.cast(pc.utf8_length(values), "float64"))
    return np.where(found == 0, np.nan, found)


def _days(values: "pa.Array") -> np.ndarray:
    import pyarrow.compute as pc

    from training.values import moment_part, parse_moments

    coded = pc.dictionary_encode(values)
    moments = parse_moments(coded.dictionary.to_pylist(), "")
    days = np.append(moment_part(moments, DATE_PART), np.nan)
    codes: np.ndarray = pc.fill_null(coded.indices, len(days) - 1).to_numpy(zero_copy_only=False)
    return days[codes]


def _probability(values: "pa.Array") -> np.ndarray:
    return probability(probabilities(values))


def probabilities(values: "pa.Array") -> np.ndarray:
    """A column of lists of probabilities as (n, k)."""
    return np.asarray(values.flatten(), np.float64).reshape(len(values), -1)
