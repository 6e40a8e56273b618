"""Reads and changes photos: create from an upload, choose a person, delete, time out.

A function that takes `Services` runs in a transaction of its own; one that takes a `Work` runs in
the caller's, which may be the steward's.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select, update

from gpu_worker.contract import PhotoJob, PhotoStatus, Reason
from server.domain import try_ons, uploads, waiting
from server.domain.fair_share import admits
from server.domain.photos import lifecycle
from server.domain.transitions import write
from server.infra import nudges
from server.infra.caller import Caller, get_owned, owned
from server.infra.errors import RETRY_AFTER_S, Code, Problem, UploadNotFound
from server.infra.services import Services, Work
from server.infra.store import photo_keys
from server.models import Photo, Shopper, TryOn, new_id, now

PLACE = PhotoJob.ENGINE, PhotoJob.LANE


def create(
    services: Services,
    caller: Caller,
    *,
    key: str,
    consent_version: str,
    asked_from: str | None = None,
) -> Photo:
    """Turns an uploaded file into a photo and enqueues its check. Idempotent: the same upload key
    gives the same photo. `asked_from`: a mark of the address, from `auth.asked_from`.

    Raises:
        Problem: upload_not_found, upload_missing, type_mismatch, too_many_photos, queue_full.
    """
    known = _made_from(services, caller, key)
    if known is not None:
        return known
    try:
        return _take_over(services, caller, key, consent_version, asked_from)
    except UploadNotFound:
        # A concurrent request may have taken the upload over: then its photo is the answer.
        known = _made_from(services, caller, key)
        if known is None:
            raise
        return known


def _take_over(
    services: Services, caller: Caller, key: str, consent_version: str, asked_from: str | None
) -> Photo:
    upload = uploads.find(services, caller, key, purpose="photo", param="key")
    with services.work() as work:
        photo_id = new_id("pho")
        keys = photo_keys(photo_id)
        photo = Photo(
            id=photo_id,
            merchant_id=upload.merchant_id,
            site_id=upload.site_id,
            shopper_id=upload.shopper_id,
            mode=upload.mode,
            consent_version=consent_version,
            upload_key=upload.key,
            content_type=upload.content_type,
            clean_key=keys.clean,
            parts_key=keys.parts,
            asked_from=asked_from,
            created_at=work.now,
            queued_at=work.now,
            expires_at=work.now + timedelta(seconds=services.settings.photo_ttl_s),
        )
        _note_consent(work, photo)
        _refuse_flood(work, caller, photo)
        uploads.take_over(work, upload, param="key")
        work.session.add(photo)
        work.session.flush()
        work.announce(nudges.of(photo))
        work.after_commit(lambda: enqueue(services, photo))
    return photo


def get(services: Services, caller: Caller, photo_id: str) -> Photo:
    """Raises `Problem` photo_not_found, also for one that has expired."""
    with services.read() as session:
        photo = get_owned(session, Photo, caller, photo_id, missing=Code.PHOTO_NOT_FOUND)
    if photo.expires_at <= now():  # the steward deletes it only some seconds later
        raise Problem(Code.PHOTO_NOT_FOUND)
    return photo


def recent(services: Services, caller: Caller, *, limit: int = 50) -> list[Photo]:
    """The caller's photos that have not expired, newest first."""
    with services.read() as session:
        query = owned(select(Photo).where(Photo.expires_at > now()), Photo, caller)
        return list(session.scalars(query.order_by(Photo.created_at.desc()).limit(limit)))


def choose_person(
    services: Services,
    caller: Caller,
    photo_id: str,
    person: int,
    *,
    asked_from: str | None = None,
) -> Photo:
    """Picks one of several people (an index into `photo.people`) and enqueues a new check for that
    one. `asked_from`: a mark of the address, from `auth.asked_from`.

    Raises:
        Problem: photo_not_found, photo_settled, person_unknown, too_many_photos, queue_full.
    """
    with services.work() as work:
        photo = get_owned(
            work.session, Photo, caller, photo_id, missing=Code.PHOTO_NOT_FOUND, lock=True
        )
        if Reason.SEVERAL_PEOPLE not in photo.reasons:
            raise Problem(Code.PHOTO_SETTLED)
        if person >= len(photo.people):
            raise Problem(Code.PERSON_UNKNOWN, param="person")
        again = lifecycle.checked_again(photo, work.now, person, asked_from)
        photo.asked_from = asked_from  # `_refuse_flood` counts by it
        _refuse_flood(work, caller, photo)
        write(photo, again)
        work.nudge(photo)
        work.after_commit(lambda: enqueue(services, photo, anew=True))
    return photo


