"""Files that are no table."""

from pathlib import Path

import pytest

from training.errors import UserError
from training.formats import read_file
from training.missing import parse_missing


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("t.csv", b"", "empty file"),
        ("t.csv", b" \n\n", "empty file"),
        ("t.parquet", b"", "empty file"),
        ("t.csv", b"\n<!DOCTYPE html><html></html>", "web page"),
        ("t", b"\x7fELF\0\0\0", "none of them by name or content"),
        ("t.xlsx", b"\x7fELF\0\0\0", "none of them by name or content"),
    ],
)
def test_one_line_says_what_came(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UserError, match=said) as error:
        read_file(path, parse_missing(""), name)
    assert "\n" not in str(error.value)
    assert name in str(error.value)
