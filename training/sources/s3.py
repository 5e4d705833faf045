"""Tables in S3 and in stores that speak its protocol."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from training.errors import UserError

_ADDRESS = re.compile(r"s3://(?:[^/@]*@)?(?P<bucket>[^/@]+)/(?P<key>.+)", re.I | re.S)
_NAME = 60  # characters: file systems take 255 bytes
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")


def fetch(source: str, folder: Path) -> Path:
    """Download an object into the folder, with boto3's usual credentials and endpoint.

    Raises
    ------
    UserError
        No credentials, refused ones, no such bucket or object, nobody answers.
    """
    bucket, key = _address(source)
    path = folder / PurePosixPath(key).name[-_NAME:]
    with _told(f"s3://{bucket}/{key}", bucket):
        _client().download_file(bucket, key, str(path))
    return path


def fetch_each(address: str, folder: Path, wanted: Callable[[str], bool]) -> Iterator[Path]:
    """Download the objects under an address one after the other; each is deleted when it was used.

    Parameters
    ----------
    address : str
        `s3://BUCKET/PREFIX`.
    folder : Path
        Where each is, for as long as it is used.
    wanted : callable
        Told a key; whether to download it.

    Raises
    ------
    UserError
        As for `fetch`, except that there may be none, and that those are left out which are
        deleted meanwhile.
    """
    from botocore.exceptions import ClientError

    bucket, prefix = _address(address)
    client = _client()
    with _told(f"s3://{bucket}/{prefix}", bucket):
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        keys = [item["Key"] for page in pages for item in page.get("Contents", ())]
    for number, key in enumerate(sorted(filter(wanted, keys))):
        path = folder / f"{number}{PurePosixPath(key).suffix}"
        with _told(f"s3://{bucket}/{key}", bucket):
            try:
                client.download_file(bucket, key, str(path))
            except ClientError as error:
                if _status(error.response) != 404:
                    raise
                continue
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)


def check_apart(source: str, out: str) -> None:
    """Whether what is to be written is another object than the table, if that is one.

    Raises
    ------
    UserError
    """
    bucket, key = _address(out)
    found = _ADDRESS.fullmatch(source)
    if found and (found["bucket"], found["key"]) == (bucket, key):
        raise UserError(
            f"expected another file than the table to write to, got s3://{bucket}/{key} for both; "
            "name another one with --out"
        )


def check_writable(address: str) -> None:
    """Begin an upload and give it up: whether an object may be written, which leaves nothing.

    Raises
    ------
    UserError
        As for `fetch`.
    """
    from botocore.exceptions import ClientError

    bucket, key = _address(address)
    client = _client()
    with _told(f"s3://{bucket}/{key}", bucket, writes=True):
        begun = client.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
        with suppress(ClientError):  # who may write need not be let give up
            client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=begun)


def send(path: Path, address: str) -> None:
    """Upload a file.

    Raises
    ------
    UserError
        As for `fetch`.
    """
    bucket, key = _address(address)
    with _told(f"s3://{bucket}/{key}", bucket, writes=True):
        _client().upload_file(str(path), bucket, key)


def _address(source: str) -> tuple[str, str]:
    """Bucket and key."""
    # No URL parser: a question mark or hash is a character of the key.
    found = _ADDRESS.fullmatch(source)
    if not found:
        from training.sources import without_credentials

        shown = without_credentials(source)
        raise UserError(f"expected s3://BUCKET/KEY, got {shown!r}; name bucket and key")
    return found["bucket"], found["key"]


@contextmanager
def _told(shown: str, bucket: str, *, writes: bool = False) -> Iterator[None]:
    """What can go wrong with an object, in one line."""
    from boto3.exceptions import Boto3Error, S3UploadFailedError
    from botocore import exceptions

    try:
        yield
    except (exceptions.NoCredentialsError, exceptions.PartialCredentialsError):
        raise UserError(
            f"expected credentials for {shown}, got none; set AWS_ACCESS_KEY_ID and "
            f"AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
        ) from None
    except exceptions.ClientError as error:
        raise UserError(_refused(error.response, shown, bucket, writes)) from None
    except (exceptions.EndpointConnectionError, exceptions.HTTPClientError) as error:
        endpoint = next((os.environ[name] for name in _ENDPOINTS if os.environ.get(name)), "AWS")
        raise UserError(
            f"expected an answer for {shown}, got none from {_host(endpoint)} "
            f"({type(error).__name__}); check AWS_ENDPOINT_URL and the network"
        ) from None
    except S3UploadFailedError as error:
        reason = " ".join(str(error).split())[-200:]
        raise UserError(f"expected to write {shown}, was refused ({reason})") from None
    except (exceptions.BotoCoreError, Boto3Error, OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        if writes:
            raise UserError(f"expected to write {shown}, could not ({reason})") from None
        raise UserError(f"expected a table at {shown}, got a failed download ({reason})") from None


def _client() -> Any:
    import boto3
    from botocore.config import Config

    session = boto3.Session()
    # Stores that are not AWS's have one host name for all buckets.
    style = "path" if any(os.environ.get(name) for name in _ENDPOINTS) else "auto"
    config = Config(
        signature_version="s3v4",
        s3={"addressing_style": style},
        connect_timeout=10,
        retries={"max_attempts": 3, "mode": "standard"},
        response_checksum_validation="when_required",
    )
    return session.client("s3", config=config, region_name=session.region_name or "us-east-1")


def _refused(response: dict[str, Any], shown: str, bucket: str, writes: bool) -> str:
    status = _status(response)
    code = response.get("Error", {}).get("Code", "")
    if status == 404 and writes:
        return (
            f"expected a bucket to write {shown} to, got none called {bucket!r}; check that it "
            "exists at this endpoint"
        )
    if status == 404:
        return (
            f"expected a table at {shown}, got no such object or bucket; check the key and that "
            f"the bucket {bucket!r} exists at this endpoint"
        )
    if status in (400, 401, 403):
        what = "write" if writes else "read"
        return (
            f"expected to be let in to {shown}, got refused ({status} {code}): the credentials are "
            f"wrong or may not {what} it; check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, "
            "AWS_PROFILE"
        )
    wanted = "to write" if writes else "a table at"
    return f"expected {wanted} {shown}, got the answer {status} {code}; try again"


def _status(response: dict[str, Any]) -> Any:
    return response.get("ResponseMetadata", {}).get("HTTPStatusCode")


def _host(endpoint: str) -> str:
    return urlsplit(endpoint).netloc.rpartition("@")[2] or endpoint
