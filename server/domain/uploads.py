"""Presigned uploads: announce a file, get a URL for exactly that file, claim it for a photo later.

The row records who announced what, so that no other caller can use the key, and so that a file
that no photo or garment takes over is deleted.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select

from server.infra.caller import Caller, keep_shopper, owned, require_site
from server.infra.errors import Code, Problem, UploadNotFound
from server.infra.services import Services, Work
from server.infra.store import UPLOAD_EXPIRES_S, upload_key
from server.models import Upload, now

CONTENT_TYPES = ("image/jpeg", "image/png", "image/webp")
HEIC_TYPES = ("image/heic", "image/heif")
CLAIM_S = 3600  # an upload that was not taken over by then is deleted
CLOCKS_DIFFER_S = 60  # most that our clock and the store's may differ


@dataclass(frozen=True, slots=True)
class Announced:
    """An upload and the presigned URL for its one PUT."""

    upload: Upload
    url: str

    @property
    def headers(self) -> dict[str, str]:
        """The headers that the PUT must have; the signature covers them."""
        return {"Content-Type": self.upload.content_type}


def create(
    services: Services, caller: Caller, *, purpose: str, content_type: str, size_bytes: int
) -> Announced:
    """Announces a file of this type and exact length. `purpose`: `photo` or `garment`.

    Raises:
        Problem: unsupported_format, empty_file, file_too_large; bad_token for a shopper who was
            erased meanwhile; invalid for a caller without a site.
    """
    _check(services, content_type, size_bytes)
    site_id = require_site(caller)
    with services.work() as work:
        keep_shopper(work.session, caller)
        upload = Upload(
            key=upload_key(site_id),
            merchant_id=caller.merchant_id,
            site_id=site_id,
            shopper_id=caller.shopper_id,
            mode=caller.mode,
            purpose=purpose,
            content_type=content_type,
            size_bytes=size_bytes,
            expires_at=work.now + timedelta(seconds=CLAIM_S),
        )
        work.session.add(upload)
    return Announced(upload, services.store.presign_put(upload.key, content_type, size_bytes))


def find(services: Services, caller: Caller, key: str, *, purpose: str, param: str) -> Upload:
    """The caller's upload, checked against the object in the store (existence, length, type).

    Raises:
        Problem: upload_not_found, upload_missing, type_mismatch.
        Unavailable: the store is away.
    """
    with services.read() as session:
        query = owned(select(Upload).where(Upload.key == key), Upload, caller)
        upload = session.scalar(query.where(Upload.expires_at > now()))
    if upload is None or upload.purpose != purpose:
        raise UploadNotFound(param)
    head = services.store.head(key)
    if head is None:
        raise Problem(Code.UPLOAD_MISSING, param=param)
    if (head.size_bytes, head.content_type) != (upload.size_bytes, upload.content_type):
        raise Problem(Code.TYPE_MISMATCH, param=param)
    return upload


def take_over(work: Work, upload: Upload, *, param: str) -> None:
    """Deletes the upload's row: from now on a photo or garment owns the file. Of concurrent calls
    exactly one succeeds.

    Raises:
        Problem: upload_not_found, for the others.
    """
    if not _forget(work, upload):
        raise UploadNotFound(param)


def delete_with_objects(work: Work, upload: Upload) -> None:
    """Deletes the upload's row and marks its object for deletion. The steward calls it for uploads
    past `expires_at`."""
    _forget(work, upload)
    announced_at = upload.expires_at - timedelta(seconds=CLAIM_S)
    work.doom([upload.key], until=writable_until(announced_at))


def _forget(work: Work, upload: Upload) -> bool:
    """Deletes the row; False if a concurrent transaction did so before."""
    forgotten = delete(Upload).where(Upload.key == upload.key).returning(Upload.key)
    return work.session.execute(forgotten).first() is not None


def writable_until(announced_at: datetime) -> datetime:
    """Until when the presigned URL accepts a PUT, whatever became of the row. An object must be
    deleted once more after this moment."""
    return announced_at + timedelta(seconds=UPLOAD_EXPIRES_S + CLOCKS_DIFFER_S)


def _check(services: Services, content_type: str, size_bytes: int) -> None:
    if content_type in HEIC_TYPES:
        raise Problem(
            Code.UNSUPPORTED_FORMAT,
            "HEIC pictures cannot be read. Send it as JPEG (on an iPhone: Settings, Camera, "
            "Formats, Most Compatible).",
            param="content_type",
        )
    if content_type not in CONTENT_TYPES:
        raise Problem(Code.UNSUPPORTED_FORMAT, param="content_type")
    if size_bytes == 0:
        raise Problem(Code.EMPTY_FILE, param="size_bytes")
    if size_bytes > services.settings.max_upload_bytes:
        limit = services.settings.max_upload_bytes
        raise Problem(Code.FILE_TOO_LARGE, f"Send at most {limit} bytes.", param="size_bytes")
