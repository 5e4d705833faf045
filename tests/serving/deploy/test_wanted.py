"""What the user asks for: CPUs and tokens."""

from pathlib import Path

import pytest

from serving.deploy.sizes import quantity
from serving.deploy.wanted import parse_cpu, read_token
from training.errors import UserError


@pytest.mark.parametrize(("text", "expected"), [("1", 1), ("0.5", 0.5), ("500m", 0.5), ("16", 16)])
def test_cpu(text: str, expected: float) -> None:
    assert parse_cpu(text) == expected


@pytest.mark.parametrize("text", ["", "0", "-1", "one", "1k", "nan", "0.01", "1e9", "1 2"])
def test_no_cpu(text: str) -> None:
    with pytest.raises(UserError, match="--cpu such as"):
        parse_cpu(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("500m", 0.5),
        (2, 2),
        ("0.5", 0.5),
        ("512Mi", 512 << 20),
        ("1G", 1e9),
        ("1.5Gi", 1.5 * 2**30),
    ],
)
def test_what_kubernetes_writes_of_sizes(text: object, expected: float) -> None:
    assert quantity(text) == expected


@pytest.mark.parametrize("text", [None, "", "much", "1 Gi", "-1", "1ki", "1mi", "٢"])
def test_no_size_of_kubernetes(text: object) -> None:
    assert quantity(text) == 0


def test_token_is_the_file_without_its_line_end(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("0a1b2c\n")
    assert read_token(file) == "0a1b2c"
    assert read_token(None) == ""


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"two words", b"two\nlines", b"\xff\xfe", "ü".encode()]
)
def test_no_token(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    with pytest.raises(UserError, match="token"):
        read_token(file)


def test_no_token_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No such file"):
        read_token(tmp_path / "none")
