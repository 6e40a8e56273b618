"""The worker's side of the object store: bytes in, bytes out, by key.

Knows S3. No jobs and no pictures: what the bytes mean is others' business.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from gpu_worker.config import Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class ObjectMissingError(Exception):
    """There is no object under this key."""


class ObjectTooLargeError(Exception):
    """The object has more bytes than the caller is willing to read."""


_GONE = {"NoSuchKey", "404", "NotFound", "NoSuchBucket"}


def connect(settings: Settings) -> S3Client:
    """A client whose own retries outlast a store that is away for some ten seconds."""
    config = Config(
        signature_version="s3v4",
        s3={"addressing_style": "path"},
        retries={"mode": "standard", "total_max_attempts": 7},
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
    """One bucket."""

    def __init__(self, client: S3Client, bucket: str):
        self._client = client
        self._bucket = bucket

    def get(self, key: str, max_bytes: int) -> bytes:
        """The object's bytes.

        Raises:
            ObjectMissingError, ObjectTooLargeError.
        """
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            raise _missing(error, key) from error
        with answer["Body"] as body:
            if answer["ContentLength"] > max_bytes:
                raise ObjectTooLargeError(key)
            return body.read()

    def metadata(self, key: str) -> dict[str, str] | None:
        """The metadata the object was stored with, names in lower case (stores differ); None
        where there is no object."""
        try:
            found = self._client.head_object(Bucket=self._bucket, Key=key)["Metadata"]
            return {name.lower(): value for name, value in found.items()}
        except ClientError as error:
            _missing(error, key)
            return None

    def put(
        self, key: str, data: bytes, content_type: str, metadata: Mapping[str, str] | None = None
    ) -> None:
        self._client.put_object(
            Bucket=self._bucket,
            Key=key,
            Body=data,
            ContentType=content_type,
            Metadata=dict(metadata or {}),
        )

    def delete(self, key: str) -> None:
        """Gone afterwards, whether or not it was there."""
        self._client.delete_object(Bucket=self._bucket, Key=key)


def _missing(error: ClientError, key: str) -> ObjectMissingError:
    """What a 404 means; any other answer is raised as it is."""
    if error.response.get("Error", {}).get("Code") not in _GONE:
        raise error
    return ObjectMissingError(key)
