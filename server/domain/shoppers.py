"""Shoppers, the pseudonymous end users: create, find again by a resume cookie, erase.

A shopper is a random id, what she consented to, and an end; no name, no e-mail.
"""

from __future__ import annotations

import secrets
from datetime import timedelta

from sqlalchemy import delete, select

from server.domain import photos, try_ons, uploads
from server.infra.caller import Caller
from server.infra.credentials import hash_token
from server.infra.services import Services, Work
from server.models import IdempotencyKey, Photo, Shopper, TryOn, Upload, now

SESSION_S = 86_400


def create(services: Services, *, merchant_id: str, site_id: str, mode: str) -> Shopper:
    with services.work() as work:
        shopper = Shopper(
            merchant_id=merchant_id,
            site_id=site_id,
            mode=mode,
            expires_at=work.now + timedelta(seconds=SESSION_S),
        )
        work.session.add(shopper)
    return shopper


def get(services: Services, shopper_id: str) -> Shopper | None:
    """None for a shopper who was erased or has expired, which makes her tokens invalid."""
    with services.read() as session:
        shopper = session.get(Shopper, shopper_id)
    return shopper if shopper is not None and shopper.expires_at > now() else None


def resume(services: Services, handle: str) -> Shopper | None:
    """The shopper of this resume cookie; None for an unknown handle or an expired shopper."""
    with services.read() as session:
        shopper = session.scalar(select(Shopper).where(Shopper.resume_hash == hash_token(handle)))
    return shopper if shopper is not None and shopper.expires_at > now() else None


def remember(
    services: Services, shopper_id: str, handle: str | None, *, replace: bool
) -> str | None:
    """Extends a shopper's session and returns the handle for her resume cookie, in clear text.

    A valid `handle` is kept, so that two tabs do not invalidate each other's cookie. A new one is
    made if she never had one, or with `replace` if she lost hers. None before consent, and where
    her handle is another one and `replace` is off.
    """
    with services.work() as work:
        shopper = work.session.get(Shopper, shopper_id, with_for_update=True)
        if shopper is None or shopper.consented_at is None:
            return None
        if handle is None or hash_token(handle) != shopper.resume_hash:
            if shopper.resume_hash is not None and not replace:
                return None
            handle = secrets.token_urlsafe(32)
        shopper.resume_hash = hash_token(handle)
        shopper.expires_at = work.now + timedelta(seconds=SESSION_S)
    return handle


def erase(services: Services, caller: Caller) -> None:
    """The shopper's own "Delete now": deletes her photos, pictures, uploads and herself."""
    with services.work() as work:
        shopper = work.session.get(Shopper, caller.shopper_id, with_for_update=True)
        if shopper is not None:
            delete_with_objects(work, shopper)


def delete_with_objects(work: Work, shopper: Shopper) -> None:
    """Deletes a shopper and all that is hers; her try-ons stay as tombstones without her id. The
    steward calls it for shoppers past `expires_at`."""
    session = work.session
    mine = select(Photo).where(Photo.shopper_id == shopper.id).with_for_update()
    for photo in session.scalars(mine).all():
        photos.delete_with_objects(work, photo)
    asked = select(TryOn).where(TryOn.shopper_id == shopper.id).with_for_update()
    for row in session.scalars(asked).all():
        if row.deleted_at is None:
            try_ons.delete_with_objects(work, row)
        row.shopper_id = None  # after the deletion: its nudge still has to reach her pages
    for upload in session.scalars(select(Upload).where(Upload.shopper_id == shopper.id)).all():
        uploads.delete_with_objects(work, upload)
    session.execute(delete(IdempotencyKey).where(IdempotencyKey.owner == shopper.id))
    session.delete(shopper)


def caller_of(shopper: Shopper) -> Caller:
    return Caller(
        kind="shopper",
        merchant_id=shopper.merchant_id,
        site_id=shopper.site_id,
        shopper_id=shopper.id,
        mode=shopper.mode,
    )
