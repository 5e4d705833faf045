"""What is refused before anything is read."""

from dataclasses import replace

import pytest

from training.algorithms import TABLE
from training.errors import UserError
from training.request import Request, check


def test_the_defaults_are_fine() -> None:
    check(Request())
    assert Request().candidates() == list(TABLE)
    assert Request().memory() is None


def test_the_memory_of_a_candidate_has_a_least_amount() -> None:
    assert Request(max_memory="256m").memory() == 2**28
    with pytest.raises(UserError, match="expected max_memory from 256m to 1024t, got '255m'"):
        Request(max_memory="255m").memory()


@pytest.mark.parametrize(
    "wrong",
    [
        {"budget": 0.0}, {"budget": -1.0}, {"budget": float("nan")}, {"folds": 1}, {"folds": 0},
        {"test_size": 0.0}, {"test_size": 1.0}, {"test_size": float("nan")}, {"seed": -1},
        {"seed": 2**31}, {"group": "a", "time": "b"}, {"search": "TPE"}, {"algorithms": "x"},
        {"max_memory": "x"}, {"register": "a:b"}, {"register": "a/b"},
    ],
)  # fmt: skip
def test_each_wrong_value_is_one_line(wrong: dict[str, object]) -> None:
    with pytest.raises(UserError) as caught:
        check(replace(Request(), **wrong))  # type: ignore[arg-type]
    message = str(caught.value)
    assert message.startswith("expected ")
    assert ", got " in message
    assert "\n" not in message
