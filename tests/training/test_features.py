"""Raw rows become model input, the same at training and at prediction."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.training.tables import CELLS, inferred, mixed_frame
from training.features import conform, decode_target, drop_unlabelled, encode_target, has_target
from training.schema import Column, Schema, Target

_KINDS = ["numeric", "categorical", "boolean", "datetime"]


def _schema(*kinds: str, na_values: str = "") -> Schema:
    more: dict[str, dict[str, Any]] = {
        "categorical": {"levels": ("red", "1", "true")},
        "datetime": {"parts": ("elapsed", "year", "hour")},
    }
    columns = tuple(Column(f"c{i}", kind, "", **more.get(kind, {})) for i, kind in enumerate(kinds))
    return Schema("regression", Target("y", "float"), columns, 1, "0" * 32, na_values)


@settings(deadline=None)
@given(st.data())
def test_any_cells_give_a_matrix_of_finite_numbers_and_gaps(data: st.DataObject) -> None:
    kinds = data.draw(st.lists(st.sampled_from(_KINDS), min_size=1, max_size=4))
    rows = data.draw(st.lists(st.tuples(*[CELLS] * len(kinds)), min_size=1, max_size=5))
    schema = _schema(*kinds, na_values="?,-999")
    frame = pd.DataFrame(
        {f"c{i}": pd.Series([row[i] for row in rows], dtype=object) for i in range(len(kinds))}
    )
    few = conform(frame, schema)
    assert few.shape == (len(rows), len(schema.features))
    assert few.dtype == np.float64
    assert few.flags.c_contiguous
    assert not np.isinf(few).any()
    # More rows go another way, column by column: the same result, whatever stands below.
    many = conform(pd.concat([frame] * 65, ignore_index=True), schema)
    np.testing.assert_array_equal(many[: len(rows)], few)
    inferred_types = conform(frame.infer_objects(), schema)
    np.testing.assert_array_equal(inferred_types, few)


def test_one_row_and_all_rows_agree() -> None:
    _, schema, _ = inferred(mixed_frame())
    frame = mixed_frame()
    whole = conform(frame, schema)
    assert [feature.name for feature in schema.features] == whole.columns.tolist()
    for i in range(0, len(frame), 37):
        pd.testing.assert_frame_equal(
            conform(frame.iloc[[i]], schema), whole.iloc[[i]].reset_index(drop=True)
        )


def test_what_came_as_json_is_the_same_row() -> None:
    table, schema, _ = inferred(mixed_frame())
    expected = conform(table.frame, schema)
    text = table.frame.to_json(orient="records", date_format="iso")
    again = pd.DataFrame(json.loads(text))
    pd.testing.assert_frame_equal(conform(again, schema), expected)
    words = table.frame.astype(object).where(table.frame.notna(), None).map(_as_text)
    pd.testing.assert_frame_equal(conform(words, schema), expected)


def _as_text(value: object) -> object:
    return value if value is None else str(value)


def test_text_makes_a_frame_of_floats_and_strings() -> None:
    frame = pd.DataFrame({"c0": [1, 2], "c1": ["two words", None]})
    X = conform(frame, _schema("numeric", "text"))
    assert X.dtypes.tolist() == [np.float64, np.dtype(object)]
    assert X["c1"].tolist() == ["two words", ""]
    assert all(type(text) is str for text in X["c1"])


def test_columns_by_name_in_any_order_with_others_between() -> None:
    frame = pd.DataFrame({"x": [9, 9], "c1": ["red", "blue"], "c0": [1, None], "z": [[], {}]})
    np.testing.assert_array_equal(
        conform(frame, _schema("numeric", "categorical")), [[1, 0], [np.nan, np.nan]]
    )


def test_a_frame_whose_columns_are_numbers() -> None:
    columns = (Column("1", "numeric", "int64"), Column("0", "numeric", "int64"))
    schema = Schema("regression", Target("y", "float"), columns, 1, "0" * 32)
    np.testing.assert_array_equal(conform(pd.DataFrame([[1, 2]]), schema), [[2, 1]])


def test_columns_that_are_missing_or_there_twice() -> None:
    schema = _schema("numeric", "numeric")
    with pytest.raises(ValueError, match="2 columns, got a table without 'c1'"):
        conform(pd.DataFrame({"c0": [1]}), schema)
    twice = pd.DataFrame([[1, 2, 3]], columns=["c0", "c1", "c1"])
    with pytest.raises(ValueError, match="got 'c1' twice"):
        conform(twice, schema)
    other = pd.DataFrame([[1, 2, 3, 4]], columns=["x", "c0", "x", "c1"])
    np.testing.assert_array_equal(conform(other, schema), [[2, 4]])


@pytest.mark.parametrize("rows", [1, 100])
def test_markers_and_numbers_beyond_float32_are_gaps(rows: int) -> None:
    schema = _schema("numeric", "numeric", "categorical", "text", na_values="-999,red,?")
    frame = pd.DataFrame(
        {"c0": [-999.0], "c1": [1e39], "c2": ["red"], "c3": ["?"]}, index=range(rows)
    )
    X = conform(frame, schema)
    assert X[["c0", "c1", "c2"]].isna().all().all()
    assert (X["c3"] == "").all()
    np.testing.assert_array_equal(
        conform(frame, _schema("numeric", "numeric", na_values="-999")), np.full((rows, 2), np.nan)
    )


def test_no_rows() -> None:
    _, schema, _ = inferred(mixed_frame())
    assert conform(mixed_frame().iloc[:0], schema).shape == (0, len(schema.features))


def _target(kind: str, classes: list[Any] | None, na_values: str = "") -> Schema:
    task = "regression" if classes is None else "multiclass"
    return Schema(task, Target("y", kind, classes), (), 1, "0" * 32, na_values)


@pytest.mark.parametrize(
    ("kind", "classes", "values"),
    [
        ("string", ["[a]", "<b>", "ü, :"], ["<b>", "ü, :", "[a]"]),
        ("integer", [-5, 3, 100], [3.0, 100, "-5"]),
        ("integer", [-5, 3, 100], pd.Series([3, 100, -5], dtype="Int64")),
        ("float", [0.5, 1.0, 2.0], [1, "2.0", 0.5]),
        ("string", ["1", "2", "x"], [2, "x", 1.0]),
        ("boolean", [False, True], [True, "false", 1]),
        ("boolean", [False, True], pd.Series([True, False, True], dtype="boolean")),
        ("string", ["a", "b", "c"], pd.Categorical(["b", "c", "a"])),
    ],
)
def test_labels_and_codes(kind: str, classes: list[Any], values: Any) -> None:
    schema = _target(kind, classes)
    codes = encode_target(pd.Series(values), schema)
    assert codes.dtype == np.int64
    labels = decode_target(codes, schema).tolist()
    assert all(type(label) is type(classes[0]) for label in labels)
    again = encode_target(pd.Series(labels), schema)
    np.testing.assert_array_equal(again, codes)
    assert decode_target(np.arange(len(classes)), schema).tolist() == classes


def test_numbers_as_targets() -> None:
    schema = _target("float", None, "-999")
    values = pd.Series(["1.5", "-999", "x", None, "inf"])
    assert has_target(values, schema).tolist() == [True, False, False, False, False]
    assert encode_target(values[:1], schema).tolist() == [1.5]
    assert decode_target(np.array([1.5]), schema).tolist() == [1.5]
    with pytest.raises(ValueError, match="got 4 rows without one"):
        encode_target(values, schema)


def test_rows_without_a_target_go_and_none_is_copied_if_all_have_one() -> None:
    schema = _target("string", ["a", "b", "c"])
    frame = pd.DataFrame({"y": ["a", "b", "c"], "x": 1})
    assert drop_unlabelled(frame, schema) is frame
    frame.loc[1, "y"] = "unknown"
    assert drop_unlabelled(frame, schema).index.tolist() == [0, 2]


@pytest.mark.parametrize("large", [10**17, 10**17 + 1])
def test_large_whole_numbers_are_the_same_category_in_few_rows(large: int) -> None:
    """Among floats, few rows become one array of floats, which has not all their digits."""
    column = Column("c0", "categorical", "int64", levels=("5", str(large)))
    schema = replace(
        _schema("categorical", "numeric"), columns=(column, Column("c1", "numeric", ""))
    )
    frame = pd.DataFrame({"c0": [5, large] * 50, "c1": np.linspace(0, 1, 100)})
    many = conform(frame, schema)
    assert many[:, 0].tolist() == [0, 1] * 50
    np.testing.assert_array_equal(conform(frame[:2], schema), many[:2])


@pytest.mark.parametrize("dtype", ["int64", "float64", "str"])
def test_large_whole_numbers_are_classes(dtype: str) -> None:
    y = pd.Series([0, 1, 10**17] * 20).astype(dtype)
    _, schema, _ = inferred(pd.DataFrame({"x": np.linspace(0, 1, 60), "y": y}), target="y")
    assert encode_target(y, schema).tolist() == [0, 1, 2] * 20
