"""Which requests are recorded, as what, and what there is no room for."""

import json
import resource
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serving.server.bundle import Bundle, read_bundle
from serving.server.metrics import UNRECORDED, Metrics
from serving.server.record import Recorder
from serving.server.record_folder import RecordFolder
from serving.server.record_process import Batch, readers, write_all
from serving.server.record_table import Answered, RecordTable
from serving.server.settings import Settings
from tests.serving.server import recorded
from tests.serving.server.bundles import LEVELS, MIXED, NUMBERS, ROW, Linear, write_bundle
from tests.serving.server.test_metrics import counts
from training.schema import Column, Schema

CALLED = "invocations"


def bundle_of(folder: Path, schema: Schema) -> Bundle:
    write_bundle(folder / "bundle", schema)
    return read_bundle(folder / "bundle")


@dataclass
class Recording:
    """A recorder and the other side, which writes in a thread of this process."""

    recorder: Recorder
    metrics: Metrics
    folder: Path

    def keep(
        self,
        body: dict[str, Any],
        raw: Any,
        route: str = CALLED,
        content: bytes = b"",
        **headers: str,
    ) -> str:
        named = {key.replace("_", "-").encode(): text.encode() for key, text in headers.items()}
        array = np.asarray(raw, np.float64)
        header = self.recorder.keep(route, named, json.dumps(body).encode(), array, content)
        assert header[0] == b"x-request-id"
        return header[1].decode()

    def count(self, name: str, *labels: str) -> float:
        return counts(self.metrics)[(f"sixfold_{name}_total", *labels)]

    def unrecorded(self) -> dict[str, float]:
        found = {reason: self.count("unrecorded_rows", reason) for reason in UNRECORDED}
        return {reason: count for reason, count in found.items() if count}


@contextmanager
def recording(
    tmp_path: Path, schema: Schema = NUMBERS, writes: bool = True, **settings: Any
) -> Iterator[Recording]:
    """A recording, at whose end all is written."""
    bundle = bundle_of(tmp_path, schema)
    given = Settings(record=str(tmp_path / "kept"), **settings)
    metrics = Metrics(bundle, ["other"], 1)
    ours, theirs = socket.socketpair()

    def write() -> None:
        with theirs:
            write_all(theirs, 0, bundle, given, metrics)

    thread = threading.Thread(target=write)
    if writes:
        thread.start()
    recorder = Recorder(bundle, given, metrics, ours)
    yield Recording(recorder, metrics, tmp_path / "kept")
    if not writes:
        thread.start()
    recorder.close()
    thread.join()


def test_what_cannot_be_written_takes_nothing_else_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    added = RecordTable.add

    def add(self: RecordTable, answered: list[Answered]) -> None:
        if len(answered) == 1:
            raise TypeError("secret")
        added(self, answered)

    monkeypatch.setattr("serving.server.record_process._LOOSE_ROWS", 2)
    monkeypatch.setattr(RecordTable, "add", add)
    with recording(tmp_path) as there:
        there.keep(one(1.0), [0.0])
        there.keep(one(2.0), [0.0])
        there.keep({"dataframe_records": one(3.0)["dataframe_records"] * 2}, [0.0] * 2)
        there.keep(one(4.0), [0.0])
        there.keep(one(5.0), [0.0])
    assert sorted(row["x0"] for row in recorded.rows(there.folder)) == [1.0, 2.0, 4.0, 5.0]
    assert there.unrecorded() == {"form": 2}
    said = capfd.readouterr().err
    assert "TypeError in " in said
    assert "secret" not in said


def test_a_clock_that_is_set_back_does_not_end_the_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with recording(tmp_path) as there:
        there.keep(one(), [0.0])
        now = time.time()
        monkeypatch.setattr("time.time", lambda: now - 86_400)
        there.keep(one(), [0.0])
    assert len(recorded.rows(there.folder)) == 2


def test_a_file_that_may_not_be_removed_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = RecordFolder(tmp_path, bundle_of(tmp_path, NUMBERS), 0, 2_000)
    kept = folder.write(b"1" * 1_000)
    unlink = Path.unlink

    def refuse(self: Path, missing_ok: bool = False) -> None:
        if self == kept:
            raise PermissionError
        unlink(self, missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse)
    others = [folder.write(b"2" * 1_000) for _ in range(3)]
    assert [path for path in [kept, *others] if path.exists()] == [kept, others[-1]]


def one(value: float = 1.0) -> dict[str, Any]:
    return {"dataframe_records": [{f"x{at}": value for at in range(6)}]}


