"""Preprocessing: columns, missing values, scales, and categories."""

from typing import Any

import numpy as np

from serving.convert import convert
from serving.graph import Graph


def column_transformer(estimator: Any, graph: Graph, matrix: str) -> str:
    """Each part on its columns, side by side."""
    parts = []
    for name, transformer, columns in estimator.transformers_:
        if (name == "remainder" and transformer == "drop") or not len(columns):
            continue
        positions = np.arange(estimator.n_features_in_)[columns].tolist()
        whole = positions == list(range(estimator.n_features_in_))
        given = matrix if whole else graph.columns(matrix, positions)
        if transformer == "passthrough" or type(transformer).__name__ == "FunctionTransformer":
            parts.append(given)
        elif levels := _levels(transformer):
            parts.append(_table(transformer, levels, graph, given))
        else:
            parts.append(convert(transformer, graph, given))
    return parts[0] if len(parts) == 1 else graph.op("Concat", *parts, axis=1)


def simple_imputer(estimator: Any, graph: Graph, matrix: str) -> str:
    """Its values where there are none, and which of its columns had none."""
    width = estimator.n_features_in_
    filled = estimator.transform(np.full((1, width), np.nan))[0, :width]
    gaps = graph.op("IsNaN", matrix)
    values = graph.op("Where", gaps, graph.constant(filled), matrix)
    if not estimator.add_indicator or not len(estimator.indicator_.features_):
        return values
    flags = graph.columns(graph.cast(gaps, np.float64), estimator.indicator_.features_)
    return graph.op("Concat", values, flags, axis=1)


def standard_scaler(estimator: Any, graph: Graph, matrix: str) -> str:
    """Mean 0 and deviation 1."""
    width = estimator.n_features_in_
    mean = np.zeros(width) if estimator.mean_ is None else estimator.mean_
    scale = np.ones(width) if estimator.scale_ is None else estimator.scale_
    return graph.scaled(matrix, mean, scale)


def lookup(table: np.ndarray, column: int, graph: Graph, codes: str) -> str:
    """A row of a table for each code of a column, (n, k).

    Parameters
    ----------
    table : ndarray (levels + 2, k)
        Its last row is for what is missing, the one before for all codes beyond.
    column : int
        Of `codes`.
    graph : Graph
    codes : str
        (n, any).
    """
    count = len(table) - 2
    code = graph.op("Gather", codes, graph.constant(column, np.int64), axis=1)
    known = graph.op("Min", code, graph.constant(count))
    place = graph.op("Where", graph.op("IsNaN", code), graph.constant(count + 1), known)
    return graph.op("Gather", graph.constant(table), graph.cast(place, np.int64), axis=0)


def _levels(transformer: Any) -> list[int]:
    """How many codes each column of an encoder may hold; none if it is no encoder."""
    first = transformer[0] if hasattr(transformer, "steps") else transformer
    if not hasattr(first, "categories_"):
        return []
    return [int(np.nanmax(found, initial=0)) + 1 for found in first.categories_]


def _table(transformer: Any, levels: list[int], graph: Graph, codes: str) -> str:
    """A transformer that treats each column of codes by itself: a table a column.

    What it makes of each code, of a missing and of an unknown one is asked of the transformer.
    """
    nothing = np.full((1, len(levels)), np.nan)
    base = _dense(transformer.transform(nothing))[0]
    pieces: list[str] = []
    order: list[int] = []
    for column, count in enumerate(levels):
        # One more than there are: what any code beyond is treated as, and then what is missing.
        asked = np.repeat(nothing, count + 2, axis=0)
        asked[: count + 1, column] = np.arange(count + 1)
        table = _dense(transformer.transform(asked))
        own = np.flatnonzero((table != base).any(axis=0))
        if not len(own):
            continue
        pieces.append(lookup(table[:, own], column, graph, codes))
        order += own.tolist()
    rest = sorted(set(range(len(base))) - set(order))
    if rest:
        pieces.append(graph.repeated(base[rest], codes))
    order += rest
    found = pieces[0] if len(pieces) == 1 else graph.op("Concat", *pieces, axis=1)
    if order == sorted(order):
        return found
    return graph.columns(found, np.argsort(order).tolist())


def _dense(rows: Any) -> np.ndarray:
    return np.asarray(rows.toarray() if hasattr(rows, "toarray") else rows, np.float64)
