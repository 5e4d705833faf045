"""The frame of all plots: text that fits, axes with room, the same file every time."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.plots.chart import frame, plain, reach, save, share, shorten, style, width


def _file(path: Path, title: str = "Title") -> bytes:
    with style():
        return save(frame(title, "note", "x", "y"), path).read_bytes()


def test_file_is_a_sound_png_of_the_size_asked_for(tmp_path: Path) -> None:
    _file(tmp_path / "chart.png")

    with Image.open(tmp_path / "chart.png") as picture:
        assert (picture.format, picture.size) == ("PNG", (560, 420))
        picture.verify()


def test_formulas_are_text(tmp_path: Path) -> None:
    assert _file(tmp_path / "a.png", "$x_1$") != _file(tmp_path / "b.png", "x_1")


def test_style_is_not_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import matplotlib

    before = _file(tmp_path / "a.png")
    monkeypatch.setitem(matplotlib.rcParams, "figure.facecolor", "red")

    assert _file(tmp_path / "b.png") == before
    assert matplotlib.rcParams["figure.facecolor"] == "red"


@pytest.mark.parametrize("values", [[0, 0], [5, 5], [-3e-9, -3e-9], [1e12, 1e12 + 1e-3], [1e30]])
def test_an_axis_of_one_value_has_room(values: list[float]) -> None:
    low, high = reach(np.array(values))

    assert low < values[0] < high


@pytest.mark.parametrize(
    "text", ["short", "a_rather_long_column_name" * 3, "W" * 5000, "年" * 90, ""]
)
def test_shortened_text_fits(text: str) -> None:
    assert width(shorten(text, 100)) <= 100


def test_the_middle_is_left_out() -> None:
    name = "customer_lifetime_value_before_tax_2024"

    head, tail = shorten(name, 120).split("…")

    assert name.startswith(head)
    assert name.endswith(tail)
    assert abs(len(head) - len(tail)) <= 1


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("$x_1$ <b>", "$x_1$ <b>"),
        ("Größe (λ), Вес", "Größe (λ), Вес"),
        ("two\nlines\tand more", "two lines and more"),
        ("年", "\\u5e74"),
        ("a\x00b", "a\\x00b"),
        ("\ud800", "\\ud800"),
        (1.5, "1.5"),
    ],
)
def test_plain_text_can_be_drawn(text: object, shown: str) -> None:
    assert plain(text) == shown


@pytest.mark.parametrize(
    ("value", "text"), [(0.9996, ">0.999"), (1.0, "1.000"), (0.9934, "0.993"), (0.0, "0.000")]
)
def test_an_imperfect_share_is_never_one(value: float, text: str) -> None:
    assert share(value) == text
