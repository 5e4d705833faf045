"""A column becomes groups."""

import numpy as np
import pandas as pd

from registry.groups import Groups, groups_of
from tests.registry.evidence_of import schema_of


def groups(values: object) -> Groups:
    frame = pd.DataFrame({"x": values})
    frame["z"] = np.random.default_rng(1).normal(size=len(frame))
    frame["y"] = np.arange(len(frame)) % 2
    return groups_of(frame, "x", schema_of(frame))


def test_numbers_become_quarters_and_missing() -> None:
    numbers = np.arange(100.0)
    numbers[:4] = np.nan
    found = groups(np.random.default_rng(0).permutation(numbers))
    assert found.names == ("4 to 27", "28 to 51", "52 to 75", "76 to 99", "missing")
    assert found.counts().tolist() == [24, 24, 24, 24, 4]


def test_few_numbers_are_groups_of_their_own() -> None:
    found = groups([0.5, 2.0] * 50)
    assert found.names == ("0.5", "2")
    assert found.counts().tolist() == [50, 50]


def test_a_value_that_most_rows_have_is_in_one_group() -> None:
    found = groups([0.0] * 60 + [1.0, 2.0, 3.0, 4.0, 5.0] * 8)
    assert found.counts().sum() == 100
    assert found.names[0] == "0"
    assert found.counts()[0] == 60


def test_categories_most_frequent_first_and_missing() -> None:
    found = groups(["b"] * 50 + ["a"] * 30 + [None] * 20)
    assert found.names == ("b", "a", "missing")
    assert found.counts().tolist() == [50, 30, 20]


def test_dates_become_quarters_named_by_days() -> None:
    found = groups(pd.date_range("2020-01-01", periods=100))
    assert found.names[0] == "2020-01-01 to 2020-01-25"
    assert found.counts().tolist() == [25, 25, 25, 25]


def test_a_column_that_the_model_does_not_use_is_told_by_its_type() -> None:
    found = groups(["same"] * 100)
    assert (found.names, found.counts().tolist()) == (("same",), [100])
    assert len(groups(np.arange(100)).names) == 4
