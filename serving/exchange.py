"""Parts of a table as the Open Inference Protocol's tensors, and its outputs as columns."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from training.schema import Schema

if TYPE_CHECKING:
    import pandas as pd

_NUMBERS = {"f": "FP64", "i": "INT64", "u": "UINT64", "b": "BOOL"}


def tensors(part: "pd.DataFrame", schema: Schema) -> Iterator[dict[str, Any]]:
    """A part's columns as inputs of the Open Inference Protocol; what is missing is null."""
    for column in schema.used:
        if column.name not in part.columns:
            continue  # the server says which are missing
        values = part[column.name]
        kind = values.dtype.kind if isinstance(values.dtype, np.dtype) else "O"
        if kind in _NUMBERS:
            data: Any = np.ascontiguousarray(values.to_numpy())
        else:
            kind, data = "O", _texts(values)
        yield {
            "name": column.name,
            "shape": [len(part)],
            "datatype": _NUMBERS.get(kind, "BYTES"),
            "data": data,
        }


def _texts(values: "pd.Series") -> list[str | None]:
    from training.values import coded

    codes, distinct = coded(values)
    return [None if code < 0 else distinct[code] for code in codes.tolist()]


def columns_of(name: str, output: dict[str, Any]) -> dict[str, Any]:
    """An output as columns: one, or a numbered one for each that a row has of it."""
    if len(output["shape"]) == 1:
        return {name: output["data"]}
    width = math.prod(output["shape"][1:])
    return {f"{name}_{at}": output["data"][at::width] for at in range(width)}
