"""Signs that scores will be too good: a column that gives the target away, rows on both sides."""

from typing import Any

import numpy as np

from training.hashing import row_hashes
from training.schema import Schema
from training.split import Split

_ROWS = 2000  # of the training rows are looked at
_ENOUGH = 100  # fewer rows prove nothing
_PERFECT = 0.995  # of what there is to know about the target
_LEAVES = 64


def find_leaks(X: Any, y: np.ndarray, schema: Schema, split: Split) -> list[str]:
    """Look for leaks.

    Parameters
    ----------
    X : ndarray or DataFrame, shape (n, p)
        As `conform` gives it.
    y : ndarray, shape (n,)
        As `encode_target` gives it.
    schema : Schema
    split : Split
        Of these rows.

    Returns
    -------
    list of str
        One warning each for the features that alone predict the target almost perfectly, and for
        test rows that are also training rows.
    """
    return [*_telling_features(X, y, schema, split.train), *_twin_rows(X, y, split)]


def _telling_features(X: Any, y: np.ndarray, schema: Schema, train: np.ndarray) -> list[str]:
    if len(train) < _ENOUGH:
        return []
    rows = np.random.default_rng(0).permutation(train)[:_ROWS]
    known = y[rows]
    if schema.task == "regression":
        known = known.argsort().argsort()  # ranks: a few large values would hide all others
    telling = [
        feature.name
        for position, feature in enumerate(schema.features)
        if feature.kind != "text"
        and _foretold(_column(X, position, rows), known, schema.task) >= _PERFECT
    ]
    return [
        f"{name!r} alone predicts {schema.target.name!r} almost perfectly: if it is not known when "
        f"predictions are made, leave it out"
        for name in telling
    ]


def _foretold(values: np.ndarray, y: np.ndarray, task: str) -> float:
    """How much a small tree of one column knows of rows it has not seen: 0 nothing, 1 all."""
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    kind = DecisionTreeRegressor if task == "regression" else DecisionTreeClassifier
    tree = kind(max_leaf_nodes=_LEAVES, random_state=0).fit(values[::2], y[::2])
    score = float(tree.score(values[1::2], y[1::2]))
    if task == "regression":
        return score
    usual = np.bincount(y[1::2]).max() / len(y[1::2])
    return (score - usual) / (1 - usual) if usual < 1 else 0.0


def _column(X: Any, position: int, rows: np.ndarray) -> np.ndarray:
    column = X[rows, position] if isinstance(X, np.ndarray) else X.iloc[rows, position].to_numpy()
    return column.reshape(-1, 1)


def _twin_rows(X: Any, y: np.ndarray, split: Split) -> list[str]:
    hashes = row_hashes(X) ^ row_hashes(y.reshape(-1, 1))
    twins = int(np.isin(hashes[split.test], hashes[split.train]).sum())
    if not twins:
        return []
    return [
        f"{twins:,} of {len(split.test):,} test rows ({twins / len(split.test):.0%}) are the same "
        f"as training rows, target included: scores may be too good; remove duplicates, or set "
        f"group=..."
    ]
