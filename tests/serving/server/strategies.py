"""Schemas and cells to try: whatever a schema may say and JSON may hold."""

from typing import Any

from hypothesis import strategies as st

from training.dates import _LAYOUTS
from training.schema import PARTS, Column, Schema, Target

TEXTS = st.one_of(
    st.text(max_size=5),
    st.sampled_from(
        [
            *("1", "0.5", " 2 ", "true", "No", " YES", "2020-01-02", "red", "NA", "-999", "1_0"),
            *("inf", "1e400", "$12.50", "1,234", "45%", "-0", "３", "None", "?", "01", "1.0"),
            *("2020-01-02 03:04:05.678", "2020-01-02T03:04Z", "20200102", "1e3", "3e38"),
            *("3.1e38", "03.02.2021"),
        ]
    ),
)

#: Anything that a field of JSON may hold, and what MLflow's clients write beyond JSON.
CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-1000, 1000),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.floats(-10, 10).map(lambda number: round(number, 1)),
    TEXTS,
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=1), st.none(), max_size=1),
    st.sampled_from([10**400, -(10**309), 9007199254740993]),
)


def columns(kinds: tuple[str, ...] = ("numeric", "categorical", "boolean", "datetime")) -> Any:
    """Columns of these kinds, without names."""

    def of_kind(kind: str) -> Any:
        fields: dict[str, Any] = {
            "kind": st.just(kind),
            "dtype": st.sampled_from(["float64", "int64", "string", "object", "bool"]),
        }
        if kind == "categorical":
            fields["levels"] = st.lists(TEXTS, max_size=6, unique=True).map(tuple)
        if kind == "datetime":
            fields["parts"] = st.lists(st.sampled_from(PARTS), min_size=1, unique=True).map(tuple)
            fields["format"] = st.sampled_from(("", *_LAYOUTS))
        return st.fixed_dictionaries(fields)

    return st.sampled_from(kinds).flatmap(of_kind)


def schemas(**more: Any) -> Any:
    """Schemas of one to six columns."""

    def build(found: list[dict[str, Any]], na_values: str) -> Schema:
        named = tuple(Column(name=f"c{at}", **fields) for at, fields in enumerate(found))
        target = Target("y", "float")
        return Schema("regression", target, named, 10, "0" * 32, na_values=na_values)

    missing = st.sampled_from(["", "?", "?,-999", "-999,1,keep:NA", "red", "0.5"])
    return st.builds(build, st.lists(columns(**more), min_size=1, max_size=6), missing)


@st.composite
def tables(draw: Any, max_rows: int = 5, **more: Any) -> tuple[Schema, list[list[Any]]]:
    """A schema and rows for it."""
    schema = draw(schemas(**more))
    row = st.lists(CELLS, min_size=len(schema.columns), max_size=len(schema.columns))
    return schema, draw(st.lists(row, min_size=1, max_size=max_rows))
