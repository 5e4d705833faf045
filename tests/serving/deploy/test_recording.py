"""What `--record` and its options come to, and whose a folder must be."""

import os
from pathlib import Path
from typing import Any

import pytest

from serving.deploy.recording import Recording, folder_owner, parse_size, recording
from training.errors import UserError

NOTHING: dict[str, Any] = {"record": None, "record_size": None, "record_share": None}


def test_options_become_a_recording(tmp_path: Path) -> None:
    assert recording(NOTHING) is None
    assert recording(NOTHING | {"record": ""}) == Recording()
    assert recording(NOTHING | {"record": ""}, default=tmp_path) == Recording(folder=tmp_path)
    asked = {"record": str(tmp_path), "record_size": "10Gi", "record_share": 0.5}
    asked |= {"record_class": "nfs", "record_access": "ReadWriteOnce"}
    assert recording(asked) == Recording(tmp_path, 10 << 30, 0.5, "nfs", "ReadWriteOnce")
    with pytest.raises(UserError, match="expected --record with --record-share"):
        recording(NOTHING | {"record_share": 0.5})


@pytest.mark.parametrize(
    ("text", "size"), [("16m", 16 << 20), ("1.5g", 3 << 29), ("10Gi", 10 << 30), ("1tb", 1 << 40)]
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "10", "15m", "-1g", "1k", "lots"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(UserError, match="such as 512m or 10g"):
        parse_size(text)


def test_the_settings_leave_room_in_the_volume() -> None:
    found = Recording(size=1 << 30).settings()
    assert set(found) == {"SIXFOLD_RECORD", "SIXFOLD_RECORD_BYTES"}
    assert int(found["SIXFOLD_RECORD_BYTES"]) < 1 << 30


def test_a_new_folder_is_one_that_a_server_may_write_to(tmp_path: Path) -> None:
    owner = folder_owner(tmp_path / "a" / "b")
    expected = (10001, 10001) if os.geteuid() == 0 else (os.getuid(), os.getgid())
    assert owner == "{}:{}".format(*expected)
    assert folder_owner(tmp_path / "a" / "b") == owner


def test_no_server_runs_as_root_to_write(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="expected a folder that is not root's"):
        folder_owner(Path("/usr"))
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="Not a directory"):
        folder_owner(tmp_path / "file" / "folder")
