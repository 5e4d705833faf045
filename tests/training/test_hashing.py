"""Hashes of a table's content."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.hashing import column_hashes, fingerprint, row_hashes

_ANY = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=3),
    st.binary(max_size=2),
    st.lists(st.integers(), max_size=2),
    st.dates(),
    st.timedeltas(),
)


@settings(deadline=None)
@given(st.lists(_ANY, min_size=1, max_size=20))
def test_any_column_has_hashes_that_do_not_depend_on_the_index(cells: list[object]) -> None:
    values = pd.Series(cells, dtype=object)
    moved = values.set_axis(range(100, 100 + len(values)))
    hashes = column_hashes(values)
    assert hashes.dtype == np.uint64
    assert len(hashes) == len(cells)
    assert (column_hashes(moved) == hashes).all()
    assert fingerprint(values.to_frame("a")) == fingerprint(moved.to_frame("a"))


def _frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "i": [1, 2, 3],
            "f": [0.5, np.nan, -0.0],
            "t": ["x", None, "z"],
            "b": [True, False, True],
            "d": pd.to_datetime(["2020-01-01", None, "2020-01-03"]),
            "c": pd.Categorical(["u", "v", None]),
        }
    )


def test_the_fingerprint_is_the_same_on_every_machine() -> None:
    assert fingerprint(_frame()) == "1d9f3fbd1f4c7bdd0147c8484ab08178"


@pytest.mark.parametrize(
    ("name", "value"), [("i", 4), ("f", 0.25), ("t", "X"), ("b", False), ("c", "v")]
)
def test_one_changed_cell_changes_the_fingerprint_and_its_row_only(
    name: str, value: object
) -> None:
    frame = _frame()
    frame.loc[0, name] = value
    assert fingerprint(frame) != fingerprint(_frame())
    assert (row_hashes(frame) == row_hashes(_frame())).tolist() == [False, True, True]


def test_names_types_and_orders_change_the_fingerprint() -> None:
    frame = _frame()
    changed = [
        frame.rename(columns={"i": "j"}),
        frame[["f", "i", "t", "b", "d", "c"]],
        frame.iloc[::-1],
        frame.astype({"i": "float64"}),
        frame.iloc[:2],
        frame.drop(columns="c"),
    ]
    assert len({fingerprint(other) for other in [frame, *changed]}) == len(changed) + 1


def test_equal_content_has_an_equal_fingerprint() -> None:
    frame = _frame()
    other = frame.assign(f=[0.5, -np.float64("nan"), 0.0], t=frame["t"].astype(object))
    assert fingerprint(other) == fingerprint(frame)
    plain = frame.assign(c=frame["c"].astype(object))
    assert fingerprint(plain) == fingerprint(frame)
    zoned = frame.assign(d=frame["d"].dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo"))
    assert fingerprint(zoned) == fingerprint(frame)


def test_rows_are_equal_however_their_numbers_are_stored() -> None:
    whole = pd.DataFrame({"a": [1, 2, 1], "b": [1, 0, 1]})
    other = pd.DataFrame({"a": [1.0, 2.0, 1.0], "b": [True, False, True]})
    assert (row_hashes(whole) == row_hashes(other)).all()
    assert (row_hashes(whole) == row_hashes(whole.to_numpy(float))).all()
    hashes = row_hashes(whole)
    assert hashes[0] == hashes[2] != hashes[1]


def test_cells_that_change_places_change_the_row() -> None:
    assert row_hashes(pd.DataFrame({"a": [1], "b": [2]})) != row_hashes(
        pd.DataFrame({"a": [2], "b": [1]})
    )


def test_large_whole_numbers_are_told_apart() -> None:
    values = pd.Series([2**60, 2**60 + 1, 2**63 - 1])
    assert len(set(column_hashes(values))) == 3
