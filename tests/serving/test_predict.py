"""A whole table through a real server: what is kept, and every mistake in one line."""

import datetime as dt
import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from serving import serve
from serving.predict import command
from tests.serving.server.bundles import MIXED, ROW, Linear, write_bundle
from tests.serving.server.running import running

_ROWS = 4_500  # three parts
_OUTPUTS = ["prediction", "probability_False", "probability_True"]


class _Container:
    """What is left of a container where the server is a process of its own."""

    def __init__(self) -> None:
        self.ended: list[str] = []

    def remove(self, force: bool) -> None:
        self.ended.append("removed")


class Asking:
    """`sixfold predict churn`, by a server without a container.

    Attributes
    ----------
    started : list of dict
        What each container was to be created with.
    """

    def __init__(self, folder: Path, model: Linear) -> None:
        self.folder = folder
        self.model = model
        self.started: list[dict[str, Any]] = []
        self.container = _Container()

    def __call__(self, table: str | Path, out: str | Path, *more: str) -> Result:
        return CliRunner().invoke(command, ["churn", str(table), "--out", str(out), *more])

    def refusal(self, table: str | Path, out: str | Path, *more: str) -> str:
        """The one line that it ends with."""
        found = self(table, out, *more)
        assert found.exit_code == 2, found.output
        assert "Traceback" not in found.output
        return found.stderr.strip().splitlines()[-1]

    def rows(self, **columns: Any) -> pd.DataFrame:
        """Rows that the model takes, and these columns before them."""
        rows = pd.DataFrame([ROW] * _ROWS).assign(**{"size [cm]": np.arange(_ROWS) / 7})
        return pd.DataFrame(columns, index=rows.index).join(
            rows.drop(columns=list({*columns} & {*rows.columns}))
        )

    def predictions(self, rows: pd.DataFrame) -> list[bool]:
        return [bool(item) for item in self.model.predict(rows.to_dict("records")).argmax(axis=1)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Linear, str]]:
    bundle = tmp_path_factory.mktemp("predict") / "bundle"
    model = write_bundle(bundle, MIXED)
    with running(bundle) as server:
        yield bundle, model, f"http://127.0.0.1:{server.port}"


@pytest.fixture
def ask(
    server: tuple[Path, Linear, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Asking:
    bundle, model, url = server
    asking = Asking(tmp_path, model)

    def run(_engine: Any, tag: str, _port: int, _workers: int, _memory: str, options: Any) -> Any:
        asking.started.append(options)
        return serve.Served(asking.container, url, tag, "")

    def read_file(_engine: Any, _tag: str, path: str) -> bytes:
        return (bundle / Path(path).name).read_bytes()

    monkeypatch.setattr("registry.store.connect", lambda: None)
    monkeypatch.setattr("serving.engine.connect", lambda: None)
    monkeypatch.setattr("serving.build.find", lambda *_: SimpleNamespace())
    monkeypatch.setattr("serving.base.read_file", read_file)
    monkeypatch.setattr("serving.serve.image_of", lambda *_: "churn:3")
    monkeypatch.setattr("serving.serve.run", run, raising=False)
    monkeypatch.setattr("serving.serve.stop", lambda _: asking.container.ended.append("stopped"))
    monkeypatch.chdir(tmp_path)
    return asking


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
        "zip": [f"{at % 100:05}" for at in range(_ROWS)],
        "member": ["true", "False"] * 1_000 + ["true", ""] * 1_250,
        "id": [str(at) for at in range(3_000)] + ["", "17"] * 750,
        "name": ["Ann"] * 2_100 + [""] * 2_400,
        "late": late + ["one"] * (_ROWS - len(late)),
        "country": ["NA", "DE", "nan"] * (_ROWS // 3),
        "price": ["1.50"] * _ROWS,
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
    gap = [None] * (_ROWS - 2)
    large = 9_007_199_254_740_993
    kept = {
        "id": pa.array([large, large + 1, *gap], pa.int64()),
        "late": pa.array([*gap, "one", None]),
        "flag": pa.array([*gap, True, None]),
        "at": pa.array([dt.time(8, 30), None, *gap]),
        "level": pa.array([*gap, "a", "b"]).dictionary_encode(),
        "nothing": pa.nulls(_ROWS),
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
    rows.index = pd.Index([f"no. {at}" for at in range(_ROWS)], name="customer")
    rows.to_parquet("new.parquet")
    found = ask("new.parquet", "p.parquet", "--keep", "customer")
    assert found.exit_code == 0, found.output
    assert pd.read_parquet("p.parquet")["customer"].tolist() == rows.index.tolist()


@pytest.mark.parametrize("name", _OUTPUTS)
def test_a_kept_column_called_like_a_prediction_is_refused(ask: Asking, name: str) -> None:
    ask.rows(**{name: [1] * _ROWS}).to_csv("new.csv", index=False)
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
    assert ask.started[0]["environment"] == {"SIXFOLD_MAX_SECONDS": "300"}


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
    rows = ask.rows(colour=["x" * 20_000] * _ROWS).head(2_500)  # 50 MB
    rows.to_parquet("new.parquet")
    found = ask("new.parquet", "p.parquet", "--keep", "size [cm]")
    assert found.exit_code == 0, found.output
    read = pd.read_parquet("p.parquet")
    assert read["size [cm]"].tolist() == rows["size [cm]"].tolist()
    assert read["prediction"].tolist() == ask.predictions(rows.assign(colour=None))
