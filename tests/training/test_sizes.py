"""Amounts as people write them, whatever they write."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from training.errors import UserError
from training.sizes import parse_size

UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
LEAST, MOST = 2**20, 2**50


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("2g", 2**31), ("512M", 2**29), ("1.5GiB", 3 * 2**29), ("300000000", 300_000_000),
        (" 1 t ", 2**40), ("10Gi", 10 * 2**30), ("1tb", 2**40), ("2048kB", 2**21), ("1024t", 2**50),
    ],
)  # fmt: skip
def test_a_size_is_read(text: str, size: int) -> None:
    assert parse_size(text, "--memory", LEAST) == size


@given(
    count=st.integers(0, 10**15 - 1),
    unit=st.sampled_from(sorted(UNITS)),
    tail=st.sampled_from(["", "b", "i", "ib"]),
    upper=st.booleans(),
    blanks=st.tuples(*[st.sampled_from(["", " ", "\t"])] * 3),
)
def test_whole_numbers_are_exact(
    count: int, unit: str, tail: str, upper: bool, blanks: tuple[str, str, str]
) -> None:
    before, between, after = blanks
    tail = tail if unit else tail.replace("i", "")
    named = (unit + tail).upper() if upper else unit + tail
    text = f"{before}{count}{between}{named}{after}"
    size = count * UNITS[unit]
    if LEAST <= size <= MOST:
        assert parse_size(text, "--memory", LEAST) == size
    else:
        with pytest.raises(UserError, match="expected --memory from 1m to 1024t, got "):
            parse_size(text, "--memory", LEAST)


@given(st.text() | st.from_regex(r"[\d.]{0,8} ?[kmgt]?i?b?", fullmatch=True))
@example("9" * 400 + "t")
@example("1" * 15 + "t")
@example("٣g")
@example("5i")
@example("1e9")
@example("-1g")
@example("2 gigabytes")
@example("1 gm")
@example("nan")
def test_any_text_is_a_size_within_the_limits_or_one_error(text: str) -> None:
    said = f"expected --memory from 1m to 1024t, got {text!r}; write e.g. 512m or 2g"
    try:
        size = parse_size(text, "--memory", LEAST)
    except UserError as error:
        size, found = 0, str(error)
    assert LEAST <= size <= MOST or found == said
