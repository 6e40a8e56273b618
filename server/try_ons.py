"""Try-ons: one picture asked for, its place in line, its end, its deletion.

An act opens its own unit of work; `bury`, `job_of`, `pace_s` and `eta_s` are for acts and steward.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import asdict, dataclass, field
from typing import Any

import structlog
from redis.exceptions import RedisError
from sqlalchemy import ColumnElement, and_, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from gpu_worker.contract import (
    Category,
    GarmentStatus,
    Lane,
    PhotoStatus,
    TryOnJob,
    TryOnStatus,
)
from server import nudges, paging, reasons
from server.caller import Caller, get_owned, owned
from server.errors import Problem
from server.jobs import ASSUMED_PICTURE_S, Line
from server.models import Garment, IdempotencyKey, Photo, TryOn, new_id, now
from server.paging import Page
from server.services import Services, Work
from server.storage import Store, partial_key, picture_key

log = structlog.get_logger(__name__)

UNFINISHED = (TryOnStatus.QUEUED, TryOnStatus.RUNNING)
MOST_UNFINISHED = 12  # of one shopper
PACE_SAMPLES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """As on the wire. None: the garment's category, a random seed, the engine's own default."""

    category: Category | None = None
    seed: int | None = None
    num_inference_steps: int | None = None
    guidance_scale: float | None = None
    keep_head: bool = True
    redraw_hands: bool = True
    loose_mask: bool = True
    upscale: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTryOn:
    photo_id: str
    garment_id: str
    options: Options = field(default_factory=Options)

    def fingerprint(self) -> str:
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


def create(
    services: Services, caller: Caller, new: NewTryOn, *, idempotency_key: str | None = None
) -> TryOn:
    """Accepts a try-on and puts it in line. Once accepted it is never lost: where Redis is away,
    `position` is None and the steward enqueues it later.

    Raises:
        Problem: photo_not_found, photo_not_ready, photo_rejected, garment_not_found,
            garment_not_ready, garment_rejected, too_many_try_ons, queue_full,
            idempotency_key_reused.
    """
    if idempotency_key is not None:
        known = _answered(services, caller, new, idempotency_key)
        if known is not None:
            return known
    engine = services.settings.engine_for(caller.mode)
    line = _look_at_line(services, engine)
    try:
        return _insert(services, caller, new, idempotency_key, engine, line)
    except IntegrityError:
        # Somebody else answered this key a moment ago.
        if idempotency_key is None:
            raise
        known = _answered(services, caller, new, idempotency_key)
        if known is None:
            raise
        return known


def get(services: Services, caller: Caller, try_on_id: str) -> TryOn:
    """Raises `Problem` try_on_not_found, or gone for one whose picture was deleted or ran out."""
    with services.read() as session:
        row = get_owned(session, TryOn, caller, try_on_id, missing="try_on_not_found")
    if row.deleted_at is not None or row.expires_at <= now():
        raise Problem("gone")
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
    """Notes what the shopper thinks of it; None leaves a thing as it is."""
    with services.work() as work:
        row = _get_locked(work, caller, try_on_id)
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
            raise Problem("try_on_final")
        _stop(work, row)
        work.nudge(row)
    return row


def remove(services: Services, caller: Caller, try_on_id: str) -> None:
    """Deletes the picture. The row stays as a tombstone; deleting it again is fine."""
    with services.work() as work:
        row = get_owned(
            work.session, TryOn, caller, try_on_id, missing="try_on_not_found", lock=True
        )
        if row.deleted_at is None:
            bury(work, row)


def bury(work: Work, row: TryOn) -> None:
    """Turns a try-on into its tombstone and dooms its pictures. Also how pictures run out."""
    _stop(work, row)
    work.doom([picture_key(row.id), partial_key(row.id)])
    row.deleted_at = row.deleted_at or work.now
    row.result_key = row.photo_id = row.like_reason = None
    row.shared = False
    work.nudge(row)


def enqueue(services: Services, job: TryOnJob, lane: Lane, *, anew: bool = False) -> bool:
    return services.jobs.enqueue(job, job.engine, lane, anew=anew)


def job_of(row: TryOn, photo: Photo, garment: Garment) -> TryOnJob:
    options = {key: value for key, value in row.options.items() if key not in ("category", "seed")}
    return TryOnJob(
        merchant_id=row.merchant_id,
        site_id=row.site_id,
        accepted_at_ms=round(row.created_at.timestamp() * 1000),
        try_on_id=row.id,
        engine=row.engine,
        category=row.category,
        photo_key=photo.clean_key,
        photo_parts_key=photo.parts_key,
        garment_key=garment.clean_key,
        garment_parts_key=garment.parts_key,
        result_key=picture_key(row.id),
        seed=row.seed,
        **options,
    )


def pace_s(session: Session, engine: str) -> float:
    """Seconds that one picture of this engine took lately, alone on the worker."""
    recent = (
        select(TryOn.model_ms)
        .where(TryOn.engine == engine, TryOn.status == TryOnStatus.SUCCEEDED)
        .where(TryOn.model_ms.is_not(None))
        .order_by(TryOn.created_at.desc())
        .limit(PACE_SAMPLES)
        .subquery()
    )
    mean = session.scalar(select(func.avg(recent.c.model_ms)))
    return float(mean) / 1000 if mean else ASSUMED_PICTURE_S


def eta_s(position: int | None, pace: float, batch_size: int) -> float | None:
    """Seconds until the picture at this place is there: full batches, one after another."""
    if position is None:
        return None
    batches = -(-position // max(1, batch_size))
    return round(batches * pace, 1)


def to_dict(row: TryOn, store: Store, *, for_merchant: bool = False) -> dict[str, Any]:
    """A try-on as it stands in JSON."""
    gone = row.deleted_at is not None or row.expires_at <= now()
    there = row.status == TryOnStatus.SUCCEEDED and row.result_key is not None and not gone
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
        "result_url": store.presign_get(row.result_key or "") if there else None,
        "width": row.width,
        "height": row.height,
        "engine": row.engine,
        "is_preview": row.is_preview,
        "tier": row.tier,
        "seed": row.seed,
        "timings_ms": {"queue": row.queue_ms, "model": row.model_ms, "total": row.total_ms},
        "ai_generated": True,
        "error": _error(row, for_merchant),
        "liked": row.liked,
        "reason": row.like_reason,
        "shared": row.shared,
        "created_at": row.created_at.isoformat(),
        "expires_at": row.expires_at.isoformat(),
    }


def _error(row: TryOn, for_merchant: bool) -> dict[str, Any] | None:
    if row.error_code is None:
        return None
    words = reasons.to_dict(row.error_code, for_merchant=for_merchant)
    return {**words, "retryable": row.retryable}


# --- inside create -------------------------------------------------------------------------------


def _answered(services: Services, caller: Caller, new: NewTryOn, key: str) -> TryOn | None:
    with services.read() as session:
        known = session.get(IdempotencyKey, (caller.owner, key))
        if known is None:
            return None
        if known.body_hash != new.fingerprint():
            raise Problem("idempotency_key_reused", param="Idempotency-Key")
        return session.get(TryOn, known.try_on_id)


def _look_at_line(services: Services, engine: str) -> tuple[Line, int] | None:
    try:
        return services.jobs.line(engine), services.jobs.batch_size(engine)
    except RedisError as error:
        log.warning("accepting blind, Redis is away", error=str(error))
        return None


def _insert(
    services: Services,
    caller: Caller,
    new: NewTryOn,
    idempotency_key: str | None,
    engine: str,
    line: tuple[Line, int] | None,
) -> TryOn:
    with services.work() as work:
        photo = _ready_photo(work.session, caller, new.photo_id)
        garment = _ready_garment(work.session, caller, new.garment_id)
        _refuse_flood(work, caller)
        row = _row(work, caller, new, photo, garment, engine)
        if line is not None:
            _place(work, row, *line)
        work.session.add(row)
        if idempotency_key is not None:
            work.session.add(
                IdempotencyKey(
                    owner=caller.owner,
                    key=idempotency_key,
                    body_hash=new.fingerprint(),
                    try_on_id=row.id,
                    created_at=work.now,
                )
            )
        work.session.flush()
        work.announce(nudges.of(row))
        job = job_of(row, photo, garment)
        work.after_commit(lambda: enqueue(services, job, row.lane))
    return row


def _row(
    work: Work, caller: Caller, new: NewTryOn, photo: Photo, garment: Garment, engine: str
) -> TryOn:
    options = new.options
    seed = options.seed if options.seed is not None else secrets.randbelow(2**31)
    wishes = {key: value for key, value in asdict(options).items() if value is not None}
    try_on_id = new_id("try")
    return TryOn(
        id=try_on_id,
        merchant_id=photo.merchant_id,
        site_id=photo.site_id,
        shopper_id=photo.shopper_id,
        photo_id=photo.id,
        garment_id=garment.id,
        mode=caller.mode,
        engine=engine,
        lane=Lane.LIVE,
        status=TryOnStatus.QUEUED,
        category=options.category or garment.category,
        options=wishes,
        seed=seed,
        created_at=work.now,
        queued_at=work.now,
        version=1,
        # The picture lives no longer than the photo it shows.
        expires_at=photo.expires_at,
    )


def _place(work: Work, row: TryOn, line: Line, batch_size: int) -> None:
    pace = pace_s(work.session, row.engine)
    if line.depth >= work.services.settings.max_queue:
        drain_s = eta_s(line.depth, pace, batch_size)
        raise Problem("queue_full", retry_after_s=drain_s)
    row.position = line.next_position(row.merchant_id)
    row.eta_s = eta_s(row.position, pace, batch_size)


def _ready_photo(session: Session, caller: Caller, photo_id: str) -> Photo:
    photo = get_owned(session, Photo, caller, photo_id, missing="photo_not_found")
    if photo.expires_at <= now():
        raise Problem("photo_not_found", param="photo_id")
    if photo.status == PhotoStatus.REJECTED:
        raise Problem("photo_rejected", param="photo_id")
    if photo.status != PhotoStatus.READY:
        raise Problem("photo_not_ready", param="photo_id", retry_after_s=1)
    return photo


def _ready_garment(session: Session, caller: Caller, garment_id: str) -> Garment:
    garment = get_owned(session, Garment, caller, garment_id, missing="garment_not_found")
    if garment.status == GarmentStatus.REJECTED:
        raise Problem("garment_rejected", param="garment_id")
    if garment.status != GarmentStatus.READY:
        raise Problem("garment_not_ready", param="garment_id", retry_after_s=1)
    return garment


def _refuse_flood(work: Work, caller: Caller) -> None:
    if caller.kind != "shopper":
        return
    mine = select(func.count()).select_from(TryOn).where(TryOn.shopper_id == caller.shopper_id)
    if (work.session.scalar(mine.where(_unfinished())) or 0) >= MOST_UNFINISHED:
        raise Problem("too_many_try_ons", retry_after_s=5)


# --- inside cancel and bury ----------------------------------------------------------------------


def _unfinished() -> ColumnElement[bool]:
    return and_(TryOn.status.in_(UNFINISHED), TryOn.deleted_at.is_(None))


def _get_locked(work: Work, caller: Caller, try_on_id: str) -> TryOn:
    row = get_owned(work.session, TryOn, caller, try_on_id, missing="try_on_not_found", lock=True)
    if row.deleted_at is not None:
        raise Problem("gone")
    return row


def _stop(work: Work, row: TryOn) -> None:
    """Compare-and-set: who settles an unfinished row first is right, here and in the steward."""
    stopped = work.session.execute(
        update(TryOn)
        .where(TryOn.id == row.id, TryOn.status.in_(UNFINISHED))
        .values(status=TryOnStatus.CANCELLED, finished_at=work.now, position=None, eta_s=None)
        .returning(TryOn.id)
    ).first()
    if stopped is None:
        return
    work.session.refresh(row)
    # The worker may store a picture all the same; the steward deletes what comes for this row.
    jobs, job_id, engine, lane, merchant = (
        work.services.jobs, row.id, row.engine, row.lane, row.merchant_id,
    )  # fmt: skip
    work.after_commit(lambda: jobs.cancel(job_id, engine, lane, merchant))
