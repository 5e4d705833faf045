"""What a model's example is in formats other than its own, where MLflow must read them alike.

MLflow reads CSV and `inputs` by other rules than a table in JSON, where a cell is missing or is no
number: such an example is left in its own format.
"""

import csv
import io
import math
from typing import Any

_WHOLE = {"integer": 2**31, "long": 2**63}
_REAL = ("float", "double")
#: pandas reads as many digits of a number in CSV as they are, within powers of ten that are exact.
_DIGITS, _LEAST, _MOST = 15, 1e-7, 1e15
_MOST_SIZES = 8
_KINDS: dict[str, tuple[type, ...]] = {
    "bool": (bool,),
    **dict.fromkeys(("int8", "int16", "int32", "int64"), (int,)),
    **dict.fromkeys(("uint8", "uint16", "uint32", "uint64"), (int,)),
    **dict.fromkeys(("float32", "float64"), (int, float)),
    **dict.fromkeys(("str", "object"), (str,)),
}

#: A tensor's shape, and its values in one list.
Tensor = tuple[list[int], list[Any]]


def columns(split: dict[str, Any]) -> dict[str, list[Any]]:
    """A table's cells by column."""
    cells = map(list, zip(*split["data"], strict=True))
    return dict(zip(split["columns"], cells, strict=True))


def flat(split: dict[str, Any]) -> dict[str, Tensor]:
    """A table as V2 has it, a tensor a column."""
    return {name: ([len(cells)], cells) for name, cells in columns(split).items()}


def are_numbers(split: dict[str, Any], inputs: list[dict[str, Any]]) -> bool:
    """Whether all columns of a table and of the signature are numbers, and no cell is missing."""
    types = {item.get("name"): item["type"] for item in inputs}
    names, rows = split["columns"], split["data"]
    return (
        len(set(names)) == len(names)
        and all(len(row) == len(names) for row in rows)
        and all(kind in _REAL or kind in _WHOLE for kind in types.values())
        and all(isinstance(name, str) and name in types for name in names)
        and all(_is(row[at], types[name]) for row in rows for at, name in enumerate(names))
    )


def shortened(split: dict[str, Any]) -> dict[str, Any] | None:
    """The same table with numbers that CSV has all digits of; None if there are others."""
    found = [[_short(cell) for cell in row] for row in split["data"]]
    if any(cell and not _LEAST <= abs(cell) <= _MOST for row in found for cell in row):
        return None
    return {"columns": split["columns"], "data": found}


def as_csv(split: dict[str, Any]) -> str:
    """A table of numbers as CSV; '' if a column's name is none there."""
    if not all(name and name.strip() == name and name.isprintable() for name in split["columns"]):
        return ""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(split["columns"])
    writer.writerows([repr(cell) for cell in row] for row in split["data"])
    return text.getvalue()


def tensors(request: dict[str, Any], inputs: list[dict[str, Any]]) -> dict[str, Tensor]:
    """The tensors of a request by their names in V2; none, if V2 does not have one of them."""
    specs = {
        item.get("name") or "input": item["tensor-spec"]["dtype"]
        for item in inputs
        if item["type"] == "tensor"
    }
    given = request.get("inputs")
    if len(specs) == 1 and not isinstance(given, dict):
        given = dict.fromkeys(specs, given)
    if not isinstance(given, dict) or not given or not given.keys() <= specs.keys():
        return {}
    found = {}
    for name, value in given.items():
        tensor = _tensor(value, specs[name])
        if tensor is None:
            return {}
        found[name] = tensor
    return found


def _is(cell: Any, kind: str) -> bool:
    if kind in _REAL:
        return type(cell) in (int, float) and math.isfinite(cell)
    return type(cell) is int and -_WHOLE[kind] <= cell < _WHOLE[kind]


def _short(cell: Any) -> Any:
    return float(f"{cell:.{_DIGITS}g}") if isinstance(cell, float) else cell


def _tensor(value: Any, dtype: str) -> Tensor | None:
    shape: list[int] = []
    level = [value]
    while level and all(isinstance(part, list) for part in level):
        sizes = {len(part) for part in level}
        if len(sizes) > 1 or 0 in sizes:
            return None
        shape += sizes
        level = [item for part in level for item in part]
    kinds = _KINDS.get(dtype, ())
    if any(type(item) not in kinds for item in level) or not 0 < len(shape) <= _MOST_SIZES:
        return None
    return None if any(map(_is_endless, level)) else (shape, level)


def _is_endless(item: Any) -> bool:
    return isinstance(item, float) and not math.isfinite(item)
