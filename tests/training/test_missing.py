"""The grammar of `na_values`."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.missing import USUAL, parse_missing


@pytest.mark.parametrize(
    ("text", "added", "numbers", "gone"),
    [
        ("", set(), (), set()),
        ("?", {"?"}, (), set()),
        ("?, -999 ,-1e3", {"?", "-999", "-1e3"}, (-1000.0, -999.0), set()),
        ("keep:NA,keep:None", set(), (), {"NA", "None"}),
        ("keep:", set(), (), {""}),
        ("inf,nan", {"inf", "nan"}, (), set()),
        ("?,keep:?", {"?"}, (), {"?"}),
    ],
)
def test_items(text: str, added: set[str], numbers: tuple[float, ...], gone: set[str]) -> None:
    missing = parse_missing(text)
    assert missing.added == added
    assert missing.numbers == numbers
    assert missing.markers == (USUAL | added) - gone


@settings(deadline=None)
@given(st.text())
def test_no_text_is_wrong(text: str) -> None:
    assert all(number == number for number in parse_missing(text).numbers)