def remove(services: Services, caller: Caller, photo_id: str) -> None:
    """Deletes a photo, everything made from it, and the pictures that show it.

    Raises:
        Problem: photo_not_found.
    """
    with services.work() as work:
        photo = get_owned(
            work.session, Photo, caller, photo_id, missing=Code.PHOTO_NOT_FOUND, lock=True
        )
        delete_with_objects(work, photo)


def delete_with_objects(work: Work, photo: Photo) -> None:
    """Deletes the row and marks its objects and its try-ons' pictures for deletion. The steward
    calls it for photos past `expires_at`."""
    shown = select(TryOn).where(TryOn.photo_id == photo.id).with_for_update()
    for row in work.session.scalars(shown).all():
        try_ons.delete_with_objects(work, row)
    keys = photo_keys(photo.id)
    work.doom([photo.upload_key], until=uploads.writable_until(photo.created_at))
    work.doom(keys.all())
    if photo.status in lifecycle.UNFINISHED:
        _cancel_job(work, photo)
    work.announce(nudges.gone(photo))
    work.session.delete(photo)


def end_overdue(work: Work, photo: Photo) -> None:
    """Timeout: rejects a photo that was not checked in time, with `worker_lost`."""
    write(photo, lifecycle.rejected(photo, [Reason.WORKER_LOST.value]))
    work.doom([photo.upload_key])
    _cancel_job(work, photo)


def _cancel_job(work: Work, photo: Photo) -> None:
    jobs, place = work.services.jobs, (photo.id, *PLACE, photo.merchant_id)
    work.after_commit(lambda: jobs.cancel(*place))


def enqueue(services: Services, photo: Photo, *, anew: bool = False) -> bool:
    """Enqueues its check; see `infra.jobs.Jobs.enqueue`."""
    return services.jobs.enqueue(job_of(photo), *PLACE, anew=anew)


def job_of(photo: Photo) -> PhotoJob:
    return PhotoJob(
        merchant_id=photo.merchant_id,
        site_id=photo.site_id,
        shopper_id=photo.shopper_id,
        asked_from=photo.asked_from,
        accepted_at_ms=_ms(photo.queued_at),
        photo_id=photo.id,
        upload_key=photo.upload_key,
        content_type=photo.content_type,
        clean_key=photo.clean_key,
        parts_key=photo.parts_key,
        person=photo.person,
    )


def _made_from(services: Services, caller: Caller, key: str) -> Photo | None:
    with services.read() as session:
        return session.scalar(owned(select(Photo).where(Photo.upload_key == key), Photo, caller))


def _refuse_flood(work: Work, caller: Caller, photo: Photo) -> None:
    """Limits unfinished photos per shopper, and the queue by fair share (`fair_share.admits`).

    Counted from rows, not from Redis, so that limits hold while Redis is away.
    """
    session, settings = work.session, work.services.settings
    checking = Photo.status == PhotoStatus.CHECKING
    waiting.refuse_more_than(
        settings.unfinished_photos, session, caller, Photo, checking, code=Code.TOO_MANY_PHOTOS
    )
    place = (photo.merchant_id, photo.site_id, photo.asked_from)
    if not admits(waiting.photos(session), place, settings.max_queue, sheds=False):
        raise Problem(Code.QUEUE_FULL, retry_after_s=RETRY_AFTER_S)


def _note_consent(work: Work, photo: Photo) -> None:
    """Records consent on the shopper's row. The update also locks that row until the commit: an
    erasure that runs now waits, and then finds this photo."""
    if photo.shopper_id is None:
        return
    noted = (
        update(Shopper)
        .where(Shopper.id == photo.shopper_id)
        .values(consent_version=photo.consent_version, consented_at=work.now)
        .returning(Shopper.id)
    )
    if work.session.execute(noted).first() is None:
        raise UploadNotFound("key")  # she was erased, and it with her


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