def test_cells_are_recorded_as_the_server_reads_them(tmp_path: Path) -> None:
    odd: dict[str, Any] = {
        "size [cm]": float("nan"),
        "count": True,
        "amount": "€ 7",
        "colour": "blue\ud800",
        "grade": 3.0,
        "smoker": "no",
        "joined": "2020-02-30",
        "born": "1.2.1999",
    }
    nothing: dict[str, Any] = {**dict.fromkeys(ROW), "colour": "?", "count": -999}
    body = {"dataframe_records": [ROW, odd, nothing]}
    raw = [[0.1, 0.2, 0.7], [0.6, 0.3, 0.1], [0.2, 0.5, 0.3]]
    with recording(tmp_path, LEVELS) as there:
        before = datetime.now(UTC)
        name = there.keep(body, raw)
        after = datetime.now(UTC)
    known = {"__request": name, "__version": "3"}
    first, second, third = recorded.rows(there.folder)
    assert before - timedelta(milliseconds=1) <= first["__time"] <= after
    times = [row.pop("__time") for row in (first, second, third)]
    assert len(set(times)) == 1
    assert first == known | {
        "__row": 0,
        "size [cm]": 170.5,
        "count": 3.0,
        "amount": 1234.5,
        "colour": "red",
        "grade": "2",
        "smoker": "true",
        "joined": "2020-01-02T03:04:05",
        "born": "1980-12-31T00:00:00",
        "__prediction": "30",
        "__probabilities": raw[0],
    }
    assert second == known | {
        "__row": 1,
        "size [cm]": None,
        "count": 1.0,
        "amount": 7.0,
        "colour": "blue?",
        "grade": "3",
        "smoker": "false",
        "joined": None,
        "born": "1999-02-01T00:00:00",
        "__prediction": "1",
        "__probabilities": raw[1],
    }
    assert third == known | {
        **dict.fromkeys(ROW),
        "__row": 2,
        "__prediction": "2",
        "__probabilities": raw[2],
    }


def test_a_file_says_what_it_is_of(tmp_path: Path) -> None:
    with recording(tmp_path, record_share=0.999999) as there:
        there.keep(one(), [2.5])
    (path,) = recorded.files(there.folder)
    day = f"{datetime.now(UTC):%Y-%m-%d}"
    assert path.relative_to(there.folder).parts[:3] == ("churn", "3", day)
    assert path.name.split("-")[1] == "0"
    known = {key: text for key, text in recorded.facts(path).items() if key.startswith("sixfold")}
    assert known == {
        "sixfold.model": "churn",
        "sixfold.version": "3",
        "sixfold.schema": "f" * 32,
        "sixfold.sampled": "0.999999",
    }
    types = {field.name: str(field.type) for field in recorded.table(there.folder).schema}
    assert types == {
        "__time": "timestamp[us, tz=UTC]",
        "__request": "string",
        "__row": "int32",
        "__version": "dictionary<values=string, indices=int32, ordered=0>",
        **{f"x{at}": "double" for at in range(6)},
        "__prediction": "double",
    }


def test_a_request_has_the_id_it_brought_or_a_new_one(tmp_path: Path) -> None:
    v2 = b'{"model_name":"churn","model_version":"3","id":"%s","outputs":[]}'
    tensor = {"name": "all", "shape": [1, 6], "datatype": "FP64", "data": [0.0] * 6}
    asked: dict[str, Any] = {"inputs": [tensor]}
    with recording(tmp_path) as there:
        given = ["a b", "x" * 129, "tab\t", "ä", ""]
        names = [there.keep(one(), [0.0], x_request_id=name) for name in given]
        names.append(there.keep(asked, [0.0], "v2_infer", v2 % b"of v2"))
        names.append(there.keep(asked, [0.0], "v2_infer", v2 % b'a \\"'))
        names.append(there.keep(asked, [0.0], "v2_infer", v2 % b"other", x_request_id="header"))
    assert names[0] == "a b"
    assert names[5] == "of v2"
    assert names[7] == "header"
    made = [*names[1:5], names[6]]
    assert len(set(made)) == 5
    assert not set(made) & {*given, 'a \\"'}
    assert sorted(row["__request"] for row in recorded.rows(there.folder)) == sorted(names)


def test_who_does_not_want_to_be_recorded_is_not(tmp_path: Path) -> None:
    with recording(tmp_path) as there:
        there.keep(one(), [0.0], sixfold_record="no")
    assert not recorded.files(there.folder)
    assert there.unrecorded() == {}


def test_a_share_of_the_requests(tmp_path: Path) -> None:
    with recording(tmp_path, record_share=0.25, record_rows=1 << 40) as there:
        for _ in range(1000):
            there.keep(one(), [0.0])
    assert 150 < len(recorded.rows(there.folder)) < 350
    assert there.unrecorded() == {}


def test_a_large_request_is_recorded_whole_and_those_after_it_wait(tmp_path: Path) -> None:
    many = {"dataframe_records": one()["dataframe_records"] * 500}
    with recording(tmp_path, record_rows=100) as there:
        there.keep(many, [0.0] * 500)
        there.keep(one(), [0.0])
    assert there.count("recorded_rows") == len(recorded.rows(there.folder)) == 500
    assert there.unrecorded() == {"rate": 1}


