"""What is in a request by name becomes rows in order, or a refusal that names what is missing."""

from typing import Any

import pytest

from serving.server.errors import Refused
from serving.server.tables import Tables

TABLES = Tables(["a", "b"], max_rows=3)
SECRET = "s3cret"


def rows(cells: Any) -> list[list[Any]]:
    return [list(row) for row in cells.rows()]


def test_the_same_rows_in_every_form() -> None:
    expected = [[1, "x"], [None, "y"]]
    assert (
        rows(TABLES.from_records([{"b": "x", "a": 1}, {"a": None, "b": "y", "c": 0}])) == expected
    )
    assert rows(TABLES.from_rows(["a", "b"], [[1, "x"], [None, "y"]])) == expected
    assert rows(TABLES.from_rows(["c", "b", "a"], [[0, "x", 1], [0, "y", None]])) == expected
    assert rows(TABLES.from_columns({"b": ["x", "y"], "c": [], "a": [1, None]})) == expected
    assert rows(TABLES.from_flat([1, "x", None, "y"], 2)) == expected


def test_a_value_in_some_rows_is_missing_in_the_others() -> None:
    assert rows(TABLES.from_records([{"a": 1}, {"b": 2}])) == [[1, None], [None, 2]]


def test_a_single_value_is_that_of_every_row() -> None:
    assert rows(TABLES.from_columns({"a": 1, "b": [2, 3]})) == [[1, 2], [1, 3]]
    assert rows(TABLES.from_columns({"a": 1, "b": 2})) == [[1, 2]]


def test_one_column() -> None:
    one = Tables(["a"], max_rows=3)
    assert rows(one.from_records([{"a": 1}, {"a": [2]}])) == [[1], [[2]]]


@pytest.mark.parametrize(
    ("form", "given", "kind"),
    [
        ("from_records", [], "rows"),
        ("from_records", {}, "format"),
        ("from_records", [{"a": 1, "b": 2}, [1, 2]], "format"),
        ("from_records", [None], "format"),
        ("from_records", [{SECRET: 1, "a": 1}], "columns"),
        ("from_rows", (["a", "b"], []), "rows"),
        ("from_rows", (["a", "b"], [[1]]), "rows"),
        ("from_rows", (["a", "b"], [[1, 2], [1, 2, 3]]), "rows"),
        ("from_rows", (["a", "b"], [{"a": 1}]), "format"),
        ("from_rows", (["a", "b"], SECRET), "format"),
        ("from_rows", (None, [[1]]), "format"),
        ("from_rows", (["a", "b", "a"], [[1, 2, 3]]), "columns"),
        ("from_rows", (["a", SECRET], [[1, 2]]), "columns"),
        ("from_rows", ([["a"], "b"], [[1, 2]]), "columns"),
        ("from_columns", {"a": [1], "b": [1, 2]}, "rows"),
        ("from_columns", {"a": [], "b": []}, "rows"),
        ("from_columns", {"a": [1], SECRET: [1]}, "columns"),
    ],
)
def test_refused(form: str, given: Any, kind: str) -> None:
    arguments = given if isinstance(given, tuple) else (given,)
    with pytest.raises(Refused) as refused:
        getattr(TABLES, form)(*arguments)
    assert (refused.value.status, refused.value.kind) == (400, kind)
    assert SECRET not in refused.value.message


def test_unknown_columns_may_be_there_twice() -> None:
    assert rows(TABLES.from_rows(["c", "a", "c", "b"], [[0, 1, 0, 2]])) == [[1, 2]]


def test_a_missing_column_is_named() -> None:
    with pytest.raises(Refused, match="expected 2 columns, got rows without 'b'"):
        TABLES.from_records([{"a": 1}])


def test_too_many_rows() -> None:
    with pytest.raises(Refused, match="at most 3 rows, got 4") as refused:
        TABLES.from_records([{"a": 1, "b": 2}] * 4)
    assert refused.value.status == 413
