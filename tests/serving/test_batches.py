"""Tables are read in parts as training reads them whole."""

import datetime as dt
import gzip
import warnings
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serving import batches
from serving.batches import open_source, parts
from tests.training.problems import frame_of, prepared_of
from training.errors import UserError
from training.features import conform
from training.formats import read_file
from training.missing import parse_missing
from training.schema import Schema
from training.values import to_texts


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return frame_of("all", "binary", 300)


@pytest.fixture(scope="module")
def schema(frame: pd.DataFrame) -> Schema:
    return prepared_of(frame.drop(columns="t")).subject.schema


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.csv.gz", "t.parquet"])
@pytest.mark.parametrize("rows", [1, 7, 300, 1_000])
def test_parts_are_what_training_reads(
    name: str,
    rows: int,
    frame: pd.DataFrame,
    schema: Schema,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batches, "ROWS", rows)
    path = tmp_path / name
    if name.endswith("parquet"):
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False, sep="\t" if "tsv" in name else ",")
    source = open_source(path, name)
    found = [part.frame for part in parts(source, schema)]
    assert all(len(part) <= rows for part in found)
    assert source.columns == tuple(frame.columns)
    assert source.rows == (300 if name.endswith("parquet") else None)
    whole, _ = read_file(path, parse_missing(""), name)
    expected = conform(whole, schema)
    np.testing.assert_array_equal(
        np.concatenate([conform(part, schema) for part in found]), expected
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    texts=st.lists(st.text('a1.,-"\n é;', max_size=6), min_size=1, max_size=12),
    rows=st.integers(1, 5),
)
def test_any_texts_come_as_they_are(texts: list[str], rows: int, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    table = pd.DataFrame({"x": range(len(texts)), "c": texts})
    table.to_csv(path, index=False)
    learnt = pd.DataFrame({"c": ["a", "b"] * 20, "y": [0.5, 1.5] * 20})
    schema = prepared_of(learnt).subject.schema
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "ROWS", rows)
        read = parts(open_source(path, "t.csv"), schema)
        found = pd.concat([part.frame for part in read])["c"]
    kept = [text if text.strip(" ") else None for text in texts]
    assert [None if pd.isna(text) or not text.strip(" ") else text for text in found] == kept


def test_a_packed_or_damaged_file_says_so(tmp_path: Path, schema: Schema) -> None:
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * 10_000)[:-20])
    with pytest.raises(UserError, match="damaged"):
        list(parts(open_source(tmp_path / "t.csv.gz", "t.csv.gz"), schema))
    (tmp_path / "t.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(UserError, match="damaged"):
        open_source(tmp_path / "t.parquet", "t.parquet")
    (tmp_path / "t.csv").write_bytes(b"")
    with pytest.raises(UserError, match="empty"):
        open_source(tmp_path / "t.csv", "t.csv")
    (tmp_path / "t.jsonl").write_bytes(b'{"a": 1}\n')
    with pytest.raises(UserError, match="CSV or Parquet"):
        open_source(tmp_path / "t.jsonl", "t.jsonl")


@pytest.mark.parametrize("rows", [1, 4, 100])
def test_parquet_is_read_as_training_does(
    rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "ROWS", rows)
    path = tmp_path / "t.parquet"
    frame = pd.DataFrame(
        {
            0: range(12),
            "at": [dt.time(at, 30) for at in range(12)],
            "cost": [Decimal(at) / 10 for at in range(12)],
            "count": pd.array([1, None] * 6, "Int64"),
        },
        index=pd.Index([f"no. {at}" for at in range(12)], name="customer"),
    )
    with warnings.catch_warnings(action="ignore"):  # of the number that is a name
        frame.to_parquet(path)
    whole, _ = read_file(path, parse_missing(""), "t.parquet")
    source = open_source(path, "t.parquet")
    assert source.columns == ("0", "at", "cost", "count", "customer")
    learnt = prepared_of(pd.DataFrame({"c": ["a", "b"] * 20, "y": [0.5, 1.5] * 20}))
    found = pd.concat([part.frame for part in parts(source, learnt.subject.schema)])
    assert found.columns.tolist() == whole.columns.tolist()
    for name in whole.columns:
        texts = [to_texts(table[name]).tolist() for table in (found, whole)]
        assert texts[0] == texts[1]


def test_a_table_without_columns_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"a": [1, 2]}).select([]), path)
    with pytest.raises(UserError, match=r"expected a table with columns, got t.parquet"):
        open_source(path, "t.parquet")


def test_columns_of_one_name_are_told_apart(tmp_path: Path, schema: Schema) -> None:
    path = tmp_path / "t.parquet"
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2]), pa.array([3])], ["a", "a", ""])
    pq.write_table(table, path)
    source = open_source(path, "t.parquet")
    assert source.columns == ("a", "a.1", "Unnamed: 2")
    (part,) = parts(source, schema, ["a.1"])
    assert part.frame.columns.tolist() == ["a", "a.1", "Unnamed: 2"]
    assert part.kept["a.1"].to_pylist() == [2]


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.csv.gz"])
def test_texts_are_kept_beside_what_the_model_reads(
    name: str, schema: Schema, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "ROWS", 3)
    cells = ["007", "", " 1.50", "NA", "true", "1e3", 'a "b", c', "last"]
    table = pd.DataFrame({"x": range(8), "c": cells, "d": range(8)})
    table.to_csv(tmp_path / name, index=False, sep="\t" if "tsv" in name else ",")
    found = list(parts(open_source(tmp_path / name, name), schema, ["c", "x"]))
    kept = [cell for part in found for cell in part.kept["c"].to_pylist()]
    assert kept == [cell or None for cell in cells]
    assert [part.first for part in found] == [1, 4, 7]
    assert found[0].kept["x"].to_pylist() == ["0", "1", "2"]
    assert pd.concat([part.frame for part in found])["x"].tolist() == list(range(8))


def test_halves_are_the_rows_in_order(tmp_path: Path, schema: Schema) -> None:
    (tmp_path / "t.csv").write_text("x\n1\n2\n3\n")
    (part,) = parts(open_source(tmp_path / "t.csv", "t.csv"), schema, ["x"])
    found = part.halves()
    assert [half.frame["x"].tolist() for half in found] == [[1], [2, 3]]
    assert [half.kept["x"].to_pylist() for half in found] == [["1"], ["2", "3"]]
    assert [half.first for half in found] == [1, 2]


def test_wide_tables_come_fewer_rows_at_a_time(tmp_path: Path, schema: Schema) -> None:
    path = tmp_path / "t.parquet"
    pd.DataFrame(np.zeros((1_200, 1_000))).to_parquet(path)
    found = list(parts(open_source(path, "t.parquet"), schema))
    assert [len(part.frame) for part in found] == [500, 500, 200]
