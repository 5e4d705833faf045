"""A body that begins as one before is read as if it were the first."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.server.beginnings import Beginnings
from serving.server.errors import Refused
from serving.server.scoring_protocol import ScoringProtocol
from serving.server.tables import Tables
from tests.serving.server.strategies import CELLS
from training.schema import Column, Schema, Target

#: Of which some look like what a body is made of.
NAMES = ["x", '"data"', '"data": [[', "}}", "ü [cm]", "]", "\\"]
TABLES = Tables(NAMES, max_rows=5)
SCHEMA = Schema(
    "regression",
    Target("y", "float"),
    tuple(Column(name, "numeric", "float64") for name in NAMES),
    100,
    "f" * 32,
)


def body_of(data: Any, separators: tuple[str, str] = (", ", ": "), **more: Any) -> bytes:
    table = {"columns": NAMES, "data": data, **more}
    return json.dumps({"dataframe_split": table}, separators=separators).encode()


def outcome(protocol: ScoringProtocol, body: bytes) -> Any:
    try:
        cells, _ = protocol.parse(body, {})
    except Refused as refused:
        return refused.status, refused.kind, refused.message
    return repr([list(row) for row in cells.rows()])  # where NaN is NaN


ROWS = st.lists(st.lists(CELLS, min_size=len(NAMES), max_size=len(NAMES)), min_size=1, max_size=6)
#: Whatever may stand where rows do, and what may come after.
DATA = st.one_of(ROWS, ROWS, st.lists(CELLS, max_size=2), CELLS)
ENDS = st.sampled_from(
    ["}}", "}}", "}}", "} }", "}}\n", '}, "a": 1}', ', "index": [0]}}', ', "data": 1}}', "}", "}}}"]
)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(DATA, ENDS, st.sampled_from([", :", ",:"])), min_size=2, max_size=6))
def test_bodies_one_after_the_other(parts: list[tuple[Any, str, str]]) -> None:
    seen = ScoringProtocol(SCHEMA, TABLES)
    for data, end, separators in parts:
        whole = body_of(data, (separators[:-1], separators[-1:]))
        body = whole[: -len(b"}}")] + end.encode()
        first = ScoringProtocol(SCHEMA, TABLES)
        assert outcome(seen, body) == outcome(first, body)


@pytest.mark.parametrize("separators", [(", ", ": "), (",", ":")])
def test_rows_alone_are_read_of_the_second(separators: tuple[str, str]) -> None:
    known = Beginnings(NAMES)
    first, second = ([[float(at)] * len(NAMES)] * at for at in (1, 2))
    assert known.rows(body_of(second, separators)) is None
    known.learn(body_of(first, separators))
    assert known.rows(body_of(second, separators)) == second
    assert known.rows(body_of(second, (" ,", " :"))) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[1]",
        b'{"dataframe_split": {"data": [[1]], "columns": ["x"]}}',
        json.dumps({"dataframe_split": {"columns": NAMES[1:], "data": [[1]]}}).encode(),
        json.dumps({"inputs": {"columns": NAMES, "data": [[1]]}}).encode(),
        body_of([["data"]], index=[0]),
        b'{"params": {}, ' + body_of([[1]])[1:],
        body_of("[[1]]"),
        body_of([["data"]]),  # which is looked for from the end
    ],
)
def test_what_is_not_known_afterwards(body: bytes) -> None:
    known = Beginnings(NAMES)
    known.learn(body)
    assert known._known == []


def test_what_is_kept_is_little_and_so_is_what_is_tried() -> None:
    known = Beginnings(NAMES)
    for spaces in range(10):
        known.learn(b" " * spaces + body_of([[1]]))
    assert len(known._known) == 4
    known = Beginnings(NAMES)
    for _ in range(10):
        known.learn(body_of([[float("nan")]]))  # which it is not read for
    known.learn(body_of([[1]], (",", ":")))
    assert len(known._known) == 2
    known = Beginnings(NAMES)
    known.learn(body_of([[1]]).replace(b"[[1]]", b" " * (16 << 10) + b"[[1]]"))
    for _ in range(100):
        known.learn(b"{}}")
    known.learn(body_of([[1]]))
    assert known._known == []
