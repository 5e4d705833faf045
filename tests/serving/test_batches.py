"""Tables are read in parts as training reads them whole, and written whole or not at all."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serving import batches
from serving.batches import Output, check_kept, open_source, parts
from tests.training.problems import frame_of, prepared_of
from training.errors import UserError
from training.features import conform
from training.formats import read_file
from training.missing import parse_missing
from training.schema import Schema


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
    found = list(parts(source, schema))
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
        found = pd.concat(parts(open_source(path, "t.csv"), schema))["c"]
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
    with pytest.raises(UserError, match="folder"):
        Output(tmp_path / "nowhere" / "p.csv")
    (tmp_path / "t.csv").write_text("customer,x\n1,2\n")
    source = open_source(tmp_path / "t.csv", "t.csv")
    check_kept(source, ["customer"])
    with pytest.raises(UserError, match="'customer'"):
        check_kept(source, ["custmer"])
