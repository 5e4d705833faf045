"""How the training table's values are distributed, and the model's own predictions and scores.

`profile.json` lies beside the model's `schema.json`, so that what comes later can be compared with
the table that is no longer there. It holds no row: of a number its quantiles, of a category how
often each level occurs, of a text its length alone.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from training.missing import parse_missing
from training.schema import MAX_LEVELS, Column, Schema
from training.values import coded, label, moment_part, to_moments

if TYPE_CHECKING:
    import pandas as pd

    from training.finish import Finished

#: Beside the model's `schema.json`.
FILE = "profile.json"
FORMAT = 1
#: A number's different values are all kept up to this many, else as many quantiles.
VALUES = 256
#: The most frequent levels are counted one by one, up to this many; the others together.
LEVELS = 200
#: What of a date is profiled; see `schema.PARTS`.
DATE_PART = "elapsed"


class ProfileError(ValueError):
    """A profile that is none; the message says what was expected and what came."""


@dataclass(frozen=True)
class Numbers:
    """A distribution of numbers, exact at the values that it holds.

    Attributes
    ----------
    values : ndarray of float64, (k,)
        In order, each once.
    at : ndarray of int64, (k,)
        Rows that have just this value.
    between : ndarray of int64, (k - 1,)
        Rows between a value and the next.
    missing : int
    """

    values: np.ndarray
    at: np.ndarray
    between: np.ndarray
    missing: int = 0
    unseen: int = 0

    @property
    def count(self) -> int:
        """Rows that have a value."""
        return int(self.at.sum() + self.between.sum())


@dataclass(frozen=True)
class Levels:
    """A distribution of categories.

    Attributes
    ----------
    counts : dict of str to int
        Rows of each level, the most frequent first.
    other : int
        Rows of the levels that are not listed.
    missing : int
    unseen : int
        Rows of levels that the schema does not know: there were too many.
    """

    counts: dict[str, int]
    other: int = 0
    missing: int = 0
    unseen: int = 0

    @property
    def count(self) -> int:
        """Rows that have a known level."""
        return sum(self.counts.values()) + self.other


Distribution = Numbers | Levels


@dataclass(frozen=True)
class Profile:
    """What was at training.

    Attributes
    ----------
    rows : int
    columns : dict of str to Numbers or Levels
        By the schema's used columns. Dates are days since 1970, texts their lengths.
    predictions : dict of str to Numbers or Levels
        Of the rows that the model was tested on; see `of_predictions`.
    tested : int
        How many those are.
    metric : str
        The selection metric.
    scores : dict of str to float
        Every metric on the test rows.
    low, high : float
        95 % interval of the selection metric.
    """

    rows: int
    columns: dict[str, Distribution]
    predictions: dict[str, Distribution]
    tested: int
    metric: str
    scores: dict[str, float]
    low: float
    high: float


def columns_json(X: Any, frame: "pd.DataFrame", schema: Schema) -> str:
    """The distributions of a table's columns as JSON: made once a training, not once a model.

    Parameters
    ----------
    X : ndarray or DataFrame
        What `features.conform` has made of the frame.
    frame : DataFrame
        The rows that have a target.
    schema : Schema
    """
    found: dict[str, Any] = {}
    at = 0
    for column in schema.used:
        values = X.iloc[:, at].to_numpy() if hasattr(X, "iloc") else X[:, at]
        found[column.name] = _plain(_of_column(column, values, frame[column.name], schema))
        at += len(column.parts) if column.kind == "datetime" else 1
    return json.dumps(found, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def profile_json(columns: str, schema: Schema, finished: "Finished", metric: str) -> str:
    """The whole profile of a model, as `profile.json` has it.

    Parameters
    ----------
    columns : str
        See `columns_json`.
    schema : Schema
    finished : Finished
        The candidate, tested.
    metric : str
        The selection metric.
    """
    predicted = of_predictions(finished.test_prediction, schema)
    facts = {
        "predictions": {name: _plain(item) for name, item in predicted.items()},
        "tested": len(finished.test_prediction),
        "metric": metric,
        "scores": finished.test_scores,
        "low": _finite(finished.test_low),
        "high": _finite(finished.test_high),
    }
    rest = json.dumps(facts, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return f'{{"format":{FORMAT},"rows":{schema.rows},"columns":{columns},{rest[1:]}\n'


def of_predictions(raw: np.ndarray, schema: Schema) -> dict[str, Distribution]:
    """The distributions of predictions.

    Parameters
    ----------
    raw : ndarray of float64, (n,) or (n, k)
        Values, or a probability for each class.
    schema : Schema

    Returns
    -------
    dict
        `value`; or `label`, and `probability`: of two classes the second's, else the predicted
        one's.
    """
    classes = [label(item) or "" for item in schema.target.classes or ()]
    if not classes:
        return {"value": of_numbers(_rounded(raw))}
    counts = np.bincount(raw.argmax(axis=1), minlength=len(classes))
    return {
        "label": of_levels(counts, classes),
        "probability": of_numbers(_rounded(probability(raw))),
    }


def probability(raw: np.ndarray) -> np.ndarray:
    """Of probabilities (n, k) the one that is watched: of two the second, else the largest."""
    watched = raw[:, 1] if raw.shape[1] == 2 else raw.max(axis=1)
    return np.asarray(watched, np.float64)


def _rounded(predictions: np.ndarray) -> np.ndarray:
    """Seven digits: a value that comes twice, but for its last bits, is one value."""
    scale = float(np.abs(predictions).mean()) if len(predictions) else 0.0
    if not 0 < scale < np.inf:
        return predictions
    return np.round(predictions, 6 - int(np.floor(np.log10(scale))))


def of_numbers(values: np.ndarray) -> Numbers:
    """The distribution of some numbers, NaN where missing."""
    ordered = np.sort(values[~np.isnan(values)])
    if not len(ordered):
        empty = np.zeros(0, np.int64)
        return Numbers(np.zeros(0), empty, empty, len(values))
    first = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    if len(first) <= VALUES:
        kept = ordered[first]
    else:
        places = np.linspace(0, len(ordered) - 1, VALUES).round().astype(np.int64)
        kept = np.unique(ordered[places])
    below = np.searchsorted(ordered, kept, "left")
    upto = np.searchsorted(ordered, kept, "right")
    return Numbers(
        kept + 0.0, upto - below, below[1:] - upto[:-1], missing=len(values) - len(ordered)
    )


def of_levels(
    counts: np.ndarray, levels: Sequence[str], missing: int = 0, unseen: int = 0
) -> Levels:
    """The distribution of categories, from how often each level occurs."""
    order = np.argsort(-counts, kind="stable")[:LEVELS]
    kept = {levels[place]: int(counts[place]) for place in order.tolist()}
    return Levels(kept, int(counts.sum()) - sum(kept.values()), missing, unseen)


def read_profile(path: Path) -> Profile:
    """Read a profile.

    Raises
    ------
    ProfileError
        It is none, or of another format.
    OSError
        It cannot be opened.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["format"] != FORMAT:
            raise ProfileError(f"expected a profile of format {FORMAT}, got {record['format']!r}")
        return Profile(
            rows=record["rows"],
            columns={name: _read(item) for name, item in record["columns"].items()},
            predictions={name: _read(item) for name, item in record["predictions"].items()},
            tested=record["tested"],
            metric=record["metric"],
            scores=record["scores"],
            low=_number(record["low"]),
            high=_number(record["high"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ProfileError(f"expected a profile, got a file without {error}") from None
    except json.JSONDecodeError as error:
        raise ProfileError(f"expected a profile as JSON, got {error}") from None


def _of_column(
    column: Column, values: np.ndarray, raw: "pd.Series", schema: Schema
) -> Distribution:
    if column.kind == "categorical":
        return _of_codes(column, values, raw, schema)
    if column.kind == "boolean":
        truths = values[~np.isnan(values)].astype(np.int64)
        counts = np.bincount(truths, minlength=2)
        return of_levels(counts, ("false", "true"), len(values) - len(truths))
    if column.kind == "text":
        return of_numbers(lengths(values))
    if column.kind == "datetime" and column.parts[:1] != (DATE_PART,):
        return of_numbers(moment_part(to_moments(raw, column.format), DATE_PART))
    return of_numbers(values)


def lengths(texts: np.ndarray) -> np.ndarray:
    """How many characters texts have, NaN where there are none."""
    found = np.fromiter(map(len, texts), np.float64, len(texts))
    found[found == 0] = np.nan
    return found


def _of_codes(column: Column, values: np.ndarray, raw: "pd.Series", schema: Schema) -> Levels:
    known = ~np.isnan(values)
    counts = np.bincount(values[known].astype(np.int64), minlength=len(column.levels))
    missing = unseen = len(values) - int(known.sum())
    if len(column.levels) < MAX_LEVELS:
        unseen = 0
    else:  # those beyond are no values to the model, but were some in the table
        missing = _without_text(raw, schema)
        unseen -= missing
    return of_levels(counts, column.levels, missing, unseen)


def _without_text(raw: "pd.Series", schema: Schema) -> int:
    marks = parse_missing(schema.na_values).marks
    codes, distinct = coded(raw)
    gaps = [text is None or marks(text) for text in distinct]
    return int(np.array([*gaps, True])[codes].sum())


def _plain(item: Distribution) -> dict[str, Any]:
    gaps = {"missing": item.missing} | ({"unseen": item.unseen} if item.unseen else {})
    if isinstance(item, Levels):
        return {"levels": item.counts, "other": item.other, **gaps}
    parts = {name: getattr(item, name).tolist() for name in ("values", "at", "between")}
    return parts | gaps


def _read(record: Mapping[str, Any]) -> Distribution:
    missing, unseen = int(record["missing"]), int(record.get("unseen", 0))
    if "levels" in record:
        return Levels(dict(record["levels"]), int(record["other"]), missing, unseen)
    return Numbers(
        np.array(record["values"], np.float64),
        np.array(record["at"], np.int64),
        np.array(record["between"], np.int64),
        missing,
        unseen,
    )


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
