"""Charts as files: what is drawn lands where it should, the same every time."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.plots.chart import BLUE, ORANGE, Axis, Chart, mixed


def _chart(title: str = "Title") -> Chart:
    return Chart(title, Axis.numbers("x", [0, 1]), Axis.numbers("y", [0, 1]))


def _pixel(path: Path, chart: Chart, x: float, y: float) -> tuple[int, ...]:
    """The colour at data coordinates."""
    left = chart.left + chart.width * (x - chart.x.low) / (chart.x.high - chart.x.low)
    top = chart.top + chart.height * (chart.y.high - y) / (chart.y.high - chart.y.low)
    with Image.open(path) as picture:
        picture.load()
        color = picture.getpixel((round(left), round(top)))
    assert isinstance(color, tuple)
    return color


def _rgb(color: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(color[1:]))


def test_file_is_a_sound_png_of_the_size_asked_for(tmp_path: Path) -> None:
    path = _chart().save(tmp_path / "chart.png")

    with Image.open(path) as picture:
        assert (picture.format, picture.mode, picture.size) == ("PNG", "RGB", (560, 420))
        picture.verify()


def test_marks_land_on_their_data(tmp_path: Path) -> None:
    chart = _chart()
    chart.points([0.3], [0.7], BLUE, radius=6)
    chart.boxes([0.5], [0.1], [0.9], [0.3], [ORANGE])
    path = chart.save(tmp_path / "chart.png")

    assert _pixel(path, chart, 0.3, 0.7) == _rgb(BLUE)
    assert _pixel(path, chart, 0.7, 0.27) == _rgb(ORANGE)
    assert _pixel(path, chart, 0.13, 0.87) == (255, 255, 255)


def test_an_axis_of_names_can_go_down(tmp_path: Path) -> None:
    names = Axis.names("", ["first", "second"], 100, down=True)
    chart = Chart("Title", Axis.numbers("x", [0, 1]), names)
    chart.boxes([0], [-0.4], [1], [0.4], [BLUE])
    path = chart.save(tmp_path / "chart.png")

    assert _pixel(path, chart, 0.5, 0) == _rgb(BLUE)
    assert _pixel(path, chart, 0.5, 1) == (255, 255, 255)


def test_same_chart_gives_same_bytes(tmp_path: Path) -> None:
    first, second = (_chart().save(tmp_path / name).read_bytes() for name in ("a.png", "b.png"))

    assert first == second


def test_formulas_are_text(tmp_path: Path) -> None:
    pictures = {_chart(title).save(tmp_path / "c.png").read_bytes() for title in ("$x_1$", "x_1")}

    assert len(pictures) == 2


@pytest.mark.parametrize("far", [1e6, -1e12, 1e300])
def test_what_is_far_outside_does_no_harm(tmp_path: Path, far: float) -> None:
    chart = _chart()
    chart.line([0, 0.5, 1], [0, far, 1], BLUE)
    chart.points([far], [far], BLUE)
    path = chart.save(tmp_path / "chart.png")

    assert path.stat().st_size > 0


@pytest.mark.parametrize("values", [[0, 0], [5, 5], [-3e-9, -3e-9], [1e12, 1e12 + 1e-3], [1e30]])
def test_an_axis_of_one_value_has_room(values: list[float]) -> None:
    axis = Axis.numbers("", np.array(values))

    assert axis.low < values[0] < axis.high
    assert axis.ticks


def test_long_names_leave_room_for_the_plot() -> None:
    axis = Axis.names("", ["a very long name indeed " * 20] * 3, 150)
    chart = Chart("Title", Axis.numbers("", [0, 1]), axis)

    assert chart.width > 300


def test_mixed_goes_from_white_to_the_colour() -> None:
    assert (mixed(BLUE, 0), mixed(BLUE, 1)) == ("#ffffff", BLUE)
