"""JSON Lines files, of one type a column and of many."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.errors import UserError
from training.formats import read_file
from training.hashing import fingerprint
from training.missing import parse_missing

_CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
    st.lists(st.integers(0, 3), max_size=2),
    st.dictionaries(st.sampled_from("xy"), st.integers(0, 3), max_size=2),
)


def _read(folder: Path, text: str) -> pd.DataFrame:
    path = folder / "t.jsonl"
    path.write_text(text)
    return read_file(path, parse_missing(""), "t.jsonl")[0]


@settings(max_examples=150, deadline=None)
@given(rows=st.lists(st.dictionaries(st.sampled_from("abc"), _CELLS), min_size=1, max_size=8))
def test_any_objects_become_a_table(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]
) -> None:
    folder = tmp_path_factory.mktemp("jsonl")
    frame = _read(folder, "\n".join(map(json.dumps, rows)))
    assert set(frame.columns) == {name for row in rows for name in row}
    assert len(frame) == len(rows) or not len(frame.columns)
    assert len(fingerprint(frame)) == 32


def test_types(tmp_path: Path) -> None:
    rows = [
        {"i": 1, "f": 0.5, "t": "x\ny", "b": True, "d": "2020-01-02", "n": None, "é": 1},
        {"i": 2, "f": 1, "t": None, "b": False, "d": "2021-01-02", "n": None, "é": None},
    ]
    frame = _read(tmp_path, "\n".join(map(json.dumps, rows)) + "\n\n")
    assert frame["i"].tolist() == [1, 2]
    assert frame["f"].tolist() == [0.5, 1.0]
    assert frame["t"][0] == "x\ny"
    assert frame["b"].dtype == bool
    assert frame["n"].isna().all()
    assert frame["é"].isna().tolist() == [False, True]


def test_keys_that_come_late_or_go_early(tmp_path: Path) -> None:
    frame = _read(tmp_path, '{"a": 1}\n{"a": "x", "b": 2}\n{"c": NaN}\n')
    assert frame["a"].tolist()[:2] == [1, "x"]
    assert frame["b"].isna().tolist() == [True, False, True]
    assert frame["c"].isna().all()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1}\n{"a": \n', "line 2"),
        ('[{"a": 1}]', "got a list in line 1"),
        ('{"a": 1}\n3\n', "got a int in line 2"),
    ],
)
def test_what_is_no_object_a_line_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UserError, match=said) as error:
        _read(tmp_path, text)
    assert "\n" not in str(error.value)
