"""Predictions are written whole or not at all, and what hinders that is one line."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from serving.batches import open_source
from serving.output import Output, check_apart, check_kept, check_unlike
from training.errors import UserError


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Files of this process cannot grow beyond."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("name", ["p.csv", "p.parquet"])
def test_an_output_is_whole_or_not_there(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    output = Output(path)
    output.write({"id": [1, 2], "prediction": ["yes", "no"]})
    assert not path.exists()
    output.discard()
    assert list(tmp_path.iterdir()) == []
    output = Output(path)
    output.write({"id": [1, 2], "prediction": ["yes", "no"]})
    output.write({"id": [3], "prediction": [None]})
    output.close()
    output.discard()
    assert [file.name for file in tmp_path.iterdir()] == [name]
    read = pd.read_csv(path) if name == "p.csv" else pd.read_parquet(path)
    assert read["id"].tolist() == [1, 2, 3]
    assert read["prediction"].isna().tolist() == [False, False, True]
    assert output.rows == 3
    assert output.columns == ["id", "prediction"]


def test_what_cannot_be_written_is_said_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"\.parquet or \.csv"):
        Output(tmp_path / "p.xlsx")
    with pytest.raises(UserError, match="got none at"):
        Output(tmp_path / "nowhere" / "p.csv")
    (tmp_path / "made.csv").mkdir()
    with pytest.raises(UserError, match=r"got the folder .*made.csv; name a file in it"):
        Output(tmp_path / "made.csv")
    with pytest.raises(UserError, match=r"expected to write .*: File name too long; .* --out"):
        Output(tmp_path / f"{'p' * 250}.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["made.csv"]
    (tmp_path / "t.csv").write_text("customer,x\n1,2\n")
    source = open_source(tmp_path / "t.csv", "t.csv")
    check_kept(source, ["customer"])
    with pytest.raises(UserError, match="'customer'"):
        check_kept(source, ["custmer"])
    check_unlike(["customer"], ["prediction"])
    with pytest.raises(UserError, match="--keep 'prediction'"):
        check_unlike(["customer", "prediction"], ["prediction"])


@pytest.mark.parametrize("name", ["p.csv", "p.parquet"])
def test_a_file_that_cannot_grow_is_one_line(name: str, tmp_path: Path) -> None:
    output = Output(tmp_path / name)
    rng = np.random.default_rng(0)
    rows = {"prediction": rng.normal(size=50_000)}
    output.write(rows)
    with largest_file(100_000), pytest.raises(UserError, match="File too large; make room"):
        output.close()
    output.discard()
    assert list(tmp_path.iterdir()) == []


def test_two_that_write_the_same_file_do_not_disturb_each_other(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    first, second = Output(path), Output(path)
    first.write({"prediction": [1, 1, 1]})
    second.write({"prediction": [2, 2]})
    second.close()
    assert pd.read_csv(path)["prediction"].tolist() == [2, 2]
    first.close()
    for output in (first, second):
        output.discard()
    assert pd.read_csv(path)["prediction"].tolist() == [1, 1, 1]
    assert [file.name for file in tmp_path.iterdir()] == ["p.csv"]


def test_parts_of_a_table_become_few_row_groups(tmp_path: Path) -> None:
    """What Parquet keeps in memory of each until the file's end does not grow with the parts."""
    path = tmp_path / "p.parquet"
    output = Output(path)
    kinds = ["a", "b", None]
    for at in range(130):
        numbers = np.arange(2_000 * at, 2_000 * (at + 1))
        level = pa.array([kinds[at % 3]] * 2_000, pa.string()).dictionary_encode()
        late = pa.array([None if at < 100 else 0.5] * 2_000, pa.float64())
        output.write({"level": level, "id": numbers, "late": late})
    output.close()
    with pq.ParquetFile(path) as file:
        groups = [file.metadata.row_group(at).num_rows for at in range(file.num_row_groups)]
        read = file.read()
    assert groups == [100_000, 100_000, 60_000]
    assert read.column_names == output.columns == ["level", "id", "late"]
    assert read["id"].to_pylist() == list(range(260_000))
    assert read["late"].null_count == 200_000
    levels = read["level"].cast(pa.string()).to_pylist()
    assert levels == [kinds[at // 2_000 % 3] for at in range(260_000)]
    assert output.rows == 260_000


def test_long_texts_are_not_collected_without_end(tmp_path: Path) -> None:
    output = Output(tmp_path / "p.parquet")
    for _ in range(10):
        output.write({"text": ["x" * 10_000] * 1_000})  # 10 MB
    output.close()
    with pq.ParquetFile(tmp_path / "p.parquet") as file:
        groups = [file.metadata.row_group(at).num_rows for at in range(file.num_row_groups)]
    assert groups == [4_000, 4_000, 2_000]


def test_the_table_itself_is_no_place_to_write_to(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("x\n1\n")
    (tmp_path / "link.csv").symlink_to(table)
    (tmp_path / "hard.csv").hardlink_to(table)
    for name in ("t.csv", "link.csv", "hard.csv", "../" + tmp_path.name + "/t.csv"):
        with pytest.raises(UserError, match=r"expected another file than the table .* --out"):
            check_apart(table, tmp_path / name, name)
    check_apart(table, tmp_path / "p.csv", "p.csv")
    assert table.read_text() == "x\n1\n"


def test_a_folder_that_came_in_the_files_place_is_one_line(tmp_path: Path) -> None:
    output = Output(tmp_path / "p.csv", "s3://bucket/p.csv")
    output.write({"prediction": [1.5]})
    (tmp_path / "p.csv" / "more").mkdir(parents=True)
    with pytest.raises(UserError, match=r"expected to write s3://bucket/p\.csv"):
        output.close()
    output.discard()
    assert [path.name for path in tmp_path.iterdir()] == ["p.csv"]


def test_what_csv_cannot_hold_is_one_line(tmp_path: Path) -> None:
    output = Output(tmp_path / "p.csv")
    output.write({"raw": pa.array([b"\xff"])})
    with pytest.raises(UserError, match=r"columns that \.csv can hold.*UTF8"):
        output.close()
    output.discard()
    assert list(tmp_path.iterdir()) == []
