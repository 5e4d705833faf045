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
            if kind == "f":  # written with fewer digits, a float32 would be another number
                data = data.astype(np.float64, copy=False)
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
    """An output as Arrow's columns: one, or a numbered one for each that a row has of it."""
    import pyarrow as pa

    # Said by the output: rows without a value have no type that could be seen.
    kind = _arrow(output["datatype"])
    if len(output["shape"]) == 1:
        return {name: pa.array(output["data"], kind)}
    width = math.prod(output["shape"][1:])
    return {f"{name}_{at}": pa.array(output["data"][at::width], kind) for at in range(width)}


def _arrow(datatype: str) -> Any:
    import pyarrow as pa

    if datatype == "BYTES":
        return pa.string()
    if datatype == "BOOL":
        return pa.bool_()
    if datatype.startswith("FP"):
        return pa.float64()
    return pa.uint64() if datatype.startswith("UINT") else pa.int64()
