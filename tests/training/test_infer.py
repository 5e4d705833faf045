"""A whole table's schema."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.training.tables import CELLS, inferred, mixed_frame
from training.errors import UserError
from training.features import conform, decode_target, drop_unlabelled, encode_target
from training.infer import GROUPS, ORDERS, infer_schema
from training.kinds import ROW_ID
from training.schema import Schema
from training.table import read_table, table_from

_UGLY_NAMES = [
    "1",
    "größe",
    "a b",
    'a"b',
    "a'b",
    "a[0]",
    "a<b",
    "a:b",
    "a,b",
    "a{b}",
    "日本",
    "\t",
    "a.b",
]


def test_every_kind() -> None:
    table, schema, notes = inferred(mixed_frame())
    kinds = {column.name: column.kind for column in schema.columns}
    assert kinds == {
        "id": "dropped",
        "size [cm]": "numeric",
        "count": "numeric",
        "colour": "categorical",
        "smoker": "boolean",
        "joined": "datetime",
        "born": "datetime",
        "note": "text",
        "constant": "dropped",
    }
    assert schema.task == "binary"
    assert schema.target.classes == ["no", "yes"]
    assert schema.rows == 300
    assert schema.fingerprint == table.fingerprint
    assert schema.column("born").format == "%d.%m.%Y"
    assert schema.column("colour").missing == table.frame["colour"].isna().sum()
    assert "dropped 'id': a number of the row, different in every row" in notes
    assert "kept 'born': texts read as dates (%d.%m.%Y)" in notes
    assert Schema.from_json(schema.to_json()) == schema


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_any_table_with_a_target_is_understood_or_refused_in_one_line(data: st.DataObject) -> None:
    width = data.draw(st.integers(1, 4))
    cells = data.draw(st.lists(st.tuples(*[CELLS] * width), min_size=12, max_size=20))
    frame = pd.DataFrame({f"c{i}": [row[i] for row in cells] for i in range(width)}, dtype=object)
    frame["y"] = [["u", "v"][i % 2] for i in range(len(frame))]
    try:
        table, schema, _ = inferred(frame.infer_objects())
    except UserError as error:
        refused = str(error)
    else:
        refused = ""
    assert "\n" not in refused
    if refused:
        return
    assert conform(table.frame, schema).shape == (len(frame), len(schema.features))
    assert Schema.from_json(schema.to_json()) == schema


def test_rows_without_a_target_do_not_count() -> None:
    frame = mixed_frame().drop(columns="note")
    frame.loc[:49, "y"] = None
    frame.loc[:49, "colour"] = "violet"
    frame["id"] = range(300)
    table, schema, notes = inferred(frame)
    assert schema.rows == 250
    assert "50 rows without a target dropped" in notes
    assert "violet" not in schema.column("colour").levels
    assert schema.column("id").why == ROW_ID  # though it now begins at 50
    labelled = drop_unlabelled(table.frame, schema)
    assert len(labelled) == 250
    codes = encode_target(labelled["y"], schema)
    assert decode_target(codes, schema).tolist() == labelled["y"].tolist()


def test_twins_are_dropped_and_near_twins_stay() -> None:
    frame = mixed_frame()
    frame["colour again"] = frame["colour"]
    frame["size again"] = frame["size [cm]"]
    frame["nearly"] = frame["count"].where(frame.index != 257, -1)
    _, schema, notes = inferred(frame)
    assert schema.column("colour again").why == "the same values as 'colour'"
    assert schema.column("size again").kind == "dropped"
    assert schema.column("nearly").kind == "numeric"
    assert "dropped 'colour again': the same values as 'colour'" in notes


def test_of_twins_the_one_with_a_role_stays() -> None:
    frame = mixed_frame().assign(again=lambda frame: frame["born"])
    _, schema, _ = inferred(frame, time="again")
    assert schema.column("born").why == "the same values as 'again'"
    assert (schema.column("again").kind, schema.column("again").format) == ("datetime", "%d.%m.%Y")


def test_names_of_any_kind() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({name: rng.normal(size=50) for name in _UGLY_NAMES})
    frame["<target> [1], ü"] = ["<a>", "[b]"] * 25
    _, schema, _ = inferred(frame, "<target> [1], ü")
    assert [feature.name for feature in schema.features] == _UGLY_NAMES
    assert conform(frame, schema).shape == (50, len(_UGLY_NAMES))


def test_twenty_rows() -> None:
    _, schema, _ = inferred(mixed_frame(20))
    assert schema.rows == 20
    assert schema.features


def test_a_group_is_no_feature_unless_the_user_says_so() -> None:
    _, schema, _ = inferred(mixed_frame(), group="colour")
    assert (schema.group, schema.column("colour").kind, schema.column("colour").why) == (
        "colour",
        "dropped",
        GROUPS,
    )
    said = {"columns": {"colour": {"kind": "categorical"}}}
    assert inferred(mixed_frame(), group="colour", override=said)[1].column("colour").levels


def test_of_the_time_only_what_comes_again_is_a_feature() -> None:
    _, schema, _ = inferred(mixed_frame(), time="joined")
    assert set(schema.column("joined").parts) == {"month", "day", "weekday", "hour"}
    _, schema, _ = inferred(mixed_frame(), time="born")
    assert "year" not in schema.column("born").parts
    for name in ("count", "id"):
        _, schema, _ = inferred(mixed_frame(), time=name)
        assert schema.column(name).why == ORDERS


def test_the_schema_file_wins() -> None:
    said = {
        "task": "multiclass",
        "target": "colour",
        "columns": {
            "count": {"kind": "categorical"},
            "note": {"kind": "dropped"},
            "id": {"kind": "numeric"},
        },
    }
    _, schema, _ = inferred(mixed_frame(), target=None, override=said)
    assert (schema.task, schema.target.name) == ("multiclass", "colour")
    assert schema.column("count").kind == "categorical"
    assert schema.column("id").kind == "numeric"
    assert inferred(mixed_frame(), target="y", override=said | {"task": None})[1].target.name == "y"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"target": "Y"}, "did you mean 'y'?"),
        ({"target": "colr"}, "did you mean 'colour'?"),
        ({"target": None}, "expected the name of the target column, got none"),
        ({"group": "clour"}, "as group, got 'clour'; did you mean 'colour'"),
        ({"time": "joind"}, "as time, got 'joind'; did you mean 'joined'?"),
        ({"group": "colour", "time": "joined"}, "got both (group=colour, time=joined)"),
        ({"group": "y"}, "another column than the target as group"),
        ({"time": "colour"}, "expected dates or numbers to order the rows in time, got 'colour'"),
        ({"time": "smoker"}, "got 'smoker'"),
        ({"task": "regression"}, "expected a numeric target for task=regression"),
        (
            {"override": {"columns": {"x": {"kind": "text"}}}},
            "a column of the schema file, got 'x'",
        ),
    ],
)
def test_one_line_says_what_is_wrong(more: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError) as error:
        inferred(mixed_frame(), **more)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_table_of_one_column() -> None:
    with pytest.raises(UserError, match="got the one column 'y'; check the file and its separator"):
        inferred(pd.DataFrame({"y": [1, 0] * 10}))


def test_a_table_with_nothing_to_learn_from() -> None:
    with pytest.raises(UserError, match=r"column to learn from .*\('x': the same value"):
        inferred(pd.DataFrame({"x": 1, "y": [1, 0] * 10}))


@pytest.mark.parametrize(
    ("name", "task", "features"),
    [
        ("breast_cancer", "binary", 30),
        ("iris", "multiclass", 4),
        ("wine", "multiclass", 13),
        ("digits", "multiclass", 61),
        ("diabetes", "regression", 10),
        ("linnerud", "regression", 3),
    ],
)
def test_bundled_sets(name: str, task: str, features: int) -> None:
    table = read_table(f"sklearn:{name}")
    schema, _ = infer_schema(table, None)
    assert (schema.task, len(schema.features)) == (task, features)
    assert schema.rows == len(table.frame)


def test_a_marker_is_missing_in_the_schema_too() -> None:
    frame = pd.DataFrame(
        {"x": [-999, 1, 2, 3] * 10, "c": ["?", "a", "b", "a"] * 10, "y": ["u", "v"] * 20}
    )
    from training.missing import parse_missing

    table = table_from(frame, missing=parse_missing("?,-999"))
    schema, _ = infer_schema(table, "y", na_values="?,-999")
    assert schema.column("x").missing == schema.column("c").missing == 10
    assert schema.column("c").levels == ("a", "b")
    np.testing.assert_array_equal(conform(frame, schema), conform(table.frame, schema))
