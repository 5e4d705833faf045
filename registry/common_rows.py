"""The rows that two versions have both been tested on, and neither was trained on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from registry.recorded import Recorded
from registry.version import Facts
from training.schema import Schema


@dataclass(frozen=True)
class Pair:
    """Predictions of both versions on the same rows.

    Attributes
    ----------
    y : ndarray, (n,)
        Values, or codes into `labels`.
    predictions : tuple of two ndarray, (n,) or (n, k)
    labels : tuple of str
        Empty for regression.
    """

    y: np.ndarray
    predictions: tuple[np.ndarray, np.ndarray]
    labels: tuple[str, ...]


def pair_of(first: Facts, second: Facts, recorded: Sequence[Recorded]) -> Pair | str:
    """Both versions' predictions on the test rows that they have in common.

    Rows are told by hashes of their content; a row that either was trained on is left out.

    Returns
    -------
    Pair or str
        One sentence on why there are none.
    """
    mine, theirs = first.schema, second.schema
    if first.task != second.task or mine.target.name != theirs.target.name:
        return (
            f"One predicts {mine.target.name!r} ({first.task}), the other "
            f"{theirs.target.name!r} ({second.task}): no rows compare them."
        )
    labels, known = _labels(theirs), _labels(mine)
    if first.task == "binary" and set(labels) != set(known):
        return "They predict different classes: no rows compare them."
    one, other = recorded
    trained = np.concatenate([one.rows.train, other.rows.train])
    usable = np.flatnonzero(~np.isin(other.rows.test, trained))
    order = np.argsort(one.rows.test, kind="stable")
    place = np.searchsorted(one.rows.test, other.rows.test[usable], sorter=order)
    at = order[np.minimum(place, len(order) - 1)]
    there = one.rows.test[at] == other.rows.test[usable]
    at, usable = at[there], usable[there]
    if not len(at):
        why = (
            "their tables have different columns"
            if _layout(mine) != _layout(theirs)
            else "their test rows are different ones, or one was trained on the other's"
        )
        return f"There is no row that both were tested on: {why}."
    together = (*labels, *(name for name in known if name not in labels))
    y = other.y[usable]
    return Pair(
        y,
        (
            _aligned(one.prediction[at], known, together),
            _aligned(other.prediction[usable], labels, together),
        ),
        together,
    )


def _aligned(prediction: np.ndarray, own: Sequence[str], together: Sequence[str]) -> np.ndarray:
    """Probabilities in the order of `together`; none for a class the version does not know."""
    if not together or tuple(own) == tuple(together):
        return prediction
    places = {name: at for at, name in enumerate(own)}
    nothing = np.zeros(len(prediction))
    return np.column_stack(
        [prediction[:, places[name]] if name in places else nothing for name in together]
    )


def _layout(schema: Schema) -> list[tuple[str, str]]:
    return [(column.name, column.dtype) for column in schema.columns]


def _labels(schema: Schema) -> tuple[str, ...]:
    return tuple(str(label) for label in schema.target.classes or ())
