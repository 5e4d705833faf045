"""Times as users write them, and files wherever a server has put them."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from serving.drift import recordings
from serving.server.record_folder import RecordFolder
from tests.registry.recorded_of import schema_of
from tests.services.s3 import S3
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
