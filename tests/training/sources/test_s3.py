"""Tables in a real S3 store."""

import gzip
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.services.s3 import S3
from training.errors import UserError
from training.sources.s3 import check_writable, send
from training.table import read_table

_CSV = b"a,b\n" + b"".join(b"%d,x\n" % i for i in range(2000))

pytestmark = pytest.mark.services


@pytest.fixture
def store(s3: S3, monkeypatch: pytest.MonkeyPatch) -> S3:
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return s3


@pytest.mark.parametrize("key", ["t.csv", "a folder/größe #1?.csv.gz", "deep/er/t.csv"])
def test_a_table_is_read_and_nothing_is_left(
    store: S3, key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = gzip.compress(_CSV) if key.endswith(".gz") else _CSV
    store.client().put_object(Bucket=store.bucket, Key=key, Body=body)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    table = read_table(store.uri(key))
    assert table.frame.shape == (2000, 2)
    assert list(tmp_path.iterdir()) == []


def test_a_large_object_comes_in_parts(store: S3) -> None:
    body = b"a,b\n" + b"1234567,x\n" * 1_200_000
    store.client().put_object(Bucket=store.bucket, Key="large.csv", Body=body)
    assert read_table(store.uri("large.csv")).frame.shape == (1_200_000, 2)


@pytest.mark.parametrize("uri", ["s3://sixfold/missing.csv", "s3://no-such-bucket/t.csv"])
def test_what_is_not_there(store: S3, uri: str) -> None:
    with pytest.raises(UserError, match="got no such object or bucket"):
        read_table(uri)


def test_wrong_credentials(store: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    store.client().put_object(Bucket=store.bucket, Key="t.csv", Body=_CSV)
    for name, value in [("AWS_SECRET_ACCESS_KEY", "wrong"), ("AWS_ACCESS_KEY_ID", "nobody")]:
        monkeypatch.setenv(name, value)
        with pytest.raises(UserError, match=r"got refused .* check AWS_ACCESS_KEY_ID") as error:
            read_table(store.uri("t.csv"))
        assert "wrong;" not in str(error.value)
        assert "\n" not in str(error.value)


def test_no_credentials(store: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(UserError, match=r"expected credentials for .*, got none"):
        read_table(store.uri("t.csv"))


def test_nobody_answers(store: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://user:secret@127.0.0.1:1")
    with pytest.raises(UserError, match=r"got none from 127\.0\.0\.1:1") as error:
        read_table(store.uri("t.csv"))
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("source", ["s3://", "s3://bucket", "s3://bucket/", "s3:///key", "s3:key"])
def test_an_address_that_is_none(source: str) -> None:
    with pytest.raises(UserError, match="expected s3://BUCKET/KEY"):
        read_table(source)


@pytest.mark.parametrize("source", ["s3://AKIA:SECRET@bucket", "s3://AKIA:SECRET@bucket/"])
def test_an_address_that_is_none_is_said_without_its_login(source: str) -> None:
    with pytest.raises(UserError, match="got 's3://bucket") as error:
        read_table(source)
    assert "SECRET" not in str(error.value)


def test_whether_an_object_may_be_written_leaves_nothing(store: S3, tmp_path: Path) -> None:
    key = "a folder/predictions #1?.csv"
    check_writable(store.uri(key))
    assert store.keys(key) == []
    assert not store.client().list_multipart_uploads(Bucket=store.bucket).get("Uploads")
    (tmp_path / "p.csv").write_bytes(_CSV)
    send(tmp_path / "p.csv", store.uri(key))
    check_writable(store.uri(key))
    assert store.client().get_object(Bucket=store.bucket, Key=key)["Body"].read() == _CSV


@pytest.mark.parametrize("ask", [check_writable, lambda address: send(Path(__file__), address)])
def test_where_nothing_may_be_written(
    store: S3, ask: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(UserError, match=r"may not write it|expected to write s3://"):
        ask(store.uri("refused.csv"))
    assert store.keys("refused.csv") == []
