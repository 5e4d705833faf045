"""The matrix that a model gets is the one that training would have made, cell for cell."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

from serving.server.cells import Cells
from serving.server.rows import RowReader
from tests.serving.server.bundles import LEVELS, NUMBERS, sample_rows
from tests.serving.server.strategies import tables
from training.features import conform
from training.schema import Column, Schema, Target


def trained(schema: Schema, rows: list[list[Any]]) -> np.ndarray:
    """What training makes of the rows."""
    names = [column.name for column in schema.columns]
    # An array of objects keeps the cells as they are: a frame would change types by column.
    cells = np.empty((len(rows), len(names)), object)
    for at, row in enumerate(rows):
        for place, cell in enumerate(row):
            cells[at, place] = cell
    return np.asarray(conform(pd.DataFrame(cells, columns=names, dtype=object), schema))


@settings(max_examples=80, deadline=None)
@given(tables())
def test_few_rows_as_in_training(table: tuple[Schema, list[list[Any]]]) -> None:
    schema, rows = table
    found = RowReader(schema).read(Cells(rows=rows))
    np.testing.assert_array_equal(found, trained(schema, rows))


@settings(max_examples=40, deadline=None)
@given(tables())
def test_many_rows_and_columns_as_in_training(table: tuple[Schema, list[list[Any]]]) -> None:
    schema, rows = table
    expected = np.tile(trained(schema, rows), (20, 1))
    reader = RowReader(schema)
    np.testing.assert_array_equal(reader.read(Cells(rows=rows * 20)), expected)
    columns = [list(cells) for cells in zip(*rows * 20, strict=True)]
    np.testing.assert_array_equal(reader.read(Cells(columns=columns)), expected)


@settings(max_examples=30, deadline=None)
@given(tables(kinds=("numeric",)))
def test_numbers_only(table: tuple[Schema, list[list[Any]]]) -> None:
    schema, rows = table
    plain = [
        [cell if isinstance(cell, int | float | None) else 1.5 for cell in row] for row in rows
    ]
    found = RowReader(schema).read(Cells(rows=plain))
    np.testing.assert_array_equal(found, trained(schema, plain))


@settings(max_examples=200, deadline=None)
@given(tables(kinds=("numeric",)))
def test_a_row_into_memory_that_is_there(table: tuple[Schema, list[list[Any]]]) -> None:
    schema, rows = table
    reader = RowReader(schema)
    for row in rows:
        into = np.full((1, reader.width), -7.5)
        if reader.read_one(Cells(rows=[row]), into):
            np.testing.assert_array_equal(into, trained(schema, [row]))
        else:
            assert (into == -7.5).all()


def test_which_rows_are_written_at_once() -> None:
    reader, into = RowReader(NUMBERS), np.zeros((1, 6))
    assert reader.read_one(Cells(rows=[[1.5, -2, True, 1e300 * 0, -3e37, 2**60]]), into)
    assert into.tolist() == [[1.5, -2.0, 1.0, 0.0, -3e37, 2.0**60]]
    for cell in (None, "1", [1.0], 10**400, 1e39, float("nan"), float("-inf"), 3e38 * 1.1):
        assert not reader.read_one(Cells(rows=[[1.0, cell, 1.0, 1.0, 1.0, 1.0]]), into)
    marked = Schema("regression", NUMBERS.target, NUMBERS.columns, 1, "0", na_values="1.5")
    assert not RowReader(marked).read_one(Cells(rows=[[1.5] * 6]), into)


@pytest.mark.parametrize("schema", [NUMBERS, LEVELS], ids=["numbers", "mixed"])
@pytest.mark.parametrize("count", [1, 16, 17, 100])
def test_usual_rows(schema: Schema, count: int) -> None:
    names = [column.name for column in schema.used]
    rows = [[record.get(name) for name in names] for record in sample_rows(schema, count)]
    found = RowReader(schema).read(Cells(rows=rows))
    frame = pd.DataFrame(rows, columns=names)
    np.testing.assert_array_equal(found, conform(frame, schema))
    assert found.flags.c_contiguous
    assert not np.isnan(found[0]).any()


def test_text_columns_have_no_numbers() -> None:
    schema = Schema("regression", Target("y", "float"), (Column("t", "text", "string"),), 1, "0")
    with pytest.raises(ValueError, match="text"):
        RowReader(schema)
