"""Names that fit and numbers that read well."""

import math

import pytest

from training.plots import lettering


@pytest.mark.parametrize(
    "text", ["short", "a_rather_long_column_name" * 3, "W" * 5000, "年" * 90, ""]
)
def test_shortened_text_fits(text: str) -> None:
    assert lettering.width(lettering.shorten(text, 100), lettering.TICK) <= 100


def test_the_middle_is_left_out() -> None:
    short = lettering.shorten("customer_lifetime_value_before_tax_2024", 120)

    head, tail = short.split("…")
    assert "customer_lifetime_value_before_tax_2024".startswith(head)
    assert "customer_lifetime_value_before_tax_2024".endswith(tail)
    assert abs(len(head) - len(tail)) <= 1


def test_what_fits_is_left_alone() -> None:
    assert lettering.shorten("$x_1$ <b>", 100) == "$x_1$ <b>"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Größe (λ), Вес", "Größe (λ), Вес"),
        ("two\nlines\tand more", "two lines and more"),
        ("年", "\\u5e74"),
        ("a\x00b", "a\\x00b"),
        ("\ud800", "\\ud800"),
        (1.5, "1.5"),
    ],
)
def test_plain_text_can_be_drawn(text: object, shown: str) -> None:
    assert lettering.plain(text) == shown
    assert lettering.width(lettering.plain(text), lettering.TICK) > 0


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.0000"), (0.99342, "0.9934"), (-3.14159, "-3.142"), (48123.4, "48,123"),
        (1.234e-7, "1.23e-07"), (5e12, "5e+12"), (math.inf, "inf"),
    ],
)  # fmt: skip
def test_numbers(value: float, text: str) -> None:
    assert lettering.number(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.9996, ">0.999"), (1.0, "1.000"), (0.9934, "0.993"), (0.0, "0.000")]
)
def test_an_imperfect_share_is_never_one(value: float, text: str) -> None:
    assert lettering.share(value) == text


@pytest.mark.parametrize(
    ("rows", "text"), [(0, "0"), (9999, "9,999"), (12_345, "12k"), (1_234_567, "1.2M")]
)
def test_counts(rows: int, text: str) -> None:
    assert lettering.count(rows) == text


@pytest.mark.parametrize(
    ("low", "high", "texts"),
    [
        (0, 1, ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (0, 4000, ["0", "1,000", "2,000", "3,000", "4,000"]),
        (-150_000, 320_000, ["-100k", "0", "100k", "200k", "300k"]),
        (0.9912, 0.9941, ["0.9915", "0.9920", "0.9925", "0.9930", "0.9935", "0.9940"]),
        (0, 4e-6, ["0", "1e-06", "2e-06", "3e-06", "4e-06"]),
    ],
)
def test_ticks_are_round(low: float, high: float, texts: list[str]) -> None:
    assert [text for _, text in lettering.ticks(low, high)] == texts


@pytest.mark.parametrize("exponent", range(-12, 30, 3))
def test_ticks_lie_within_and_differ(exponent: int) -> None:
    low, high = -1.7 * 10.0**exponent, 3.1 * 10.0**exponent

    ticks = lettering.ticks(low, high)

    assert 3 <= len(ticks) <= 8
    assert all(low <= value <= high for value, _ in ticks)
    assert len({text for _, text in ticks}) == len(ticks)
