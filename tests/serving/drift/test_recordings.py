"""Times as users write them, and files wherever a server has put them."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from serving.drift import recordings
from serving.server.record_folder import RecordFolder
from tests.registry.recorded_of import schema_of
from tests.services.s3 import S3
from tests.serving.deploy.nobody import folder_of_nobody
from tests.serving.drift.recorded import recorded
from training.errors import UserError

SCHEMA = schema_of("regression")
FILES, ROWS = 3, 5


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7d", datetime(2026, 1, 24, 12, tzinfo=UTC)),
        ("90m", datetime(2026, 1, 31, 10, 30, tzinfo=UTC)),
        ("2026-01-30", datetime(2026, 1, 30, tzinfo=UTC)),
        ("2026-01-30T12:00+02:00", datetime(2026, 1, 30, 10, tzinfo=UTC)),
        ("2026-01-30T12:00:00Z", datetime(2026, 1, 30, 12, tzinfo=UTC)),
    ],
)
def test_times_are_read(text: str, expected: datetime) -> None:
    now = datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert recordings.window(text, "", now).since == expected


@pytest.mark.parametrize("text", ["9999999999d", "7x", "2026-13-01", "d"])
def test_no_times_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="expected --until as a time"):
        recordings.window("", text)


def written(folder: Path, version: tuple[str, str]) -> list[Path]:
    """Files by the server's own writer, in order."""
    bundle: Any = SimpleNamespace(model=version[0], version=version[1])
    kept = RecordFolder(folder, bundle, 0, 1 << 30)
    frame = pd.DataFrame({"age": np.arange(float(ROWS))})
    data = recorded(SCHEMA, frame, np.zeros(ROWS), version)
    return [kept.write(data) for _ in range(FILES)]


def read(
    place: str, version: tuple[str, str], after_one: Callable[[], object] = lambda: None
) -> recordings.Found:
    """What is found, if something happens after the first file."""
    reader = recordings.Recordings(place, *version, SCHEMA.fingerprint)
    for number, _ in enumerate(reader.batches(["age"], recordings.Window())):
        if not number:
            after_one()
    return reader.found


def test_a_server_and_drift_name_the_folders_alike(tmp_path: Path) -> None:
    version = ("a/b", "1/2")
    written(tmp_path, version)
    found = read(str(tmp_path), version)
    assert (found.files, found.rows) == (FILES, FILES * ROWS)


def test_a_file_that_is_deleted_meanwhile_is_left_out(tmp_path: Path) -> None:
    version = ("churn", "1")
    files = written(tmp_path, version)
    found = read(str(tmp_path), version, files[1].unlink)
    assert (found.files, found.rows, found.damaged) == (FILES - 1, (FILES - 1) * ROWS, 0)


def test_a_day_that_is_deleted_meanwhile_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version, listed = ("churn", "1"), os.scandir
    day = written(tmp_path, version)[0].parent
    gone = day.with_name("2026-01-01")
    gone.mkdir()

    def scandir(path: Any) -> Any:
        if gone.exists() and Path(path) in (gone, day):
            gone.rmdir()
        return listed(path)

    monkeypatch.setattr(os, "scandir", scandir)
    found = read(str(tmp_path), version)
    assert not gone.exists()
    assert (found.files, found.rows) == (FILES, FILES * ROWS)


@pytest.mark.parametrize("closed", ["", "churn", "churn/1", "churn/1/2026-01-31"])
def test_a_folder_without_the_right_to_enter(closed: str) -> None:
    with folder_of_nobody() as folder:
        place = folder / "recordings"
        (place / "churn" / "1" / "2026-01-31").mkdir(parents=True)
        (place / closed).chmod(0)
        with pytest.raises(UserError, match=r"may read, got /.*: Permission denied; read them as"):
            read(str(place), ("churn", "1"))
        (place / closed).chmod(0o700)


@pytest.mark.parametrize("until", ["9999-12-31", "9999-12-30T12:00", "9999-12-31T23:59:59"])
def test_a_window_may_last_until_the_end_of_time(tmp_path: Path, until: str) -> None:
    written(tmp_path, ("churn", "1"))
    reader = recordings.Recordings(str(tmp_path), "churn", "1", SCHEMA.fingerprint)
    rows = sum(batch.num_rows for batch in reader.batches(["age"], recordings.window("", until)))
    assert rows == FILES * ROWS


def test_a_file_with_a_text_that_is_no_utf_8_is_damaged(tmp_path: Path) -> None:
    paths = written(tmp_path, ("churn", "1"))
    table = pq.read_table(paths[1])
    requests = pa.array([b"r-\xff"] * ROWS, pa.binary()).view(pa.string())
    place = table.schema.get_field_index("__request")
    pq.write_table(table.set_column(place, "__request", requests), paths[1])
    reader = recordings.Recordings(str(tmp_path), "churn", "1", SCHEMA.fingerprint)
    texts = [
        text
        for batch in reader.batches(["__request"], recordings.Window())
        for text in batch["__request"].to_pylist()
    ]
    assert len(texts) == reader.found.rows == (FILES - 1) * ROWS
    assert reader.found.damaged == 1


def test_a_file_whose_facts_are_no_utf_8_is_damaged(tmp_path: Path) -> None:
    paths = written(tmp_path, ("churn", "1"))
    table = pq.read_table(paths[0])
    facts = (table.schema.metadata or {}) | {b"sixfold.schema": b"\xff"}
    pq.write_table(table.replace_schema_metadata(facts), paths[0])
    found = read(str(tmp_path), ("churn", "1"))
    assert (found.files, found.damaged) == (FILES - 1, 1)


def test_an_address_that_nobody_answers_is_said_without_its_login(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in [("AWS_ENDPOINT_URL", "http://127.0.0.1:1"), ("AWS_MAX_ATTEMPTS", "1")]:
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
    with pytest.raises(UserError, match=r"s3://bucket/rec/churn/1/, got none") as error:
        read("s3://AKIA:SECRET@bucket/rec", ("churn", "1"))
    assert "AKIA" not in str(error.value)
    assert "SECRET" not in str(error.value)


@pytest.mark.services
def test_an_object_that_is_deleted_meanwhile_is_left_out(
    s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    version, client = ("churn", "1"), s3.client()
    keys = []
    for file in written(tmp_path, version):
        keys.append(f"meanwhile/{file.relative_to(tmp_path).as_posix()}")
        client.upload_file(str(file), s3.bucket, keys[-1])

    def delete() -> None:
        client.delete_object(Bucket=s3.bucket, Key=keys[1])

    found = read(s3.uri("meanwhile"), version, delete)
    assert (found.files, found.rows, found.damaged) == (FILES - 1, (FILES - 1) * ROWS, 0)
    with pytest.raises(UserError, match="got no such object or bucket"):
        read("s3://no-such-bucket/meanwhile", version)
