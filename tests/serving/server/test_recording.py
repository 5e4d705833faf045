"""A real server that records: every way to ask, both ends of its life, and disks that fail."""

import json
import os
import signal
import struct
import threading
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from serving.compile import compile_model
from serving.drift.recordings import Recordings, Window
from tests.serving.models import write_model
from tests.serving.server import recorded
from tests.serving.server.bundles import MIXED, NUMBERS, ROW, Linear, write_bundle
from tests.serving.server.running import JSON, Server, ask, running, start
from tests.serving.server.test_server import received
from tests.waiting import wait_until

NAMES = [column.name for column in NUMBERS.used]
V2 = "/v2/models/churn/infer"
SECRET = 74_155_281.5


def row(value: float) -> dict[str, Any]:
    return dict.fromkeys(NAMES, value)


def metric(server: Server, name: str) -> float:
    text = server.ask("GET", "/metrics").body.decode()
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name))


def test_every_way_to_ask_is_recorded_by_the_end(tmp_path: Path) -> None:
    """Two workers; at SIGTERM all that was answered is in files, whatever the interval."""
    model = write_bundle(tmp_path / "bundle", NUMBERS)
    many = np.random.default_rng(1).normal(size=(20_000, 6)).round(6).tolist()
    asked: dict[str, list[list[float]]] = {
        "records": [[1.0] * 6],
        "split": [[2.0] * 6, [3.0] * 6],
        "csv": [[4.0] * 6],
        "v2": [[5.0] * 6],
        "binary": [[6.0] * 6],
        "large": many,
        "proxied": [[SECRET] * 6],
    }
    bodies: dict[str, tuple[str, Any, dict[str, str]]] = {
        "records": ("/invocations", {"dataframe_records": [row(1.0)]}, {}),
        "split": ("/invocations", {"dataframe_split": _split(asked["split"])}, {}),
        "csv": (
            "/invocations",
            ",".join(NAMES) + "\n" + ",".join("4.0" for _ in NAMES),
            {"content-type": "text/csv; charset=utf-8"},
        ),
        "v2": (V2, {"id": "of v2", "inputs": [_tensor(asked["v2"])]}, {}),
        "binary": (V2, *_binary(asked["binary"])),
        "large": ("/invocations", {"dataframe_split": _split(many)}, {}),
        "proxied": ("/invocations", {"dataframe_records": [row(SECRET)]}, {}),
    }
    kept = tmp_path / "kept"
    with running(
        tmp_path / "bundle", workers=2, record=kept, record_seconds=3600, record_rows=10**6
    ) as server:
        names = {}
        for name, (path, body, headers) in bodies.items():
            given = headers | ({} if name == "v2" else {"x-request-id": name})
            answer = server.ask("POST", path, body, given)
            assert answer.status == 200, answer.body
            names[name] = answer.headers["x-request-id"]
        assert server.ask("POST", "/invocations", {"dataframe_records": []}).status == 400
        assert not recorded.files(kept)
        assert server.stop() == 0
        said = server.log()
    assert names == {name: name if name != "v2" else "of v2" for name in bodies}
    assert len(said.splitlines()) == 1, "nothing but that it is ready"
    found: dict[str, list[dict[str, Any]]] = {}
    for item in recorded.rows(kept):
        found.setdefault(item["__request"], []).append(item)
    assert set(found) == set(names.values())
    for name, expected in asked.items():
        items = found[names[name]]
        assert [item["__row"] for item in items] == list(range(len(expected)))
        assert [[item[column] for column in NAMES] for item in items] == expected
        predicted = [item["__prediction"] for item in items]
        assert predicted == pytest.approx(model.raw(np.array(expected)).tolist(), rel=1e-9)
    assert read_by_drift(kept) == sum(len(expected) for expected in asked.values())


def read_by_drift(folder: Path) -> int:
    """Rows that `sixfold drift` finds, each column as it has it."""
    recordings = Recordings(str(folder), "churn", "3", NUMBERS.fingerprint)
    columns = {name for batch in recordings.batches(NAMES, Window()) for name in batch.schema.names}
    assert columns == {"__time", *NAMES}
    found = recordings.found
    assert (found.damaged, found.foreign, found.shares) == (0, 0, {1.0})
    return found.rows


