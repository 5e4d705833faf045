"""A cell is the text, the number or the truth that it is at training."""

import math
from typing import Any

import numpy as np
from hypothesis import given, settings

from serving.server.values import label, number, truth
from tests.serving.server.strategies import CELLS
from training import values


def as_array(value: Any) -> np.ndarray:
    cells = np.empty(1, object)
    cells[0] = value
    return cells


@settings(max_examples=400, deadline=None)
@given(CELLS)
def test_as_in_training(value: Any) -> None:
    assert label(value) == values.label(value)
    np.testing.assert_equal(number(value), values.to_numbers(as_array(value))[0])
    np.testing.assert_equal(truth(value), values.to_booleans(as_array(value))[0])


def test_a_number_too_large_for_trees_is_missing() -> None:
    assert number(3e38) == 3e38
    assert math.isnan(number(3.1e38))
    assert math.isnan(number("-1e39"))
