"""Large tables, a chunk of rows at a time: what they are made into takes many times their size."""

import mmap
from collections.abc import Iterator
from typing import Any

import numpy as np

#: Rows that are prepared or predicted at a time; a table of no more is done at once.
CHUNK = 20_000

#: A part of a ColumnTransformer: its name, its transformer, its columns.
_Part = tuple[str, Any, list[int]]


def chunks(rows: int) -> Iterator[slice]:
    """Slices of at most `CHUNK` rows."""
    for begin in range(0, rows, CHUNK):
        yield slice(begin, begin + CHUNK)


def fit_transform(
    preprocess: Any, X: np.ndarray, rows: np.ndarray, y: np.ndarray, sparse: bool
) -> Any:
    """Fit the transformer that `preprocess` has made, and transform the rows it is fitted on.

    The transformer is what its own `fit_transform` makes it, but for one thing: whether a number is
    missing is scaled, not centred, so that it is 0 in most rows. A model with an intercept, and one
    of distances, is the same for it.

    Parameters
    ----------
    preprocess : ColumnTransformer or 'passthrough'
        Is fitted.
    X : ndarray of float64, (any, p)
        Is not copied.
    rows : ndarray of int, (n,)
        Positions into `X`.
    y : ndarray, (n,)
        Targets of these rows.
    sparse : bool
        Leave zeros out. Else all numbers are kept, in single precision.

    Returns
    -------
    csr_matrix of float64, or ndarray of float32, (n, width)
    """
    fitted: list[_Part] = [("all", preprocess, list(range(X.shape[1])))]
    encoded: dict[str, np.ndarray] = {}
    if preprocess != "passthrough":
        fitted, encoded = _fit(preprocess, X, rows, y)
    blocks = _blocks(fitted, encoded, X, rows)
    matrix = _stacked(blocks, len(rows)) if sparse else _single(blocks, len(rows))
    unmap(X)
    return matrix


def unmap(X: Any) -> None:
    """Give up the memory of a mapped file's pages; they are read again when they are needed."""
    mapped = getattr(X, "_mmap", None)
    if mapped is not None:
        mapped.madvise(mmap.MADV_DONTNEED)


def _fit(
    preprocess: Any, X: np.ndarray, rows: np.ndarray, y: np.ndarray
) -> tuple[list[_Part], dict[str, np.ndarray]]:
    """Fit part by part; returns the parts, and what target encoding makes of these rows."""
    from sklearn.frozen import FrozenEstimator

    fitted: list[_Part] = []
    encoded: dict[str, np.ndarray] = {}
    for name, transformer, columns in preprocess.transformers:
        part = _columns(X, rows, columns)
        part[:, np.isnan(part).all(axis=0)] = 0.0
        if name == "high_cardinality":
            # Target encoding is cross-fitted: these rows get other values than new ones will.
            encoded[name] = transformer.fit_transform(part, y)
        elif transformer != "passthrough":
            transformer.fit(part)
        if name == "numeric" and transformer != "passthrough":
            transformer[-1].mean_[len(columns) :] = 0.0
        fitted.append((name, transformer, columns))
    # It learns the order and the widths of its parts, which are fitted by now.
    frozen = [(n, t if t == "passthrough" else FrozenEstimator(t), c) for n, t, c in fitted]
    preprocess.set_params(transformers=frozen)
    preprocess.fit(X[rows[:100]])
    preprocess.transformers = fitted
    preprocess.transformers_ = [
        (n, getattr(t, "estimator", t), c) for n, t, c in preprocess.transformers_
    ]
    return fitted, encoded


def _columns(X: np.ndarray, rows: np.ndarray, columns: list[int]) -> np.ndarray:
    return np.asarray(X[np.ix_(rows, np.asarray(columns))])


def _blocks(
    fitted: list[_Part], encoded: dict[str, np.ndarray], X: np.ndarray, rows: np.ndarray
) -> Iterator[list[Any]]:
    """The transformed rows, chunk by chunk: each part's, sparse or not."""
    for chunk in chunks(len(rows)):
        yield [
            encoded[name][chunk]
            if name in encoded
            else _transform(transformer, _columns(X, rows[chunk], columns))
            for name, transformer, columns in fitted
        ]


def _transform(transformer: Any, part: np.ndarray) -> Any:
    return part if transformer == "passthrough" else transformer.transform(part)


def _single(blocks: Iterator[list[Any]], rows: int) -> np.ndarray:
    found = None
    begin = 0
    for parts in blocks:
        block = np.hstack([part.toarray() if hasattr(part, "toarray") else part for part in parts])
        if found is None:
            found = np.empty((rows, block.shape[1]), np.float32)
        found[begin : begin + len(block)] = block
        begin += len(block)
    assert found is not None
    return found


def _stacked(blocks: Iterator[list[Any]], rows: int) -> Any:
    from scipy import sparse

    data, indices, lengths, width = [], [], [np.zeros(1, np.int64)], 0
    for parts in blocks:
        block = sparse.hstack([sparse.csr_matrix(part) for part in parts], format="csr")
        data.append(block.data)
        indices.append(block.indices.astype(np.int32, copy=False))
        lengths.append(np.diff(block.indptr))
        width = block.shape[1]
    begins = np.cumsum(np.concatenate(lengths))
    if begins[-1] <= np.iinfo(np.int32).max:  # else scipy would widen all indices by itself
        begins = begins.astype(np.int32)
    values = np.concatenate(data)
    data.clear()  # so that never more than one of the arrays is there twice
    places = np.concatenate(indices)
    indices.clear()
    return sparse.csr_matrix((values, places, begins), shape=(rows, width))
