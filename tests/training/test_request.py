"""What is refused before anything is read."""

from dataclasses import replace

import pytest

from training.algorithms import TABLE
from training.errors import UserError
from training.request import Request, check, parse_memory


def test_the_defaults_are_fine() -> None:
    check(Request())
    assert Request().candidates() == list(TABLE)
    assert Request().memory() is None


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("2g", 2**31),
        ("512M", 2**29),
        ("1.5GiB", 3 * 2**29),
        ("300000000", 300_000_000),
        (" 1 t ", 2**40),
    ],
)
def test_memory_is_read(text: str, size: int) -> None:
    assert parse_memory(text) == size
    assert Request(max_memory=text).memory() == size


@pytest.mark.parametrize("text", ["", "g", "2x", "-1g", "1e9", "2 gigabytes", "255m", "0"])
def test_what_is_no_memory_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="expected max_memory"):
        parse_memory(text)


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
