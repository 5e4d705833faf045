"""The environment, and the CPUs that a container's quota leaves."""

import os
from pathlib import Path

import pytest

from serving.server.errors import Unservable
from serving.server.settings import UNCOMPILED, Settings, cpus, read_settings

HOST_CPUS = len(os.sched_getaffinity(0))


def test_defaults(tmp_path: Path) -> None:
    assert read_settings({}, tmp_path) == Settings(workers=cpus(tmp_path))


def test_all_of_them(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret\n")
    found = read_settings(
        {
            "SIXFOLD_HOST": "::1",
            "SIXFOLD_PORT": "0",
            "SIXFOLD_WORKERS": "3",
            "SIXFOLD_TOKEN_FILE": str(tmp_path / "token"),
            "SIXFOLD_MAX_BODY": "10",
            "SIXFOLD_MAX_ROWS": "11",
            "SIXFOLD_MAX_SECONDS": "0.5",
            "SIXFOLD_MAX_CONCURRENCY": "12",
            "SIXFOLD_DRAIN_SECONDS": "5",
            "SIXFOLD_RECORD": "/recordings",
            "SIXFOLD_RECORD_SHARE": "0.25",
            "SIXFOLD_RECORD_ROWS": "13",
            "SIXFOLD_RECORD_BYTES": "14",
            "SIXFOLD_RECORD_SECONDS": "1.5",
        }
    )
    limits = (10, 11, 0.5, 12, 5.0)
    recording = ("/recordings", 0.25, 13, 14, 1.5)
    assert found == Settings("::1", 0, 3, "s3cret", *limits, *recording)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SIXFOLD_PORT", "65536"),
        ("SIXFOLD_PORT", "http"),
        ("SIXFOLD_WORKERS", "0"),
        ("SIXFOLD_MAX_ROWS", "-1"),
        ("SIXFOLD_MAX_BODY", "1e6"),
        ("SIXFOLD_MAX_SECONDS", "nan"),
        ("SIXFOLD_MAX_SECONDS", "inf"),
        ("SIXFOLD_DRAIN_SECONDS", "-1"),
        ("SIXFOLD_TOKEN_FILE", "/nowhere/token"),
        ("SIXFOLD_RECORD_SHARE", "0"),
        ("SIXFOLD_RECORD_SHARE", "1.1"),
        ("SIXFOLD_RECORD_SHARE", "nan"),
        ("SIXFOLD_RECORD_ROWS", "0"),
        ("SIXFOLD_RECORD_BYTES", "1g"),
        ("SIXFOLD_RECORD_SECONDS", "0"),
    ],
)
def test_what_is_wrong_is_named(name: str, value: str) -> None:
    with pytest.raises(Unservable, match=name):
        read_settings({name: value})


def test_an_empty_token_file_is_no_token(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("\n")
    with pytest.raises(Unservable, match="empty"):
        read_settings({"SIXFOLD_TOKEN_FILE": str(tmp_path / "token")})


@pytest.mark.parametrize(
    ("quota", "expected"),
    [
        ("max 100000", HOST_CPUS),
        ("50000 100000", 1),
        ("100000 100000", 1),
        ("150000 100000", min(2, HOST_CPUS)),
        ("99900000 100000", HOST_CPUS),
    ],
)
def test_cpus_of_cgroup_2(tmp_path: Path, quota: str, expected: int) -> None:
    (tmp_path / "cpu.max").write_text(quota + "\n")
    assert cpus(tmp_path) == expected


@pytest.mark.parametrize(("quota", "expected"), [("-1", HOST_CPUS), ("20000", 1)])
def test_cpus_of_cgroup_1(tmp_path: Path, quota: str, expected: int) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(quota + "\n")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    assert cpus(tmp_path) == expected


def test_cpus_without_a_cgroup(tmp_path: Path) -> None:
    assert cpus(tmp_path) == HOST_CPUS


@pytest.mark.parametrize("name", ["memory.max", "memory/memory.limit_in_bytes"])
@pytest.mark.parametrize(
    ("memory", "workers", "expected"),
    [
        (512 << 20, 1, 4 << 20),
        (512 << 20, 2, 2 << 20),
        (64 << 30, 2, 32 << 20),
        (64 << 20, 4, 1 << 20),
        ((1 << 63) - 4096, 1, 32 << 20),  # how version 1 says that there is no limit
        ("max", 1, 32 << 20),
    ],
)
def test_the_largest_body_goes_by_the_memory(
    tmp_path: Path, name: str, memory: int | str, workers: int, expected: int
) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(f"{memory}\n")
    environ = {"SIXFOLD_WORKERS": str(workers)}
    assert read_settings(environ, tmp_path).max_body == expected
    assert read_settings(environ | {"SIXFOLD_MAX_BODY": "10"}, tmp_path).max_body == 10


def test_the_largest_body_is_no_smaller_than_the_recorded_sample_needs(tmp_path: Path) -> None:
    assert read_settings({}, tmp_path, least_body=40 << 20).max_body == 40 << 20
    (tmp_path / "memory.max").write_text(f"{256 << 20}\n")
    environ = {"SIXFOLD_WORKERS": "4"}
    assert read_settings(environ, tmp_path, least_body=3 << 20).max_body == 3 << 20
    assert read_settings(environ, tmp_path, least_body=100).max_body == 1 << 20
    environ["SIXFOLD_MAX_BODY"] = "10"
    assert read_settings(environ, tmp_path, least_body=3 << 20).max_body == 10


def test_there_are_no_more_workers_than_the_memory_can_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))
    assert read_settings({}, tmp_path, worker_memory=UNCOMPILED).workers == 64
    (tmp_path / "memory.max").write_text(f"{1 << 30}\n")
    assert read_settings({}, tmp_path).workers == 16
    assert read_settings({}, tmp_path, worker_memory=UNCOMPILED).workers == 4
    assert read_settings({"SIXFOLD_WORKERS": "9"}, tmp_path).workers == 9
    (tmp_path / "memory.max").write_text(f"{32 << 20}\n")
    assert read_settings({}, tmp_path).workers == 1