@pytest.mark.slow
def test_without_a_folder_nothing_is_recorded(tmp_path: Path) -> None:
    write_bundle(tmp_path / "bundle", NUMBERS)
    with running(tmp_path / "bundle") as server:
        answer = server.ask(
            "POST", "/invocations", {"dataframe_records": [row(1.0)]}, {"x-request-id": "a"}
        )
        assert "x-request-id" not in answer.headers
        (worker,) = server.workers()
        assert not Path(f"/proc/{worker}/task/{worker}/children").read_text()


@pytest.mark.slow
def test_what_was_begun_before_a_drain_is_recorded(tmp_path: Path) -> None:
    """And the port is closed while the recording is still there."""
    write_bundle(tmp_path / "bundle", MIXED)
    body = json.dumps({"dataframe_records": [ROW]}).encode()
    with running(tmp_path / "bundle", record=tmp_path / "kept") as server:
        connection = server.connect()
        connection.connect()
        assert connection.sock
        head = b"POST /invocations HTTP/1.1\r\ncontent-type: application/json\r\n"
        connection.sock.sendall(head + b"content-length: %d\r\n\r\n" % len(body) + body[:10])
        wait_until(lambda: metric(server, "sixfold_in_flight ") == 1)
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: refused(server))
        assert not recorded.files(tmp_path / "kept")
        connection.sock.sendall(body[10:])
        assert received(connection.sock).startswith(b"HTTP/1.1 200 OK")
        connection.close()
        assert server.process.wait(10) == 0
    (found,) = recorded.rows(tmp_path / "kept")
    assert found["colour"] == "red"


def refused(server: Server) -> bool:
    try:
        server.connect().connect()
    except ConnectionRefusedError:
        return True
    return False


@pytest.mark.slow
def test_killed_workers_lose_no_recording_that_was_sent(tmp_path: Path) -> None:
    """What a worker has answered some seconds ago is in a file, although it was killed."""
    write_bundle(tmp_path / "bundle", NUMBERS)
    kept = tmp_path / "kept"
    with running(tmp_path / "bundle", record=kept, record_seconds=3600) as server:
        names = []
        for _ in range(3):
            for _ in range(5):
                answer = server.ask("POST", "/invocations", {"dataframe_records": [row(1.0)]})
                names.append(answer.headers["x-request-id"])
            threading.Event().wait(3)  # it is sent ten times a second
            (worker,) = server.workers()
            os.kill(worker, signal.SIGKILL)
            wait_until(lambda: len({*recorded_names(kept)}) == len(names))
            wait_until(partial(_is_replaced, server, worker))
        assert sorted(recorded_names(kept)) == sorted(names)


def _is_replaced(server: Server, worker: int) -> bool:
    return server.workers() not in ([], [worker])


def _has_recorded(server: Server, rows: float) -> bool:
    return metric(server, "sixfold_recorded_rows_total") == rows


def recorded_names(folder: Path) -> list[str]:
    if any(path.name.startswith(".") for path in recorded.files(folder)):
        return []
    return [item["__request"] for item in recorded.rows(folder)]


@pytest.mark.slow
def test_rows_are_in_a_file_in_time(tmp_path: Path) -> None:
    write_bundle(tmp_path / "bundle", NUMBERS)
    kept = tmp_path / "kept"
    with running(tmp_path / "bundle", record=kept, record_seconds=0.2) as server:
        connection = server.connect()
        asked = {"dataframe_records": [row(1.0)]}
        for count in (1.0, 2.0, 3.0):
            assert ask(connection, "POST", "/invocations", asked).status == 200
            wait_until(partial(_has_recorded, server, count))
        assert len(recorded.files(kept)) == 3
        connection.close()


@pytest.mark.slow
def test_a_folder_that_cannot_be_is_said_and_serving_goes_on(tmp_path: Path) -> None:
    write_bundle(tmp_path / "bundle", NUMBERS)
    (tmp_path / "file").write_text("")
    folder = tmp_path / "file" / "kept"
    with running(tmp_path / "bundle", record=folder, record_seconds=0.1) as server:
        for _ in range(3):
            answer = server.ask("POST", "/invocations", {"dataframe_records": [row(SECRET)]})
            assert answer.status == 200
        dropped = 'sixfold_unrecorded_rows_total{reason="disk"}'
        wait_until(lambda: metric(server, dropped) == 3)
        assert server.stop() == 0
        said = [line for line in server.log().splitlines() if "is ready" not in line]
    assert said == [f"recording: {folder}: Not a directory: its rows are dropped until it can"]


