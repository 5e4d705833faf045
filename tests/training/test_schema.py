"""The schema file: written, read, refused."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.schema import KINDS, PARTS, TARGET_KINDS, TASKS, Column, Schema, SchemaError, Target

_NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_LABELS: st.SearchStrategy[Any] = st.one_of(
    st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=2, unique=True),
    st.lists(st.integers(), min_size=2, unique=True),
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, unique=True),
    st.just([False, True]),
    st.none(),
)


@st.composite
def schemas(draw: st.DrawFn) -> Schema:
    columns = [
        Column(
            name,
            draw(st.sampled_from(KINDS)),
            draw(st.sampled_from(["int64", "string", "bool"])),
            why=draw(_NAMES),
            levels=tuple(draw(st.lists(_NAMES, max_size=3, unique=True))),
            parts=tuple(draw(st.lists(st.sampled_from(PARTS), max_size=3, unique=True))),
            format=draw(st.sampled_from(["", "%d/%m/%Y"])),
            missing=draw(st.integers(0, 10)),
        )
        for name in draw(st.lists(_NAMES, max_size=5, unique=True))
    ]
    target = Target(draw(_NAMES), draw(st.sampled_from(TARGET_KINDS)), draw(_LABELS))
    return Schema(
        draw(st.sampled_from(TASKS)), target, tuple(columns), rows=draw(st.integers(0, 10**9)),
        fingerprint=draw(st.text("0123456789abcdef", min_size=32, max_size=32)),
        na_values=draw(_NAMES), group=draw(st.none() | _NAMES), time=draw(st.none() | _NAMES),
    )  # fmt: skip


@settings(deadline=None)
@given(schemas())
def test_a_schema_survives_its_file(schema: Schema) -> None:
    again = Schema.from_json(schema.to_json())
    assert again == schema
    assert hash(again) == hash(schema)
    assert repr(again.target.classes) == repr(schema.target.classes)  # True is not 1


@settings(deadline=None)
@given(schemas())
def test_features_have_names_of_their_own(schema: Schema) -> None:
    names = [feature.name for feature in schema.features]
    assert len(set(names)) == len(names)
    used = {column.name for column in schema.columns if column.kind != "dropped"}
    assert {feature.column for feature in schema.features} <= used


def _schema(**more: Any) -> Schema:
    columns = (
        Column("when", "datetime", "string", parts=("year", "month")),
        Column("when.year", "numeric", "int64"),
        Column("id", "dropped", "int64", why="an id"),
        Column("size", "categorical", "string", levels=("m", "s")),
        Column("note", "text", "string"),
    )
    return Schema("regression", Target("y", "float"), columns, 10, "0" * 32, **more)


def test_a_part_of_a_date_makes_room_for_a_column_of_its_name() -> None:
    names = [feature.name for feature in _schema().features]
    assert names == ["when.year_2", "when.month", "when.year", "size", "note"]


def test_files(tmp_path: Path) -> None:
    _schema(group="größe").write(tmp_path / "schema.json")
    assert Schema.read(tmp_path / "schema.json") == _schema(group="größe")


def _with(path: list[str | int], value: Any) -> str:
    record = json.loads(_schema().to_json())
    inner = record
    for key in path[:-1]:
        inner = inner[key]
    if value is None:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return json.dumps(record)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "expected a schema as JSON"),
        ("[]", "as a JSON object, got list"),
        (_with(["taks"], "binary"), "task, got 'taks'"),
        (_with(["task"], "regresion"), "regression, got 'regresion'"),
        (_with(["task"], None), "expected 'task' in the schema"),
        (_with(["columns", 0, "knd"], "x"), "kind, got 'knd'"),
        (_with(["columns", 0, "kind"], "date"), "got 'date'"),
        (_with(["columns", 0, "parts"], ["yaer"]), "year, got 'yaer'"),
        (_with(["columns", 0, "name"], 3), "'name' of column 3 as str, got int"),
        (_with(["columns", 1, "name"], "when"), "'when' twice"),
        (_with(["columns"], {}), "'columns' of the schema as list, got dict"),
        (_with(["target", "kind"], "float64"), "float, got 'float64'"),
        (_with(["target", "classes"], "ab"), "'classes' of the target as list, got str"),
        (_with(["target", "name"], None), "expected 'name' in the target"),
        (_with(["rows"], "10"), "'rows' of the schema as int, got str"),
        (_with(["format"], 99), "format 1"),
    ],
)
def test_what_is_wrong_is_named(text: str, said: str) -> None:
    with pytest.raises(SchemaError) as error:
        Schema.from_json(text)
    assert said in str(error.value)


def test_the_reader_needs_nothing_but_the_standard_library() -> None:
    code = "import sys, training.schema; print(sorted({n.split('.')[0] for n in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"numpy", "pandas", "mlflow", "pyarrow", "sklearn"} & set(eval(done.stdout))
