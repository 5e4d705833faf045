"""Numbers as clients write them: which are one of training's values, and which are others."""

import json
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from serving.drift.compare import findings
from serving.drift.counts import NumberCounts, watched
from serving.drift.recordings import PREDICTION
from serving.drift.rounded import Rounded
from tests.registry.recorded_of import schema_of
from training.profile import Numbers, Profile, of_numbers, of_predictions

Sent = Callable[[np.ndarray], np.ndarray]

FEW = np.array([1 / 3, 2 / 3, 1 / 7, 5 / 7])
ID = float(2**60)


def single(numbers: np.ndarray) -> np.ndarray:
    return numbers.astype(np.float32).astype(np.float64)


def by_pandas(numbers: np.ndarray) -> np.ndarray:
    return np.array(json.loads(pd.Series(numbers).to_json(orient="values")), np.float64)


def digits(numbers: np.ndarray) -> np.ndarray:
    """FP32 as its shortest decimal, as an encoder of float32 writes it."""
    return np.array([float(str(number)) for number in numbers.astype(np.float32)])


def counted(trained: np.ndarray, sent: np.ndarray) -> list[int]:
    """The rows in each value's cell, and at the end those in no value's."""
    reference = of_numbers(trained)
    counts = NumberCounts(reference, rounded=True)
    counts.add(sent)
    return [*counts.cells[1::2].tolist(), int(counts.cells[::2].sum())]


@pytest.mark.parametrize("sent", [single, by_pandas, digits, lambda x: by_pandas(single(x))])
@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e6, 1e12, 1e25])
def test_values_that_were_rounded_on_their_way_are_the_same(sent: Sent, scale: float) -> None:
    values = np.sort(FEW * scale)
    assert counted(values, sent(values)) == [1, 1, 1, 1, 0]


def test_a_table_of_single_precision_is_asked_in_double() -> None:
    values = np.array([0.1, 0.7, 1 / 3, 12.3])
    assert counted(single(values), values) == [1, 1, 1, 1, 0]
    assert counted(single(values), single(values)) == [1, 1, 1, 1, 0]


def test_the_rows_of_training_are_stable_however_they_were_sent() -> None:
    column = np.resize(FEW, 400)
    schema = schema_of("regression")
    profile = Profile(
        400, {"age": of_numbers(column)}, of_predictions(column, schema), 400, "rmse", {}, 0, 1
    )
    for sent in (single, by_pandas, digits):
        items = [item for item in watched(schema, profile) if item.source != PREDICTION]
        for item in items:
            item.counts.add(sent(column))
        (found,) = findings(items)
        assert (found.verdict, found.psi) == ("stable", 0.0)


@pytest.mark.parametrize(
    ("trained", "sent"),
    [
        ([1e-9, 2e-9, 3e-9], [1.5e-9, 2.04e-9]),
        ([1e-9], [1.01e-9, 0.0]),
        ([0.0, 1.0], [1e-9, 1 - 1e-9]),
        ([1e9], [1e9 + 1, 1e9 + 0.25]),
        ([20_240_101.0, 20_240_103.0], [20_240_102.0, 20_240_104.0]),
        ([1.7e9 + 0.123, 1.7e9 + 60.123], [1.7e9 + 30, 1.7e9 + 1.123]),
        ([float(2**24), float(2**24 + 2)], [float(2**24 + 1)]),
        ([float(2**53 - 1)], [float(2**53 - 2), float(2**53)]),
        ([ID, ID + 512], [ID + 256, ID + 768, ID - 128]),
        ([ID + 256], [ID]),
        ([0.1, 0.2], [0.1001, 0.15, 0.100001]),
    ],
)
def test_other_numbers_are_others(trained: list[float], sent: list[float]) -> None:
    assert counted(np.array(trained), np.array(sent)) == [0] * len(trained) + [len(sent)]


@pytest.mark.parametrize(
    "values",
    [
        [1e-9, 1e-9 + 1e-17, 2e-9],
        [0.1, np.nextafter(0.1, 1), 0.1 + 1e-12],
        [ID, ID + 256, ID + 512],
        [0.0, 5e-324, 1e-300, 1.0, 2e38],
    ],
)
def test_a_value_of_training_is_itself_however_near_another_is(values: list[float]) -> None:
    assert counted(np.array(values), np.array(values)) == [1] * len(values) + [0]


def test_the_nearest_value_is_taken() -> None:
    values = np.array([0.1, 0.1 + 1e-11])
    assert counted(values, np.array([0.1 + 2e-12, 0.1 + 8e-12])) == [1, 1, 0]


def test_what_is_no_number_to_a_model_is_no_value_of_training() -> None:
    sent = np.array([np.inf, -np.inf, 1e300, np.nan])
    assert counted(FEW, sent) == [0, 0, 0, 0, 3]
    assert counted(np.array([np.nan]), sent) == [3]
    empty: Numbers = of_numbers(np.array([np.nan]))
    assert Rounded(empty.values).of(sent[:2]).tolist() == [np.inf, -np.inf]
