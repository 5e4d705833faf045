"""A source becomes a table."""

import gzip
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from training.errors import UserError
from training.missing import parse_missing
from training.table import read_table, table_from


def test_a_file_and_its_twins_are_the_same_table(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": range(40), "b": ["x", None] * 20, "c": np.arange(40) / 3})
    csv, packed, parquet = (tmp_path / f"churn.{end}" for end in ("csv", "csv.gz", "parquet"))
    frame.to_csv(csv, index=False)
    packed.write_bytes(gzip.compress(csv.read_bytes()))
    frame.to_parquet(parquet)
    tables = [read_table(str(path)) for path in (csv, packed, parquet)]
    assert {table.fingerprint for table in tables} == {tables[0].fingerprint}
    assert [table.name for table in tables] == ["churn"] * 3
    assert tables[1].source == str(packed)
    assert tables[0].target is None


def test_reading_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    read_table("sklearn:iris")
    with pytest.raises(UserError):
        read_table("sklearn:iriss")
    assert list(tmp_path.iterdir()) == []


def test_markers_count_in_every_format(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "n": [-999, 1, 2], "f": [-999.0, 1.5, 2.5], "t": ["?", "NA", "x"],
            "c": pd.Categorical(["?", "y", "y"]), "b": [True, False, True],
        }
    )  # fmt: skip
    paths = [tmp_path / f"t.{end}" for end in ("csv", "parquet", "feather", "jsonl")]
    frame.to_csv(paths[0], index=False)
    frame.to_parquet(paths[1])
    frame.to_feather(paths[2])
    frame.to_json(paths[3], orient="records", lines=True)
    for path in paths:
        read = read_table(str(path), "?,-999,keep:NA").frame
        assert read[["n", "f", "t", "c"]].isna().sum(axis=1).tolist() == [4, 0, 0]
        assert read["t"][1] == "NA"
        assert read["b"].tolist() == [True, False, True]
    # Without `keep:` NA is missing in text only: elsewhere a missing value has a sign of its own.
    assert [int(read_table(str(path), "?,-999").frame["t"].isna().sum()) for path in paths] == [
        2, 1, 1, 1,
    ]  # fmt: skip


def test_markers_in_columns_of_mixed_types() -> None:
    frame = pd.DataFrame({"m": pd.Series(["?", 1, [2], None], dtype=object), "x": range(4)})
    table = table_from(frame, missing=parse_missing("?"))
    assert table.frame["m"].isna().tolist() == [True, False, False, True]


@pytest.mark.parametrize("content", ["a,b\n", "a\n", "a,b"])
def test_a_table_without_rows(tmp_path: Path, content: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(content)
    with pytest.raises(UserError, match="expected a table with rows, got 0 rows of") as error:
        read_table(str(path))
    assert "t.csv" in str(error.value)


def test_a_frame_gets_plain_names_and_a_plain_index() -> None:
    frame = pd.DataFrame({1: [1, 2], "1": [3, 4], None: [5, 6]}, index=["x", "y"])
    table = table_from(frame)
    assert table.frame.columns.tolist() == ["1", "1.1", "None"]
    assert table.frame.index.tolist() == [0, 1]
    assert "more than one column '1'" in table.notes[0]
    assert table_from(table.frame).frame is table.frame
