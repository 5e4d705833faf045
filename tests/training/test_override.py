"""The user's schema file."""

from typing import Any

import pytest

from tests.training.tables import inferred, mixed_frame
from training.errors import UserError
from training.override import Override, parse_override

_NAMES = ["age", "sex", "y"]


def test_what_is_said() -> None:
    said = {
        "task": "binary",
        "target": "y",
        "group": "sex",
        "columns": {"age": {"kind": "categorical"}},
    }
    assert parse_override(said, _NAMES) == Override(
        "binary", "y", "sex", None, {"age": "categorical"}
    )
    assert parse_override(None, _NAMES) == parse_override({}, _NAMES) == Override()


def test_a_whole_schema_file_is_an_override() -> None:
    import json

    frame = mixed_frame()
    _, schema, _ = inferred(frame, group="colour")
    record = json.loads(schema.to_json())
    _, again, _ = inferred(frame, target=None, override=record)
    assert (again.task, again.target, again.group) == (schema.task, schema.target, "colour")
    assert [column.kind for column in again.columns] == [column.kind for column in schema.columns]


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"colums": {}}, "did you mean 'columns'?"),
        ({"target": "Y"}, "did you mean 'y'?"),
        ({"target": 3}, "the target of the schema file, got 3"),
        ({"group": "sax"}, "did you mean 'sex'?"),
        ({"task": "binery"}, "did you mean 'binary'?"),
        ({"columns": {"agee": {"kind": "numeric"}}}, "did you mean 'age'?"),
        (
            {"columns": {"age": {"kind": "number"}}},
            "the kind of 'age' in the schema file, got 'number'",
        ),
        ({"columns": {"age": {"knd": "numeric"}}}, "did you mean 'kind'?"),
        ({"columns": {"age": "numeric"}}, 'as {NAME: {"kind": KIND}}'),
        ({"columns": "age"}, 'as {NAME: {"kind": KIND}}'),
        ({"columns": ["age"]}, 'as {NAME: {"kind": KIND}}'),
    ],
)
def test_what_is_wrong_is_named(record: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError) as error:
        parse_override(record, _NAMES)
    assert said in str(error.value)
