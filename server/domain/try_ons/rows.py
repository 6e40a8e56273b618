"""What happens to a try-on that was taken in: read, judged, taken back, deleted, told."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select, update

from gpu_worker.contract import Lane, TryOnJob, TryOnStatus
from server.infra import paging, reasons
from server.infra.caller import Caller, CallerKind, get_owned, owned, sees_picture
from server.infra.errors import Code, Problem, TryOnFinal
from server.infra.paging import Page
from server.infra.services import Services, Work
from server.infra.store import Store, partial_key, picture_key
from server.models import Garment, Photo, TryOn, now

UNFINISHED = (TryOnStatus.QUEUED, TryOnStatus.RUNNING)


def get(services: Services, caller: Caller, try_on_id: str) -> TryOn:
    """Raises `Problem` try_on_not_found, or gone for one whose picture was deleted or ran out."""
    with services.read() as session:
        row = get_owned(session, TryOn, caller, try_on_id, missing=Code.TRY_ON_NOT_FOUND)
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
    """The caller's try-ons, newest first. A shopper does not see those she deleted; merchants
    do, without picture. `mode` narrows a user, who sees both."""
    query = owned(select(TryOn), TryOn, caller)
    if caller.kind == "shopper":
        query = query.where(TryOn.deleted_at.is_(None), TryOn.expires_at > now())
    if status is not None:
        query = query.where(TryOn.status == status)
    if mode is not None:
        query = query.where(TryOn.mode == mode)
    with services.read() as session:
        return paging.page(session, query, TryOn, cursor, limit)


def change(
    services: Services,
    caller: Caller,
    try_on_id: str,
    *,
    liked: bool | None = None,
    reason: str | None = None,
    shared: bool | None = None,
) -> TryOn:
    """Notes what the shopper thinks of it; None leaves a thing as it is.

    Raises:
        Problem: try_on_not_found, gone; not_allowed where another than she would share her picture.
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
    """Ends an unfinished try-on. Cancelling a cancelled one is fine.

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
    """For operators: puts a failed try-on in line again, as if it were asked for now.

    Raises:
        Problem: try_on_not_found; try_on_final where it did not fail; gone where its photo, its
            garment or its time is.
    """
    with services.work() as work:
        row = work.session.get(TryOn, try_on_id, with_for_update=True)
        if row is None:
            raise Problem(Code.TRY_ON_NOT_FOUND)
        if row.status != TryOnStatus.FAILED:
            raise TryOnFinal(f"Only a failed one can be put back: {row.status.value}.")
        photo = work.session.get(Photo, row.photo_id) if row.photo_id else None
        garment = work.session.get(Garment, row.garment_id) if row.garment_id else None
        if photo is None or garment is None or row.expires_at <= work.now:
            raise Problem(Code.GONE)
        row.status, row.error_code, row.retryable = TryOnStatus.QUEUED, None, False
        row.queued_at, row.started_at, row.finished_at = work.now, None, None
        row.step, row.steps, row.queue_ms, row.total_ms = 0, 0, None, None
        work.nudge(row)
        job = job_of(row, photo, garment)
        work.after_commit(lambda: enqueue(services, job, row.lane, anew=True))
    return row


def remove(services: Services, caller: Caller, try_on_id: str) -> None:
    """Deletes the picture. The row stays as a tombstone; deleting it again is fine."""
    with services.work() as work:
        row = get_owned(
            work.session, TryOn, caller, try_on_id, missing=Code.TRY_ON_NOT_FOUND, lock=True
        )
        if row.deleted_at is None:
            bury(work, row)


def bury(work: Work, row: TryOn) -> None:
    """Turns a try-on into its tombstone and dooms its pictures. Also how pictures run out."""
    _stop(work, row)
    work.doom([picture_key(row.id), partial_key(row.id)])
    row.deleted_at = row.deleted_at or work.now
    row.result_key = row.preview_key = row.photo_id = row.like_reason = row.asked_from = None
    row.shared = False
    work.nudge(row)


def enqueue(services: Services, job: TryOnJob, lane: Lane, *, anew: bool = False) -> bool:
    return services.jobs.enqueue(job, job.engine, lane, anew=anew)


def job_of(row: TryOn, photo: Photo, garment: Garment) -> TryOnJob:
    options = {key: value for key, value in row.options.items() if key not in ("category", "seed")}
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
        **options,
    )


def to_dict(row: TryOn, store: Store, *, reader: CallerKind = "shopper") -> dict[str, Any]:
    """A try-on as it stands in JSON, for a reader whose row it is."""
    gone = row.deleted_at is not None or row.expires_at <= now()
    there = row.status == TryOnStatus.SUCCEEDED and row.result_key is not None and not gone
    shown = there and sees_picture(reader, row)
    return {
        "id": row.id,
        "status": row.status.value,
        "position": row.position,
        "eta_s": row.eta_s,
        "step": row.step,
        "steps": row.steps,
        "photo_id": row.photo_id,
        "garment_id": row.garment_id,
        "category": row.category.value,
        "result_url": store.presign_get(row.result_key or "") if shown else None,
        "width": row.width,
        "height": row.height,
        "engine": row.engine,
        "is_preview": row.is_preview,
        "tier": row.tier,
        "seed": row.seed,
        "timings_ms": {"queue": row.queue_ms, "model": row.model_ms, "total": row.total_ms},
        "ai_generated": True,
        "error": _error(row, for_merchant=reader != "shopper"),
        "liked": row.liked,
        "reason": row.like_reason,
        "shared": row.shared,
        "created_at": row.created_at.isoformat(),
        "expires_at": row.expires_at.isoformat(),
    }


def _error(row: TryOn, *, for_merchant: bool) -> dict[str, Any] | None:
    if row.error_code is None:
        return None
    words = reasons.to_dict(row.error_code, for_merchant=for_merchant)
    return {**words, "retryable": row.retryable}


def _get_locked(work: Work, caller: Caller, try_on_id: str) -> TryOn:
    row = get_owned(
        work.session, TryOn, caller, try_on_id, missing=Code.TRY_ON_NOT_FOUND, lock=True
    )
    if row.deleted_at is not None:
        raise Problem(Code.GONE)
    return row


def _stop(work: Work, row: TryOn) -> None:
    """Compare-and-set: who settles an unfinished row first is right, here and in the steward."""
    half_done = row.preview_key
    stopped = work.session.execute(
        update(TryOn)
        .where(TryOn.id == row.id, TryOn.status.in_(UNFINISHED))
        .values(
            status=TryOnStatus.CANCELLED,
            finished_at=work.now,
            position=None,
            preview_key=None,
            asked_from=None,
        )
        .returning(TryOn.id)
    ).first()
    if stopped is None:
        return
    work.doom([half_done])
    work.session.refresh(row)
    # The worker may store a picture all the same; the steward deletes what comes for this row.
    jobs, job_id, engine, lane, merchant = (
        work.services.jobs, row.id, row.engine, row.lane, row.merchant_id,
    )  # fmt: skip
    work.after_commit(lambda: jobs.cancel(job_id, engine, lane, merchant))