@pytest.mark.slow
def test_a_process_that_is_killed_takes_nothing_else_along(tmp_path: Path) -> None:
    write_bundle(tmp_path / "bundle", NUMBERS)
    asked = {"dataframe_records": [row(SECRET)]}
    with running(tmp_path / "bundle", record=tmp_path / "kept") as server:
        (worker,) = server.workers()
        (writer,) = Path(f"/proc/{worker}/task/{worker}/children").read_text().split()
        os.kill(int(writer), signal.SIGKILL)
        for _ in range(3):
            assert server.ask("POST", "/invocations", asked).status == 200
        dropped = 'sixfold_unrecorded_rows_total{reason="process"}'
        wait_until(lambda: metric(server, dropped) == 3)
        assert server.workers() == [worker]
        assert server.stop() == 0
        assert server.log().count("recording: its process has ended") == 1
        assert str(SECRET) not in server.log()


@pytest.mark.slow
def test_a_level_that_training_has_not_seen_is_recorded_as_it_came(tmp_path: Path) -> None:
    write_bundle(tmp_path / "bundle", MIXED, Linear(MIXED))
    kept = tmp_path / "kept"
    with running(tmp_path / "bundle", record=kept) as server:
        body = {"dataframe_records": [ROW | {"colour": "new"}]}
        body["params"] = {"predict_method": "predict_proba"}  # type: ignore[assignment]
        answer = server.ask("POST", "/invocations", json.dumps(body).encode(), JSON)
        (shares,) = answer.json()["predictions"]
    (found,) = recorded.rows(kept)
    assert found["colour"] == "new"
    assert found["__probabilities"] == list(shares.values())
    assert shares[found["__prediction"].title()] == max(shares.values())


@pytest.mark.slow
def test_a_model_that_keeps_its_pipelines_is_recorded_as_well(tmp_path: Path) -> None:
    """The recording needs nothing of a model but what it has predicted; texts are kept whole."""
    rng = np.random.default_rng(0)
    words = np.array(
        ["red", "green", "blue", "house", "tree", "river", "cold", "warm", "small", "large"]
    )
    texts = [" ".join(rng.choice(words, 6)) for _ in range(80)]
    frame = pd.DataFrame(
        {"words": texts, "n": rng.normal(size=80), "y": rng.integers(0, 2, size=80)}
    )
    model = write_model(tmp_path / "model", frame, ["logistic_regression"])
    told = {"model": "churn", "version": "3", "run_id": "r"}
    assert compile_model(model, tmp_path / "bundle", told).path == "pipeline"
    asked = [{"words": "not seen by träining", "n": "1.5"}, {"words": None, "n": None}]
    with running(tmp_path / "bundle", record=tmp_path / "kept") as server:
        answer = server.ask("POST", "/invocations", {"dataframe_records": asked})
    first, second = recorded.rows(tmp_path / "kept")
    assert (first["words"], first["n"]) == ("not seen by träining", 1.5)
    assert (second["words"], second["n"]) == (None, None)
    labels = [first["__prediction"], second["__prediction"]]
    assert labels == [str(label) for label in answer.json()["predictions"]]


@pytest.mark.slow
def test_an_image_without_a_writer_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_bundle(tmp_path / "bundle", NUMBERS)
    absent = tmp_path / "path" / "arro3"
    absent.mkdir(parents=True)
    (absent / "__init__.py").write_text("")  # a package of that name, without its modules
    monkeypatch.setenv("PYTHONPATH", str(absent.parent))
    server = start(tmp_path / "bundle", tmp_path / "log", record=tmp_path / "kept")
    assert server.process.wait(30) == 1
    (line,) = server.log().splitlines()
    assert "build it without --slim" in line


def _split(rows: list[list[float]]) -> dict[str, Any]:
    return {"columns": NAMES, "data": rows}


def _tensor(rows: list[list[float]]) -> dict[str, Any]:
    flat = [cell for line in rows for cell in line]
    return {"name": "all", "shape": [len(rows), 6], "datatype": "FP64", "data": flat}


def _binary(rows: list[list[float]]) -> tuple[bytes, dict[str, str]]:
    tensor = _tensor(rows)
    data = struct.pack(f"<{6 * len(rows)}d", *tensor.pop("data"))
    tensor["parameters"] = {"binary_data_size": len(data)}
    head = json.dumps({"inputs": [tensor]}).encode()
    return head + data, {"inference-header-content-length": str(len(head))}
