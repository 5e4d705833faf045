"""A whole table through a real server: what is kept, and every mistake in one line."""

import datetime as dt
import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.serving.predicting import ROWS, Asking

_OUTPUTS = ["prediction", "probability_False", "probability_True"]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A web server of the folder."""
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(SimpleHTTPRequestHandler, "log_message", lambda *_: None)
    handler = partial(SimpleHTTPRequestHandler, directory=tmp_path)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("out", ["p.csv", "p.parquet"])
def test_kept_columns_of_csv_are_written_as_they_came(ask: Asking, out: str) -> None:
    late = [""] * 3_000  # nothing in the first part
    kept = {
        "zip": [f"{at % 100:05}" for at in range(ROWS)],
        "member": ["true", "False"] * 1_000 + ["true", ""] * 1_250,
        "id": [str(at) for at in range(3_000)] + ["", "17"] * 750,
        "name": ["Ann"] * 2_100 + [""] * 2_400,
        "late": late + ["one"] * (ROWS - len(late)),
        "country": ["NA", "DE", "nan"] * (ROWS // 3),
        "price": ["1.50"] * ROWS,
        "grade": ["2"] * 4_000 + ["02"] * 500,
    }
    rows = ask.rows(**kept)
    rows.to_csv("new.csv", index=False)
    found = ask("new.csv", out, "--keep", ",".join(kept))
    assert found.exit_code == 0, found.output
    if out == "p.csv":
        read = pd.read_csv(out, dtype="str", keep_default_na=False, na_values=[""])
    else:
        read = pd.read_parquet(out)
    assert list(read.columns) == [*kept, *_OUTPUTS]
    for name, cells in kept.items():
        assert read[name].astype(object).where(read[name].notna(), "").tolist() == cells
    predictions = [str(item).lower() == "true" for item in read["prediction"]]
    # The model reads grades as numbers, in which 02 is 2.
    assert predictions == ask.predictions(rows.assign(grade=2))
    assert ask.container.ended == ["stopped"]


@pytest.mark.parametrize("out", ["p.csv", "p.parquet"])
def test_kept_columns_of_parquet_have_the_files_own_types(ask: Asking, out: str) -> None:
    gap = [None] * (ROWS - 2)
    large = 9_007_199_254_740_993
    kept = {
        "id": pa.array([large, large + 1, *gap], pa.int64()),
        "late": pa.array([*gap, "one", None]),
        "flag": pa.array([*gap, True, None]),
        "at": pa.array([dt.time(8, 30), None, *gap]),
        "level": pa.array([*gap, "a", "b"]).dictionary_encode(),
        "nothing": pa.nulls(ROWS),
    }
    frame = ask.rows()
    table = pa.table({**kept, **{name: pa.array(frame[name]) for name in frame.columns}})
    pq.write_table(table, "new.parquet")
    found = ask("new.parquet", out, "--keep", ",".join(kept))
    assert found.exit_code == 0, found.output
    if out == "p.parquet":
        read = pq.read_table(out)
        assert read.column_names == [*kept, *_OUTPUTS]
        for name, cells in kept.items():
            assert read[name].type == cells.type
            assert read[name].to_pylist() == cells.to_pylist()
        assert read["prediction"].to_pylist() == ask.predictions(frame)
        return
    text = pd.read_csv(out, dtype="str", keep_default_na=False, na_values=[""])
    assert text["id"].tolist()[:2] == [str(large), str(large + 1)]
    assert text["late"].dropna().tolist() == ["one"]
    assert text["flag"].dropna().tolist() == ["true"]


def test_a_stored_index_can_be_kept(ask: Asking) -> None:
    rows = ask.rows()
    rows.index = pd.Index([f"no. {at}" for at in range(ROWS)], name="customer")
    rows.to_parquet("new.parquet")
    found = ask("new.parquet", "p.parquet", "--keep", "customer")
    assert found.exit_code == 0, found.output
    assert pd.read_parquet("p.parquet")["customer"].tolist() == rows.index.tolist()


@pytest.mark.parametrize("name", _OUTPUTS)
def test_a_kept_column_called_like_a_prediction_is_refused(ask: Asking, name: str) -> None:
    ask.rows(**{name: [1] * ROWS}).to_csv("new.csv", index=False)
    assert f"--keep '{name}'" in ask.refusal("new.csv", "p.csv", "--keep", name)
    assert ask.started == []
    assert not list(ask.folder.glob("*p.csv*"))


def test_a_kept_column_that_csv_cannot_hold_is_refused(ask: Asking) -> None:
    table = pa.table({"tags": pa.array([["a"]]), "size [cm]": [1.0]})
    pq.write_table(table, "new.parquet")
    assert "'tags' of type list" in ask.refusal("new.parquet", "p.csv", "--keep", "tags")
    assert ask.started == []


@pytest.mark.parametrize(
    ("out", "said"),
    [
        ("made.csv", "the folder made.csv"),
        ("p" * 250 + ".csv", "File name too long"),
        ("none/p.csv", "none at none"),
        ("p.xlsx", "ends in .parquet or .csv"),
        ("https://user:pa55@host/p.csv", "under https:"),
    ],
)
def test_where_nothing_can_be_written_nothing_is_predicted(
    ask: Asking, out: str, said: str
) -> None:
    (ask.folder / "made.csv").mkdir()
    ask.rows().to_csv("new.csv", index=False)
    line = ask.refusal("new.csv", out)
    assert said in line
    assert "pa55" not in line
    assert ask.started == []


def test_an_error_ends_the_server_and_leaves_nothing(ask: Asking) -> None:
    ask.rows().drop(columns="count").to_csv("new.csv", index=False)
    assert "'count'" in ask.refusal("new.csv", "p.csv")
    assert ask.container.ended == ["removed"]
    assert [path.name for path in ask.folder.iterdir()] == ["new.csv"]


def test_a_table_without_rows_is_one_line(ask: Asking) -> None:
    ask.rows().head(0).to_csv("new.csv", index=False)
    assert "got none in new.csv" in ask.refusal("new.csv", "p.csv")


def test_a_part_may_take_the_server_minutes(ask: Asking) -> None:
    ask.rows().head(3).to_csv("new.csv", index=False)
    assert ask("new.csv", "p.csv").exit_code == 0
    assert ask.started[0]["environment"] == {
        "SIXFOLD_MAX_SECONDS": "300",
        "SIXFOLD_MAX_BODY": str(32 << 20),
    }


def test_no_credentials_are_printed(ask: Asking, site: str) -> None:
    ask.rows().head(3).to_csv("new.csv", index=False)
    address = f"http://{site}/new.csv"
    secret = f"http://user:pa55@{site}/new.csv?X-Amz-Signature=s3cr3t"
    found = ask(secret, "p.csv", "--json")
    assert found.exit_code == 0, found.output
    assert json.loads(found.stdout)["source"] == address
    assert f"predicting {address}" in found.stderr
    refused = ask(secret, "q.csv", "--keep", "nothing")
    assert refused.exit_code == 2
    for said in (found.output, refused.output):
        assert "pa55" not in said
        assert "s3cr3t" not in said


def test_long_texts_go_in_requests_that_the_server_takes(ask: Asking) -> None:
    rows = ask.rows(colour=["x" * 20_000] * ROWS).head(2_500)  # 50 MB
    rows.to_parquet("new.parquet")
    found = ask("new.parquet", "p.parquet", "--keep", "size [cm]")
    assert found.exit_code == 0, found.output
    read = pd.read_parquet("p.parquet")
    assert read["size [cm]"].tolist() == rows["size [cm]"].tolist()
    assert read["prediction"].tolist() == ask.predictions(rows.assign(colour=None))
