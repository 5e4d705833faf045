"""What the user asks for: images, CPUs and tokens."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from serving.deploy.recording import Recording
from serving.deploy.sizes import quantity
from serving.deploy.wanted import Release, Wanted, parse_cpu, read_token, release
from training.errors import UserError


@pytest.mark.parametrize(
    ("asked", "whole"),
    [({}, False), ({"record": Recording()}, True), ({"traces": "http://collector:4318"}, True)],
)
@pytest.mark.parametrize("here", [False, True])
def test_a_slim_image_does_where_nothing_is_recorded_or_traced(
    monkeypatch: pytest.MonkeyPatch, asked: dict[str, Any], whole: bool, here: bool
) -> None:
    version = SimpleNamespace(model="churn", version="7", run_id="run7")
    given: list[dict[str, bool]] = []

    def image_of(*_: Any, **how: bool) -> str:
        given.append(how)
        return "churn:slim"

    monkeypatch.setattr("serving.deploy.wanted.find", lambda *_: version)
    monkeypatch.setattr("serving.engine.connect", lambda: None)
    monkeypatch.setattr("serving.serve.image_of", image_of)
    client: Any = None
    found = release(client, Wanted("churn", **asked), lambda _: None, here=here)
    assert found == Release("churn", "7", "run7", "churn:slim")
    assert given == [{"whole": whole, "here": here}]


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
