"""Parquet and Feather files: the types of Arrow as types of pandas."""

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from training.errors import UserError
from training.formats import read_file
from training.missing import parse_missing

_MISSING = parse_missing("")


def _read(folder: Path, columns: dict[str, Any]) -> pd.DataFrame:
    path = folder / "t.parquet"
    pq.write_table(pa.table(columns), path)
    return read_file(path, _MISSING, "t.parquet")[0]


def test_types_become_plain(tmp_path: Path) -> None:
    frame = _read(
        tmp_path,
        {
            "null": pa.nulls(2),
            "decimal": pa.array([Decimal("1.50"), None]),
            "half": pa.array([1.5, None], pa.float16()),
            "date": pa.array([date(2020, 1, 2), None]),
            "time": pa.array([time(12, 30), None]),
            "span": pa.array([timedelta(hours=1), None]),
            "bytes": pa.array([b"word", None]),
            "raw": pa.array([b"\xff\xfe", None]),
            "zone": pa.array([datetime(2020, 1, 2), None], pa.timestamp("us", "Europe/Berlin")),
            "dict": pa.array(["x", None]).dictionary_encode(),
            "large": pa.array(["x", None], pa.large_string()),
            "whole": pa.array([1, None], pa.int8()),
            "view": pa.array(["x", None], pa.string_view()),
        },
    )
    kinds = {name: str(dtype) for name, dtype in frame.dtypes.items()}
    assert kinds["null"] == kinds["decimal"] == kinds["half"] == kinds["whole"] == "float64"
    assert kinds["date"] == "datetime64[ms]"
    assert kinds["span"].startswith("timedelta64")
    assert kinds["zone"] == "datetime64[us, Europe/Berlin]"
    assert kinds["dict"] == "category"
    assert kinds["bytes"] == kinds["large"] == kinds["time"] == "str"
    assert frame["decimal"][0] == 1.5
    assert frame["view"][0] == "x"
    assert frame["raw"][0] == b"\xff\xfe"


def test_nested_values_do_not_stop_the_reading(tmp_path: Path) -> None:
    frame = _read(tmp_path, {"list": [[1, 2], None], "struct": [{"a": 1}, {"a": 2}], "x": [1, 2]})
    assert frame["x"].tolist() == [1, 2]
    assert list(frame["list"][0]) == [1, 2]


def test_the_index_of_pandas_is_a_column(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pd.DataFrame({"a": [1, 2]}, index=pd.Index(["x", "y"], name="key")).to_parquet(path)
    assert read_file(path, _MISSING, "t")[0].columns.tolist() == ["a", "key"]


def test_names_that_are_there_twice(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    twice = pa.Table.from_arrays([pa.array([1]), pa.array(["x"])], names=["a", "a"])
    pq.write_table(twice, path)
    frame, notes = read_file(path, _MISSING, "t")
    assert frame.columns.tolist() == ["a", "a.1"]
    assert len(notes) == 1


@pytest.mark.parametrize("form", ["parquet", "feather"])
@pytest.mark.parametrize("left", [0.5, 0.99, 0.01])
def test_a_truncated_file_is_one_line(tmp_path: Path, form: str, left: float) -> None:
    path = tmp_path / f"t.{form}"
    getattr(pd.DataFrame({"a": range(9000), "b": "x"}), f"to_{form}")(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * left)])
    with pytest.raises(UserError, match=f"t.{form}, which is damaged, truncated or") as error:
        read_file(path, _MISSING, f"t.{form}")
    assert "\n" not in str(error.value)


def test_damage_inside_a_file_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pd.DataFrame({"a": [f"{i * 7919 % 10007}" for i in range(9000)]}).to_parquet(path)
    data = bytearray(path.read_bytes())
    data[200:4000] = bytes(3800)
    path.write_bytes(bytes(data))
    with pytest.raises(UserError):
        read_file(path, _MISSING, "t.parquet")


@pytest.mark.parametrize("form", ["parquet", "feather"])
def test_text_under_the_name_of_a_binary_format(tmp_path: Path, form: str) -> None:
    path = tmp_path / f"t.{form}"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match="not what its name says"):
        read_file(path, _MISSING, path.name)
