"""CatBoost: trees whose nodes of one level all ask the same.

What a model knows of a category is a number a level, where it combines no columns: whether it is a
certain one, or how often the training rows of that level had which target. Each such number is a
column of a table by the level's code, and the trees ask it as they ask any other.
"""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from serving.convert import NotConvertible
from serving.convert.join import joined
from serving.convert.links import probabilities
from serving.convert.prepare import lookup
from serving.convert.trees import GT, Tree, add_trees, for_doubles
from serving.graph import Graph
from training.algorithms.gradient_boosting.catboost import MISSING, with_levels
from training.schema import MAX_LEVELS

#: A category's key among the counts is its hash times this, twice, in 64 bits.
_FACTOR = np.uint64(0x4906BA494954CB65)
#: The key of what is no category.
_FREE = 2**64 - 1


@dataclass(frozen=True)
class _Known:
    """A number that is known of each level of a column.

    Attributes
    ----------
    column : int
    values : ndarray, (MAX_LEVELS + 2,)
        By the level's code; the last but one of a level that is not known, the last of a gap.
    borders : list of float
        What it is compared with.
    """

    column: int
    values: np.ndarray
    borders: list[float]


@dataclass(frozen=True)
class _Splits:
    """What the trees ask, by a split's number: whether `column` is more than `border`."""

    column: np.ndarray
    border: np.ndarray
    missing: np.ndarray


def regressor(estimator: Any, graph: Graph, matrix: str) -> str:
    """The sum of the trees, (n, 1)."""
    sums, start, _ = _sums(estimator, graph, matrix)
    return graph.op("Add", sums, graph.constant(start))


def classifier(estimator: Any, graph: Graph, matrix: str) -> str:
    """The sigmoid or the softmax of the sums."""
    sums, start, targets = _sums(estimator, graph, matrix)
    return probabilities(sums, targets, start, graph)


def levels(estimator: Any, graph: Graph, matrix: str) -> str:
    """The rows as they are: CatBoost's own form of them is of no use here."""
    if estimator.func is not with_levels:
        raise NotConvertible("a FunctionTransformer of any other function has no compiled form")
    return matrix


def _sums(estimator: Any, graph: Graph, matrix: str) -> tuple[str, np.ndarray, int]:
    codes = estimator.get_cat_feature_indices()
    width = len(estimator.feature_names_)
    model = _read(estimator, codes, width)
    if "oblivious_trees" not in model:
        raise NotConvertible("CatBoost's trees of this kind are not compiled")
    known = _known(model, codes) if codes else []
    # Columns of one table are side by side, behind the matrix.
    order = np.argsort([each.column for each in known], kind="stable")
    place = width + np.argsort(order)
    splits = _splits(model["features_info"].get("float_features", []), known, place)
    parts = [matrix]
    for column in sorted({each.column for each in known}):
        table = np.stack([each.values for each in known if each.column == column], axis=1)
        parts.append(lookup(_short(table), column, graph, matrix))
    scale, start = model["scale_and_bias"]
    start = np.ravel(start)
    targets = len(start)
    trees = [_tree(tree, scale, targets, splits) for tree in model["oblivious_trees"]]
    asked = parts[0] if len(parts) == 1 else graph.op("Concat", *parts, axis=1)
    return add_trees(joined(trees), targets, graph, asked), start, targets


def _read(estimator: Any, codes: list[int], width: int) -> dict[str, Any]:
    """The model as JSON; it has the hash of each code that it is shown."""
    pool = None
    if codes:
        from catboost import Pool

        rows = np.zeros((MAX_LEVELS + 1, width))
        rows[:, codes] = np.append(np.arange(MAX_LEVELS), np.nan)[:, None]
        pool = Pool(with_levels(rows, codes), cat_features=codes)
    with tempfile.TemporaryDirectory(prefix="sixfold-catboost-") as folder:
        file = Path(folder) / "model.json"
        estimator.save_model(str(file), format="json", pool=pool)
        model: dict[str, Any] = json.loads(file.read_text())
    return model


def _known(model: dict[str, Any], codes: list[int]) -> list[_Known]:
    """What splits may ask of categories, in the order of the splits' numbers."""
    info = model["features_info"]
    hash_of = {item["value"]: item["hash"] for item in info["cat_features_hash"]}
    words = [*map(str, range(MAX_LEVELS)), str(MISSING)]
    hashes = np.array([hash_of[word] for word in words], np.uint32).astype(np.int32)
    found = [
        _Known(feature["flat_feature_index"], _with_unknown(hashes == value), [0.5])
        for feature in info["categorical_features"]
        for value in feature.get("values", [])
    ]
    keys = (hashes.astype(np.uint64) * _FACTOR * _FACTOR).tolist()
    counts: dict[str, np.ndarray] = {}
    for statistic in info.get("ctrs", []):
        (element, *others) = statistic["elements"]
        if others or element["combination_element"] != "cat_feature_value":
            raise NotConvertible("CatBoost's combinations of categories are not compiled")
        name = statistic["identifier"]
        data = model["ctr_data"][name]
        if name not in counts:
            counts[name] = _counts(data, keys)
        values = _values(statistic, counts[name], data["counter_denominator"])
        column = codes[element["cat_feature_index"]]
        found.append(_Known(column, values, statistic["borders"]))
    return found


