"""Reads and changes accepted try-ons: like, share, cancel, retry, delete, time out, put back.

A function that takes `Services` runs in a transaction of its own; one that takes a `Work` runs in
the caller's, which may be the steward's.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, update

from gpu_worker.contract import Lane, Options, Reason, TryOnJob, TryOnStatus
from server.domain.transitions import write
from server.domain.try_ons import lifecycle
from server.infra import paging
from server.infra.caller import Caller, get_owned
from server.infra.errors import Code, Problem, TryOnFinal
from server.infra.paging import Page
from server.infra.services import Services, Work
from server.infra.store import partial_key, picture_key, try_on_keys
from server.models import Garment, Photo, TryOn, now


def get(services: Services, caller: Caller, try_on_id: str) -> TryOn:
    """Raises `Problem` try_on_not_found, or gone where the picture was deleted or has expired."""
    with services.read() as session:
        row = get_owned(session, TryOn, caller, try_on_id, missing=Code.TRY_ON_NOT_FOUND)
    # The steward deletes an expired one only some seconds later.
    if row.deleted_at is not None or row.expires_at <= now():
        raise Problem(Code.GONE)
    return row


def listing(
    services: Services,
    caller: Caller,
    *,
    cursor: str | None = None,
    limit: int = 20,
    status: TryOnStatus | None = None,
    mode: str | None = None,
) -> Page[TryOn]:
    """The caller's try-ons, newest first. A shopper does not see those that were deleted; merchants
    see them without picture. `mode` is for a dashboard user, who sees both modes otherwise."""
    only: list[ColumnElement[bool]] = []
    if caller.kind == "shopper":
        only += [TryOn.deleted_at.is_(None), TryOn.expires_at > now()]
    if status is not None:
        only.append(TryOn.status == status)
    if mode is not None:
        only.append(TryOn.mode == mode)
    return paging.listed(services, caller, TryOn, cursor, limit, *only)


def change(
    services: Services,
    caller: Caller,
    try_on_id: str,
    *,
    liked: bool | None = None,
    reason: str | None = None,
    shared: bool | None = None,
) -> TryOn:
    """Sets like, its reason, and sharing; None keeps the present value.

    Raises:
        Problem: try_on_not_found, gone; not_allowed if a merchant would share a shopper's picture.
    """
    with services.work() as work:
        row = _get_locked(work, caller, try_on_id)
        if shared is not None and caller.kind != "shopper" and row.shopper_id is not None:
            raise Problem(
                Code.NOT_ALLOWED, "Only the shopper can share her picture.", param="shared"
            )
        row.liked = row.liked if liked is None else liked
        row.like_reason = row.like_reason if reason is None else reason
        row.shared = row.shared if shared is None else shared
        work.nudge(row)
    return row


def cancel(services: Services, caller: Caller, try_on_id: str) -> TryOn:
    """Cancels an unfinished try-on. Cancelling a cancelled one is no error.

    Raises:
        Problem: try_on_not_found, gone, try_on_final.
    """
    with services.work() as work:
        row = _get_locked(work, caller, try_on_id)
        if row.status.is_final and row.status != TryOnStatus.CANCELLED:
            raise TryOnFinal()
        _stop(work, row)
        work.nudge(row)
    return row


def retry(services: Services, try_on_id: str) -> TryOn:
    """For operators: enqueues a failed try-on again, as if it were asked for now.

    Raises:
        Problem: try_on_not_found; try_on_final if it did not fail; gone if its photo or garment was
            deleted or it has expired.
    """
    with services.work() as work:
        row = work.session.get(TryOn, try_on_id, with_for_update=True)
        if row is None:
            raise Problem(Code.TRY_ON_NOT_FOUND)
        if row.status != TryOnStatus.FAILED:
            raise TryOnFinal(f"Only a failed one can be put back: {row.status.value}.")
        shows = _what_it_shows(work, row)
        if shows is None or row.expires_at <= work.now:
            raise Problem(Code.GONE)
        write(row, lifecycle.retried(row, work.now))
        work.nudge(row)
        job = job_of(row, *shows)
        # `anew`: RQ keeps a failed job's hash for a while, and would take this for a duplicate.
        work.after_commit(lambda: enqueue(services, job, row.lane, anew=True))
    return row


def remove(services: Services, caller: Caller, try_on_id: str) -> None:
    """Deletes the picture; the row stays as a tombstone. Idempotent.

    Raises:
        Problem: try_on_not_found.
    """
    with services.work() as work:
        row = get_owned(
            work.session, TryOn, caller, try_on_id, missing=Code.TRY_ON_NOT_FOUND, lock=True
        )
        if row.deleted_at is None:
            delete_with_objects(work, row)


def delete_with_objects(work: Work, row: TryOn) -> None:
    """Turns a try-on into a tombstone and marks its pictures for deletion. The steward calls it for
    those past `expires_at`."""
    _stop(work, row)
    work.doom(try_on_keys(row.id))
    write(row, lifecycle.tombstone(row, work.now))
    work.nudge(row)


def end_overdue(work: Work, row: TryOn) -> None:
    """Timeout: sets an unfinished try-on to `expired` and marks what a worker may have stored for
    deletion."""
    write(row, lifecycle.expired(row, work.now))
    work.doom(try_on_keys(row.id))
    _cancel_job(work, row)


def put_back(work: Work, row: TryOn) -> TryOnJob | None:
    """A new job for an unfinished try-on that has neither job nor lease. A running one goes back to
    queued. None if its photo or garment was deleted meanwhile: then it fails."""
    shows, partial = _what_it_shows(work, row), row.partial_key
    if shows is None:
        write(row, lifecycle.failed(row, work.now, Reason.GARMENT_NOT_FOUND.value))
    elif row.status is TryOnStatus.RUNNING:
        write(row, lifecycle.restarted(row))
    else:
        return job_of(row, *shows)
    work.doom([partial])
    work.nudge(row)
    return job_of(row, *shows) if shows else None


def enqueue(services: Services, job: TryOnJob, lane: Lane, *, anew: bool = False) -> bool:
    """Enqueues a job; see `infra.jobs.Jobs.enqueue`."""
    return services.jobs.enqueue(job, job.engine, lane, anew=anew)


def job_of(row: TryOn, photo: Photo, garment: Garment) -> TryOnJob:
    # Rows of an earlier release hold category and seed among the options, too.
    apart = ("category", "seed")
    options = {name: value for name, value in row.options.items() if name not in apart}
    return TryOnJob(
        merchant_id=row.merchant_id,
        site_id=row.site_id,
        shopper_id=row.shopper_id,
        asked_from=row.asked_from,
        accepted_at_ms=round(row.queued_at.timestamp() * 1000),
        try_on_id=row.id,
        engine=row.engine,
        category=row.category,
        photo_key=photo.clean_key,
        photo_parts_key=photo.parts_key,
        garment_key=garment.clean_key,
        garment_parts_key=garment.parts_key,
        result_key=picture_key(row.id),
        partial_key=partial_key(row.id),
        seed=row.seed,
        options=Options(**options),
    )


def _get_locked(work: Work, caller: Caller, try_on_id: str) -> TryOn:
    row = get_owned(
        work.session, TryOn, caller, try_on_id, missing=Code.TRY_ON_NOT_FOUND, lock=True
    )
    if row.deleted_at is not None:
        raise Problem(Code.GONE)
    return row


def _what_it_shows(work: Work, row: TryOn) -> tuple[Photo, Garment] | None:
    photo = work.session.get(Photo, row.photo_id) if row.photo_id else None
    garment = work.session.get(Garment, row.garment_id) if row.garment_id else None
    return (photo, garment) if photo is not None and garment is not None else None


def _stop(work: Work, row: TryOn) -> None:
    """Cancels an unfinished row by compare-and-set: the steward may settle it at the same moment,
    and whoever writes first wins."""
    if row.status.is_final:
        return
    partial, legal = row.partial_key, lifecycle.MOVES.before(TryOnStatus.CANCELLED)
    stopped = work.session.execute(
        update(TryOn)
        .where(TryOn.id == row.id, TryOn.status.in_(legal))
        .values(**lifecycle.cancelled(row, work.now))
        .returning(TryOn.id)
    ).first()
    if stopped is None:
        return
    work.doom([partial])
    work.session.refresh(row)  # the update above went past the session's copy
    # The worker may still store a picture; the steward deletes it when its event arrives.
    _cancel_job(work, row)


def _cancel_job(work: Work, row: TryOn) -> None:
    jobs, place = work.services.jobs, (row.id, row.engine, row.lane, row.merchant_id)
    work.after_commit(lambda: jobs.cancel(*place))
