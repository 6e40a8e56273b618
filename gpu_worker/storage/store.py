"""The worker's object store: get, put and delete bytes by key.

Knows S3; no jobs and no pictures.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from urllib3.exceptions import HTTPError

from gpu_worker.config import Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class ObjectMissingError(Exception):
    """There is no object under this key."""


class ObjectTooLargeError(Exception):
    """The object has more bytes than the caller is willing to read."""


class StoreAwayError(Exception):
    """The store does not answer, or refuses us. No job's fault: the worker puts its job back."""


_GONE = {"NoSuchKey", "404", "NotFound", "NoSuchBucket"}


def connect(settings: Settings) -> S3Client:
    """An S3 client whose own retries outlast an outage of some seconds."""
    config = Config(
        signature_version="s3v4",
        s3={"addressing_style": "path"},
        retries={"mode": "standard", "total_max_attempts": 9},
        connect_timeout=2,
        read_timeout=15,
        max_pool_connections=32,
        # the newer default sends trailing checksums, which not every store understands
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    return boto3.client(
        "s3",
        endpoint_url=settings.s3_endpoint_url,
        region_name=settings.aws_default_region,
        aws_access_key_id=settings.aws_access_key_id,
        aws_secret_access_key=settings.aws_secret_access_key,
        config=config,
    )


class Store:
    """One bucket. Every method may raise StoreAwayError. Thread-safe, as boto3's clients are."""

    def __init__(self, client: S3Client, bucket: str):
        self._client = client
        self._bucket = bucket

    def get(self, key: str, max_bytes: int) -> bytes:
        """The object's bytes.

        Raises:
            ObjectMissingError: nothing has this key.
            ObjectTooLargeError: it has more than `max_bytes`; nothing was read.
        """
        with _asking(key):
            answer = self._client.get_object(Bucket=self._bucket, Key=key)
            with answer["Body"] as body:
                if answer["ContentLength"] > max_bytes:
                    raise ObjectTooLargeError(key)
                return body.read()

    def metadata(self, key: str) -> dict[str, str] | None:
        """The metadata the object was stored with, names in lower case (stores differ); None
        where there is no object."""
        try:
            with _asking(key):
                found = self._client.head_object(Bucket=self._bucket, Key=key)["Metadata"]
        except ObjectMissingError:
            return None
        return {name.lower(): value for name, value in found.items()}

    def put(
        self, key: str, data: bytes, content_type: str, metadata: Mapping[str, str] | None = None
    ) -> None:
        with _asking(key):
            self._client.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=data,
                ContentType=content_type,
                Metadata=dict(metadata or {}),
            )

    def delete(self, key: str) -> None:
        """Deletes the object, if it is there (idempotent)."""
        with suppress(ObjectMissingError), _asking(key):
            self._client.delete_object(Bucket=self._bucket, Key=key)


@contextmanager
def _asking(key: str) -> Iterator[None]:
    """Maps S3's errors: no such object to ObjectMissingError, any other to StoreAwayError."""
    try:
        yield
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in _GONE:
            raise ObjectMissingError(key) from error
        raise StoreAwayError(f"{key}: {error}") from error
    except (BotoCoreError, HTTPError) as error:
        raise StoreAwayError(f"{key}: {error}") from error