def _with_unknown(values: np.ndarray) -> np.ndarray:
    """Put a row of zeros before the last, which is the gap's: no training row had the level."""
    return np.insert(values, -1, 0, axis=0)


def _counts(data: dict[str, Any], keys: list[int]) -> np.ndarray:
    """What was counted of each key: a row each, zeros if there was none."""
    cells, stride = data["hash_map"], data["hash_stride"]
    rows = {int(cells[at]): cells[at + 1 : at + stride] for at in range(0, len(cells), stride)}
    rows.pop(_FREE, None)
    none = [0] * (stride - 1)
    return _with_unknown(np.array([rows.get(key, none) for key in keys], np.float32))


def _values(statistic: dict[str, Any], counts: np.ndarray, most: int) -> np.ndarray:
    """A statistic of each level, in single precision as CatBoost computes it."""
    kind, border = statistic["ctr_type"], statistic["target_border_idx"]
    part, whole = counts[:, 0], np.full(len(counts), most, np.float32)
    if kind == "Borders":  # rows with a target beyond a border
        part, whole = counts[:, border + 1 :].sum(axis=1), counts.sum(axis=1)
    elif kind == "Buckets":  # rows with a target between two
        part, whole = counts[:, border], counts.sum(axis=1)
    elif kind == "BinarizedTargetMeanValue":
        whole = counts[:, 1]
    elif kind != "Counter":  # rows
        raise NotConvertible(f"CatBoost's statistic {kind!r} is not compiled")
    names = ("prior_numerator", "prior_denomerator", "shift", "scale")
    prior, prior_rows, shift, scale = (np.float32(statistic[name]) for name in names)
    values: np.ndarray = ((part + prior) / (whole + prior_rows) + shift) * scale
    return values


def _short(table: np.ndarray) -> np.ndarray:
    """A table without the last codes that it knows nothing of."""
    own = np.flatnonzero((table[:-2] != table[-2]).any(axis=1))
    end = own[-1] + 1 if len(own) else 0
    return np.concatenate([table[:end], table[-2:]]).astype(np.float64)


def _splits(floats: list[dict[str, Any]], known: list[_Known], place: np.ndarray) -> _Splits:
    asked = [
        (feature["flat_feature_index"], border, feature["nan_value_treatment"] == "AsTrue")
        for feature in floats
        for border in feature["borders"] or []
    ]
    for each, column in zip(known, place.tolist(), strict=True):
        asked += [(column, border, False) for border in each.borders]
    # The leaves' level asks nothing.
    columns, borders, missing = zip(*asked, (0, 0.0, False), strict=True)
    return _Splits(
        column=np.array(columns, np.int64),
        border=for_doubles(np.array(borders, np.float32)),
        missing=np.array(missing, bool),
    )


def _tree(tree: dict[str, Any], scale: float, targets: int, splits: _Splits) -> Tree:
    """A level a split; in a leaf's number bit i is whether the split i holds."""
    numbers = [split["split_index"] for split in tree["splits"] or []]
    depth = len(numbers)
    inner = 2**depth - 1
    level = np.floor(np.log2(np.arange(1, 2 * inner + 2))).astype(np.int64)
    asked = np.array([*numbers, len(splits.column) - 1])[level]
    node = np.arange(2 * inner + 1)
    leaves = np.asarray(tree["leaf_values"], np.float64).reshape(2**depth, targets) * scale
    value = np.zeros((2 * inner + 1, targets))
    value[inner:] = leaves[_bits(depth)]
    leaf = node >= inner
    return Tree(
        feature=splits.column[asked],
        threshold=splits.border[asked],
        mode=np.full(len(node), GT),
        missing=splits.missing[asked],
        true=np.where(leaf, -1, 2 * node + 2),
        false=np.where(leaf, -1, 2 * node + 1),
        value=value[:, 0] if targets == 1 else value,
    )


def _bits(depth: int) -> np.ndarray:
    """For each place in the last level from the left, the leaf's number: its bits reversed."""
    places = np.arange(2**depth)
    found = np.zeros_like(places)
    for bit in range(depth):
        found |= ((places >> (depth - 1 - bit)) & 1) << bit
    return found