def test_what_cannot_wait_any_more_is_dropped_and_counted(tmp_path: Path) -> None:
    text = {"dataframe_records": one()["dataframe_records"], "ignored": "x" * (4 << 20)}
    with recording(tmp_path, writes=False, max_body=8 << 20) as there:
        for _ in range(4):
            there.keep(text, [0.0])
    dropped = there.unrecorded()
    assert set(dropped) == {"queue"}
    assert len(recorded.rows(there.folder)) == 4 - dropped["queue"] > 0


def test_a_process_that_is_gone_is_said_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = bundle_of(tmp_path, NUMBERS)
    metrics = Metrics(bundle, ["other"], 1)
    ours, theirs = socket.socketpair()
    theirs.close()
    there = Recording(Recorder(bundle, Settings(), metrics, ours), metrics, tmp_path)
    there.keep(one(), [0.0])
    there.recorder.close()
    there.keep(one(), [0.0])
    assert there.unrecorded() == {"process": 2}
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_disk_that_takes_nothing_is_said_once_and_again_when_it_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = bundle_of(tmp_path, NUMBERS)
    metrics = Metrics(bundle, ["other"], 1)
    folder = RecordFolder(tmp_path / "kept", bundle, 0, 1 << 30)
    parses = readers(bundle, Settings())
    batch = Batch(bundle, 1.0, folder, metrics)

    def write() -> None:
        raw = np.array([1.0])
        body = json.dumps(one(0.5)).encode()
        batch.add((CALLED, "a", 0.0, b"", b"", body, raw.tobytes(), raw.shape), parses)
        batch.write()

    write()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        write()
        write()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    write()
    found = counts(metrics)
    assert found["sixfold_recorded_rows_total",] == 2
    assert found["sixfold_unrecorded_rows_total", "disk"] == 2
    assert len(recorded.rows(tmp_path / "kept")) == len(recorded.files(tmp_path / "kept")) == 2
    bad, good = capsys.readouterr().err.splitlines()
    assert (
        bad == f"recording: {tmp_path / 'kept'}: File too large: its rows are dropped until it can"
    )
    assert good.endswith("it can be written to")


def test_the_oldest_files_go(tmp_path: Path) -> None:
    bundle = bundle_of(tmp_path, NUMBERS)
    other = tmp_path / "churn" / "2" / "2020-01-01"
    other.mkdir(parents=True)
    (other / "20200101T000000.000000-0-00000000.parquet").write_bytes(b"x" * 50)
    beside = tmp_path / "fraud" / "1" / "2020-01-01" / "20200101T000000.000000-0-0.parquet"
    beside.parent.mkdir(parents=True)
    beside.write_bytes(b"x" * 1000)
    folder = RecordFolder(tmp_path, bundle, 1, 250)
    written = [folder.write(b"x" * 100) for _ in range(3)]
    assert not other.exists()
    assert [path.exists() for path in written] == [False, True, True]
    assert folder.write(b"x" * 1000).exists()  # larger than all that there is room for
    assert not any(path.exists() for path in written)
    assert beside.exists()


def test_a_column_that_is_called_as_one_of_ours_is_left_out(tmp_path: Path) -> None:
    columns = (Column("__row", "numeric", "float64"), *NUMBERS.columns[1:])
    schema = Schema("regression", NUMBERS.target, columns, 100, "a" * 32)
    rows = [{column.name: float(at) for at, column in enumerate(columns)}]
    folder = tmp_path / "bundle"
    write_bundle(folder, NUMBERS, Linear(NUMBERS))
    schema.write(folder / "schema.json")
    bundle = read_bundle(folder)
    kept = RecordFolder(tmp_path / "kept", bundle, 0, 1 << 30)
    batch = Batch(bundle, 1.0, kept, Metrics(bundle, ["other"], 1))
    raw = np.array([1.0])
    body = json.dumps({"dataframe_records": rows}).encode()
    kept_request = (CALLED, "a", 0.0, b"", b"", body, raw.tobytes(), raw.shape)
    batch.add(kept_request, readers(bundle, Settings()))
    batch.write()
    (row,) = recorded.rows(tmp_path / "kept")
    assert row["__row"] == 0
    assert [row[f"x{at}"] for at in range(1, 6)] == [1.0, 2.0, 3.0, 4.0, 5.0]


@pytest.mark.parametrize("schema", [NUMBERS, MIXED], ids=["regression", "binary"])
def test_many_requests_are_one_file(tmp_path: Path, schema: Schema) -> None:
    values = [0.5] if schema is NUMBERS else [[0.25, 0.75]]
    body = one() if schema is NUMBERS else {"dataframe_records": [ROW]}
    with recording(tmp_path, schema, record_rows=10_000) as there:
        names = [there.keep(body, values) for _ in range(1_500)]
    assert len(recorded.files(there.folder)) == 1
    found = recorded.rows(there.folder)
    assert {row["__request"] for row in found} == set(names)
    assert {str(row["__prediction"]) for row in found} == {"0.5" if schema is NUMBERS else "true"}
