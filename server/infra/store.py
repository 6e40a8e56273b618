"""The object store (any S3): keys, presigned URLs, HEAD and DELETE. The only user of boto3.

Never reads or writes the bytes of an image: browsers and workers do.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from server.config import Settings
from server.infra.errors import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

UPLOAD_EXPIRES_S = 600
DOWNLOAD_EXPIRES_S = 300
MOST_AT_ONCE = 1000  # what one DeleteObjects takes
_TIMEOUT_S = 3


# --- keys ----------------------------------------------------------------------------------------


def upload_key(site_id: str) -> str:
    """A new random key for an upload. Clients can write no other kind of key, and each of these
    only by its presigned PUT."""
    return f"uploads/{site_id}/{secrets.token_urlsafe(18)}"


@dataclass(frozen=True, slots=True)
class DerivedKeys:
    """Keys of what workers derive from a photo or garment. `fetched`: a garment's picture as the
    fetcher downloaded it, until the tailor has read it."""

    clean: str
    parts: str
    cutout: str | None = None
    fetched: str | None = None

    def all(self) -> list[str]:
        return [key for key in (self.clean, self.parts, self.cutout, self.fetched) if key]


def photo_keys(photo_id: str) -> DerivedKeys:
    return DerivedKeys(f"photos/{photo_id}/photo.jpg", f"photos/{photo_id}/parts.npz")


def garment_keys(garment_id: str) -> DerivedKeys:
    base = f"garments/{garment_id}"
    return DerivedKeys(
        clean=f"{base}/garment.png",
        parts=f"{base}/parts.npz",
        cutout=f"{base}/cutout.png",
        fetched=f"{base}/fetched",
    )


def picture_key(try_on_id: str) -> str:
    return f"pictures/{try_on_id}.jpg"


def partial_key(try_on_id: str) -> str:
    """Key of a try-on's partial picture."""
    return f"pictures/{try_on_id}-partial.jpg"


def try_on_keys(try_on_id: str) -> list[str]:
    return [picture_key(try_on_id), partial_key(try_on_id)]


# --- the store -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Head:
    size_bytes: int
    content_type: str


class Store:
    """One bucket. Presigning is local computation; `head`, `delete` and `ping` use the network and
    raise `Unavailable` if the store does not answer.

    `signer` signs for the address that browsers use, `client` talks to the one inside the cluster.
    """

    def __init__(self, bucket: str, client: S3Client, signer: S3Client):
        self._bucket = bucket
        self._client = client
        self._signer = signer

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        public = settings.s3_public_url or settings.s3_endpoint_url
        client, signer = connect(settings, settings.s3_endpoint_url), connect(settings, public)
        return cls(settings.s3_bucket, client, signer)

    def presign_put(self, key: str, content_type: str, size_bytes: int) -> str:
        """A URL, valid for UPLOAD_EXPIRES_S, that accepts a PUT of exactly this type and length."""
        return self._signer.generate_presigned_url(
            "put_object",
            Params={
                "Bucket": self._bucket,
                "Key": key,
                "ContentType": content_type,
                "ContentLength": size_bytes,
            },
            ExpiresIn=UPLOAD_EXPIRES_S,
        )

    def presign_get(self, key: str, expires_s: int = DOWNLOAD_EXPIRES_S) -> str:
        return self._signer.generate_presigned_url(
            "get_object", Params={"Bucket": self._bucket, "Key": key}, ExpiresIn=expires_s
        )

    def head(self, key: str) -> Head | None:
        """Size and type of an object; None if there is none."""
        try:
            answer = self._client.head_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            if _status(error) == 404:
                return None
            raise Unavailable("store") from error
        except BotoCoreError as error:
            raise Unavailable("store") from error
        return Head(answer["ContentLength"], answer.get("ContentType", ""))

    def delete(self, keys: list[str]) -> None:
        """Deletes objects. Idempotent: a missing object is no error."""
        for start in range(0, len(keys), MOST_AT_ONCE):
            self._delete(keys[start : start + MOST_AT_ONCE])

    def _delete(self, keys: list[str]) -> None:
        try:
            answer = self._client.delete_objects(
                Bucket=self._bucket,
                Delete={"Objects": [{"Key": key} for key in keys], "Quiet": True},
            )
        except (ClientError, BotoCoreError) as error:
            raise Unavailable("store") from error
        if answer.get("Errors"):
            raise Unavailable("store")

    def ping(self) -> None:
        try:
            self._client.head_bucket(Bucket=self._bucket)
        except (ClientError, BotoCoreError) as error:
            raise Unavailable("store") from error


def connect(settings: Settings, endpoint_url: str | None) -> S3Client:
    """A new S3 client for this endpoint. Creating one is slow, so share it."""
    return boto3.client(
        "s3",
        endpoint_url=endpoint_url,
        aws_access_key_id=settings.aws_access_key_id,
        aws_secret_access_key=settings.aws_secret_access_key,
        region_name=settings.aws_default_region,
        config=Config(
            signature_version="s3v4",
            # Stores other than AWS mostly have no host name for each bucket.
            s3={"addressing_style": "path" if endpoint_url else "auto"},
            connect_timeout=_TIMEOUT_S,
            read_timeout=_TIMEOUT_S,
            retries={"total_max_attempts": 2, "mode": "standard"},
            # Stores other than AWS do not know the newer checksums.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
