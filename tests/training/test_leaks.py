"""Signs that scores will be too good."""

import numpy as np
import pandas as pd
import pytest

from tests.training.tables import inferred, mixed_frame
from training.features import conform, encode_target
from training.leaks import find_leaks
from training.split import make_split
from training.table import read_table


def _leaks(frame: pd.DataFrame, target: str = "y") -> list[str]:
    table, schema, _ = inferred(frame, target)
    y = encode_target(table.frame[target], schema)
    return find_leaks(conform(frame, schema), y, schema, make_split(y, schema, frame))


def test_a_table_without_leaks() -> None:
    assert _leaks(mixed_frame(1000)) == []


@pytest.mark.parametrize("name", ["breast_cancer", "iris", "wine", "digits", "diabetes"])
def test_real_tables_are_not_suspected(name: str) -> None:
    table = read_table(f"sklearn:{name}")
    assert table.target
    found = _leaks(table.frame, table.target)
    assert not [warning for warning in found if "almost perfectly" in warning]


def test_a_feature_that_is_the_target_in_disguise() -> None:
    rng = np.random.default_rng(0)
    frame = mixed_frame(1000)
    frame["churn code"] = (frame["y"] == "yes") * 3.0 + rng.normal(0, 0.1, 1000)
    frame["reason"] = frame["y"].map({"yes": "price", "no": None})
    found = _leaks(frame)
    assert ["'churn code' alone predicts 'y'" in found[0], "'reason' alone" in found[1]] == [
        True
    ] * 2


def test_a_number_that_is_the_target_in_disguise() -> None:
    frame = mixed_frame(1000).drop(columns="note").rename(columns={"y": "z"})
    frame["y"] = np.random.default_rng(0).lognormal(size=1000)
    frame["log"] = np.log(frame["y"])
    assert [warning.split()[0] for warning in _leaks(frame)] == ["'log'"]


def test_rows_on_both_sides_are_counted() -> None:
    frame = mixed_frame(400).drop(columns=["id"])
    assert _leaks(frame) == []
    twice = pd.concat([frame, frame], ignore_index=True)
    table, schema, _ = inferred(twice)
    y = encode_target(table.frame["y"], schema)
    split = make_split(y, schema, twice)
    found = find_leaks(conform(twice, schema), y, schema, split)
    expected = sum(bool(((row + 400) % 800) in set(split.train)) for row in split.test)
    assert found[0].startswith(f"{expected} of 160 test rows")
