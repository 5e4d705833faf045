"""Large tables, a chunk of rows at a time: what they are made into takes many times their size."""

import mmap
from collections.abc import Iterator
from typing import Any

import numpy as np

#: Rows that are prepared or predicted at a time; a table of no more is done at once.
CHUNK = 20_000


def chunks(rows: int) -> Iterator[slice]:
    """Slices of at most `CHUNK` rows."""
    for begin in range(0, rows, CHUNK):
        yield slice(begin, begin + CHUNK)


def fit_transform(
    preprocess: Any, X: np.ndarray, rows: np.ndarray, y: np.ndarray, sparse: bool
) -> Any:
    """Fit `preprocess.scaled`'s transformer, and transform the rows it is fitted on.

    The transformer is what its own `fit_transform` makes it, but for one thing: whether a number is
    missing is scaled, not centred, so that it is 0 in most rows. A model with an intercept, and one
    of distances, is the same for it.

    Parameters
    ----------
    preprocess : ColumnTransformer
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
    from sklearn.frozen import FrozenEstimator

    fitted, encoded = [], {}
    for name, transformer, columns in preprocess.transformers:
        part = _columns(X, rows, columns)
        part[:, np.isnan(part).all(axis=0)] = 0.0
        if name == "high_cardinality":
            # Target encoding is cross-fitted: these rows get other values than new ones will.
            encoded[name] = transformer.fit_transform(part, y)
        else:
            transformer.fit(part)
        if name == "numeric":
            transformer[-1].mean_[len(columns) :] = 0.0
        fitted.append((name, transformer, columns))
    # It learns the order and the widths of its parts, which are fitted by now.
    preprocess.set_params(transformers=[(n, FrozenEstimator(t), c) for n, t, c in fitted])
    preprocess.fit(X[rows[:100]])
    preprocess.transformers = fitted
    preprocess.transformers_ = [
        (n, getattr(t, "estimator", t), c) for n, t, c in preprocess.transformers_
    ]
    blocks = _blocks(fitted, encoded, X, rows)
    matrix = _stacked(blocks, len(rows)) if sparse else _single(blocks, len(rows))
    unmap(X)
    return matrix


def unmap(X: Any) -> None:
    """Give up the memory of a mapped file's pages; they are read again when they are needed."""
    mapped = getattr(X, "_mmap", None)
    if mapped is not None:
        mapped.madvise(mmap.MADV_DONTNEED)


def _columns(X: np.ndarray, rows: np.ndarray, columns: list[int]) -> np.ndarray:
    return np.asarray(X[np.ix_(rows, np.asarray(columns))])


def _blocks(
    fitted: list[tuple[str, Any, list[int]]],
    encoded: dict[str, np.ndarray],
    X: np.ndarray,
    rows: np.ndarray,
) -> Iterator[Any]:
    """The transformed rows, chunk by chunk, as sparse matrices."""
    from scipy import sparse

    for chunk in chunks(len(rows)):
        parts = [
            encoded[name][chunk]
            if name in encoded
            else transformer.transform(_columns(X, rows[chunk], columns))
            for name, transformer, columns in fitted
        ]
        yield sparse.hstack([sparse.csr_matrix(part) for part in parts], format="csr")


def _single(blocks: Iterator[Any], rows: int) -> np.ndarray:
    found = None
    begin = 0
    for block in blocks:
        if found is None:
            found = np.empty((rows, block.shape[1]), np.float32)
        found[begin : begin + block.shape[0]] = block.toarray()
        begin += block.shape[0]
    assert found is not None
    return found


def _stacked(blocks: Iterator[Any], rows: int) -> Any:
    from scipy import sparse

    data, indices, lengths, width = [], [], [np.zeros(1, np.int64)], 0
    for block in blocks:
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
