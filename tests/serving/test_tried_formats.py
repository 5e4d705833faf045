"""A model's example in other formats: where MLflow reads them alike, and only there."""

import csv
import io
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from serving.tried.formats import are_numbers, as_csv, columns, shortened, tensors

_INPUTS = [{"type": "double", "name": "a"}, {"type": "long", "name": "b"}]


def split(*rows: list[Any], names: Any = ("a", "b")) -> dict[str, Any]:
    return {"columns": list(names), "data": list(rows)}


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False) | st.integers(), min_size=1))
def test_pandas_reads_the_csv_to_the_last_digit(cells: list[Any]) -> None:
    short = shortened(split(*([cell] for cell in cells), names=["x"]))
    assume(short is not None)
    assert short
    read = pd.read_csv(io.StringIO(as_csv(short)), dtype={"x": np.float64})
    assert read["x"].tolist() == [float(row[0]) for row in short["data"]]
    assert np.allclose(read["x"].to_numpy(), np.array(cells, np.float64), rtol=1e-14, atol=0)


def test_numbers_are_in_all_formats() -> None:
    table = split([0.1234567890123456789, 7], [-3, 0])
    assert are_numbers(table, _INPUTS)
    assert columns(table) == {"a": [0.1234567890123456789, -3], "b": [7, 0]}
    short = shortened(table)
    assert short
    assert as_csv(short).splitlines() == ["a,b", "0.123456789012346,7", "-3,0"]


@pytest.mark.parametrize(
    "table",
    [
        *(split([cell, 1]) for cell in (None, "1", True, [1.0], float("nan"), float("inf"))),
        *(split([1.0, cell]) for cell in (1.0, None, False, 2**63)),
        split([1.0, 1], names=["a", "a"]),
        split([1.0, 1], names=["a", "other"]),
        split([1.0, 1], names=["a", 1]),
        split([1.0, 1], [1.0]),
    ],
)
def test_what_may_be_read_otherwise_is_left_out(table: dict[str, Any]) -> None:
    assert not are_numbers(table, _INPUTS)


@pytest.mark.parametrize("kind", ["string", "boolean", "datetime", "array", "object"])
def test_so_is_a_signature_with_other_columns(kind: str) -> None:
    """With lists or records in one of them, MLflow takes `inputs` for one row."""
    assert not are_numbers(split([1.0, 1]), [*_INPUTS, {"type": kind, "name": "c"}])


@pytest.mark.parametrize("cell", [1e-8, -1e16, 2**60])
def test_a_number_of_odd_size_is_not_tried_in_csv(cell: Any) -> None:
    assert shortened(split([cell, 1])) is None


@pytest.mark.parametrize("name", ["", " a", "a\nb", "\ufeffa"])
def test_a_name_that_no_header_has_is_not_tried_in_csv(name: str) -> None:
    assert as_csv(split([1.0], names=[name])) == ""


def test_a_name_is_quoted_in_csv() -> None:
    text = as_csv(split([1.0, 2.0], names=['a, "b"', "c"]))
    assert next(csv.reader([text.splitlines()[0]])) == ['a, "b"', "c"]


_ODD: list[Any] = [[], [[]], 1.0, [None], ["1"], [True], [[1.0], 2.0], [[1.0], [1.0, 2.0]]]
_ODD += [[float("nan")], [float("inf")]]


def tensor(dtype: str, name: str | None = None) -> dict[str, Any]:
    spec = {"dtype": dtype, "shape": [-1]}
    return {"type": "tensor", "tensor-spec": spec} | ({"name": name} if name else {})


@pytest.mark.parametrize(
    ("inputs", "signature", "expected"),
    [
        ([[1, 2.5], [3, 4]], [tensor("float64")], {"input": ([2, 2], [1, 2.5, 3, 4])}),
        ([True], [tensor("bool", "x")], {"x": ([1], [True])}),
        (
            {"x": ["a"], "y": [[[1]]]},
            [tensor("object", "x"), tensor("int64", "y"), tensor("bool", "z")],
            {"x": ([1], ["a"]), "y": ([1, 1, 1], [1])},
        ),
    ],
)
def test_tensors_have_their_shapes(
    inputs: Any, signature: list[dict[str, Any]], expected: dict[str, Any]
) -> None:
    assert tensors({"inputs": inputs}, signature) == expected


@pytest.mark.parametrize(
    ("inputs", "dtype"),
    [
        *((cells, "float64") for cells in _ODD),
        *(([1.0], dtype) for dtype in ("int64", "bool", "object", "float16", "datetime64[ns]")),
        ({"other": [1.0]}, "float64"),
        (None, "float64"),
    ],
)
def test_what_v2_does_not_have_is_left_out(inputs: Any, dtype: str) -> None:
    assert tensors({"inputs": inputs}, [tensor(dtype)]) == {}


def test_columns_are_no_tensors() -> None:
    assert tensors({"inputs": {"a": [1.0], "b": [1]}}, _INPUTS) == {}
