"""Which rows test, and which fit and validate in each fold.

Three ways: stratified by class (plain for regression), whole groups on one side, forward in time.
Rows are positions; the same seed gives the same split on every machine.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from training.errors import UserError
from training.hashing import row_hashes
from training.schema import Schema
from training.values import coded, to_moments, to_numbers

__all__ = ["Folds", "Split", "make_split", "row_hashes"]

Folds = tuple[tuple[np.ndarray, np.ndarray], ...]

_NEVER = -1  # the fold of a row that is in every fit and never validated


@dataclass(frozen=True)
class Split:
    """Positions of rows.

    Parameters
    ----------
    train, test : ndarray of int64
        Positions into the table; in the table's order, or in the order of time.
    folds : tuple of (fit, valid)
        Positions into `train`. A row may be in no `valid`: the first ones of a split in time, and
        the only row or group of a class, which every fit needs.
    kind : {'stratified', 'shuffled', 'grouped', 'forward'}
    """

    train: np.ndarray
    test: np.ndarray
    folds: Folds
    kind: str


def make_split(
    y: np.ndarray,
    schema: Schema,
    frame: pd.DataFrame,
    test_size: float = 0.2,
    folds: int = 5,
    seed: int = 0,
) -> Split:
    """Split rows into train and test, and train into folds.

    Every class is in `train` and in every fit, however few rows it has.

    Parameters
    ----------
    y : ndarray, shape (n,)
        As `encode_target` gives it.
    schema : Schema
        Its task, and its group or time column, choose the way.
    frame : DataFrame, shape (n, any)
        The rows of `y`; only the group or time column is looked at.
    test_size : float, default 0.2
        Share of the rows, between 0 and 1.
    folds : int, default 5
        At least 2; fewer are made where rows or groups are fewer.
    seed : int, default 0

    Raises
    ------
    UserError
        A parameter is out of its range, there are too few groups, or a class begins too late.
    """
    if not 0 < test_size < 1:
        raise UserError(f"expected test_size between 0 and 1, got {test_size}; use e.g. 0.2")
    if folds < 2:
        raise UserError(f"expected at least 2 folds, got {folds}; use e.g. folds=5")
    rng = np.random.default_rng(seed)
    classes = y.astype(np.int64) if schema.task != "regression" else np.zeros(len(y), np.int64)
    if schema.time is not None:
        return _forward(_order(schema, frame), classes, schema, test_size, folds)
    if schema.group is not None:
        groups = _groups(frame[schema.group])
        return _grouped(groups, classes, schema.group, test_size, folds, rng)
    kind = "shuffled" if schema.task == "regression" else "stratified"
    in_test = _stratified_test(classes, test_size, rng)
    train = np.flatnonzero(~in_test)
    parts = _folds(_round_robin(classes[train], min(folds, len(train)), rng))
    if not parts or not in_test.any():
        raise UserError(
            f"expected more rows to test and to validate, got {len(y)} rows for "
            f"test_size={test_size} and {classes.max() + 1} classes; give a larger table"
        )
    return Split(train, np.flatnonzero(in_test), parts, kind)


def _stratified_test(classes: np.ndarray, test_size: float, rng: np.random.Generator) -> np.ndarray:
    """The test rows as a mask: each class by its share, none robbed of its last row."""
    counts = np.bincount(classes)
    ends = np.rint(np.cumsum(counts) * test_size).astype(np.int64)
    wanted = np.diff(ends, prepend=0)
    # Of two classes both must be tested; one of many only if half a row of it is due.
    due = (counts > 1) & ((len(counts) <= 2) | (counts * test_size >= 0.5))
    wanted = np.clip(wanted, due.astype(np.int64), np.maximum(counts - 1, 0))
    in_test = np.zeros(len(classes), bool)
    for code, number in enumerate(wanted):
        rows = np.flatnonzero(classes == code) if number else np.zeros(0, np.int64)
        in_test[rng.permutation(rows)[:number]] = True
    return in_test


def _round_robin(classes: np.ndarray, folds: int, rng: np.random.Generator) -> np.ndarray:
    """Fold of each row: the classes dealt out one after the other, so that all folds are alike."""
    order = rng.permutation(len(classes))
    order = order[np.argsort(classes[order], kind="stable")]
    dealt = np.bincount(classes)[classes[order]] > 1  # the only row of a class stays in every fit
    fold = np.full(len(classes), _NEVER)
    fold[order[dealt]] = np.arange(dealt.sum()) % folds
    return fold


def _folds(fold: np.ndarray) -> Folds:
    numbers = np.unique(fold[fold != _NEVER])
    return tuple((np.flatnonzero(fold != i), np.flatnonzero(fold == i)) for i in numbers)


def _groups(values: pd.Series) -> np.ndarray:
    """Group of each row as 0..g-1; a row without one is a group of its own."""
    codes, _ = coded(values)
    gaps = codes < 0
    codes = np.where(gaps, len(codes) + np.cumsum(gaps), codes)
    return np.unique(codes, return_inverse=True)[1]


def _grouped(
    groups: np.ndarray,
    classes: np.ndarray,
    name: str,
    test_size: float,
    folds: int,
    rng: np.random.Generator,
) -> Split:
    found = int(groups.max()) + 1
    if found < 3:
        raise UserError(
            f"expected at least 3 groups in {name!r}, got {found}; group by another column, or not"
        )
    side = _assign(groups, classes, np.array([1 - test_size, test_size]), rng)
    in_test = side == 1
    train, test = np.flatnonzero(~in_test), np.flatnonzero(in_test)
    inner = np.unique(groups[train], return_inverse=True)[1]
    number = min(folds, int(inner.max(initial=0)) + 1)
    parts: Folds = ()
    if len(test) and number > 1:
        shares = np.full(number, 1 / number)
        parts = _folds(_assign(inner, classes[train], shares, rng, spare_only_carriers=True))
    if not parts:
        raise UserError(
            f"expected groups that share classes, got {found} groups in {name!r} of which none can "
            f"be left out without losing a class; group by another column, or not"
        )
    return Split(train, test, parts, "grouped")


def _assign(
    groups: np.ndarray,
    classes: np.ndarray,
    shares: np.ndarray,
    rng: np.random.Generator,
    spare_only_carriers: bool = False,
) -> np.ndarray:
    """Bin of each row: whole groups, large ones first, each to where its classes lack most.

    A group that alone has a class is given to bin 0, or to none (`_NEVER`) if it is to be spared.
    """
    counts = np.zeros((groups.max() + 1, classes.max() + 1))
    np.add.at(counts, (groups, classes), 1)
    held = counts > 0
    only = np.zeros(len(counts), bool)
    if classes.max() > 0:
        only |= held[:, held.sum(axis=0) == 1].any(axis=1)
    bin_of = np.full(len(counts), _NEVER if spare_only_carriers else 0)
    # Classes weigh alike, so that the rare ones are spread before the common ones.
    weights = counts / np.maximum(counts.sum(axis=0), 1)
    lack = np.outer(shares, weights.sum(axis=0))
    lack[0] -= weights[only].sum(axis=0)
    order = rng.permutation(len(counts))
    for group in order[np.argsort(-counts[order].sum(axis=1), kind="stable")]:
        if not only[group]:
            gain = lack @ weights[group]
            bin_of[group] = best = int(np.argmax(gain))
            lack[best] -= weights[group]
    return bin_of[groups]


def _order(schema: Schema, frame: pd.DataFrame) -> np.ndarray:
    """Time of each row as int64 ranks; rows without one come first.

    A text such as 2021.5 is a number and a date: what more values are, all are read as. A layout
    was chosen for the values, and goes before.
    """
    assert schema.time is not None
    column, values = schema.column(schema.time), frame[schema.time]
    moments = to_moments(values, column.format)
    gaps, numbers = np.isnat(moments), to_numbers(values)
    dates, found = int((~gaps).sum()), int((~np.isnan(numbers)).sum())
    numeric = found >= dates if not column.format else not dates
    times = numbers if numeric else np.where(gaps, np.nan, moments.astype(np.int64))
    return np.unique(np.nan_to_num(times, nan=-np.inf), return_inverse=True)[1]


def _forward(
    times: np.ndarray, classes: np.ndarray, schema: Schema, test_size: float, folds: int
) -> Split:
    order = np.argsort(times, kind="stable")
    times, classes = times[order], classes[order]
    cut = _boundary(times, len(times) - max(1, round(len(times) * test_size)))
    if cut is None:
        raise UserError(
            f"expected at least two moments in {schema.time!r}, got the same in every row; choose "
            f"another time column, or none"
        )
    late = np.setdiff1d(classes[cut:], classes[:cut])
    if len(late):
        raise UserError(
            f"expected every class of {schema.target.name!r} before the test rows, got "
            f"{_named(late, schema)} only in the last {test_size:.0%} in time; drop these rows, or "
            f"split without time"
        )
    ends = {_boundary(times[:cut], round(cut * i / (folds + 1))) for i in range(1, folds + 1)}
    cuts = [*sorted(end for end in ends if end is not None), cut]
    parts = [
        (np.arange(start), np.arange(start, end))
        for start, end in pairwise(cuts)
        if len(np.setdiff1d(classes[:cut], classes[:start])) == 0
    ]
    if not parts:
        parts = _last_fold(times[:cut], classes[:cut], schema)
    return Split(order[:cut], order[cut:], tuple(parts), "forward")


def _boundary(times: np.ndarray, near: int) -> int | None:
    """The position nearest to `near` where time moves on, None if it nowhere does."""
    moves = np.flatnonzero(np.diff(times)) + 1
    return int(moves[np.argmin(np.abs(moves - near))]) if len(moves) else None


def _last_fold(
    times: np.ndarray, classes: np.ndarray, schema: Schema
) -> list[tuple[np.ndarray, np.ndarray]]:
    """One fold, cut as soon as every class has been seen."""
    seen = max(int(np.argmax(classes == code)) for code in np.unique(classes)) + 1
    moves = np.flatnonzero(np.diff(times)) + 1
    later = moves[moves >= seen]
    if not len(later):
        raise UserError(
            f"expected every class of {schema.target.name!r} early enough to validate after it, "
            f"got {_named(classes[[-1]], schema)} only at the end of the training rows; split "
            f"without time"
        )
    start = int(later[0])
    return [(np.arange(start), np.arange(start, len(times)))]


def _named(codes: np.ndarray, schema: Schema) -> str:
    labels = schema.target.classes or []
    return ", ".join(repr(labels[int(code)]) for code in codes[:5])
