"""Accepts new try-ons: admission control, idempotency keys, the first place in the queue.

What can be refused is refused before the row exists; an accepted one is never lost.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import asdict, dataclass, field
from datetime import timedelta

import structlog
from redis.exceptions import RedisError
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from gpu_worker.contract import (
    Category,
    GarmentStatus,
    Lane,
    Options,
    PhotoStatus,
    Policy,
    not_honoured,
    turn_of,
)
from server.domain import waiting
from server.domain.fair_share import admits
from server.domain.transitions import write
from server.domain.try_ons import lifecycle
from server.domain.try_ons.lifecycle import UNFINISHED
from server.domain.try_ons.pace import Pace, learn
from server.domain.try_ons.rows import enqueue, job_of
from server.infra import nudges
from server.infra.caller import Caller, get_owned
from server.infra.errors import RETRY_AFTER_S, Code, Problem
from server.infra.jobs import Opening
from server.infra.services import Services, Work
from server.models import Garment, IdempotencyKey, Photo, TryOn, new_id, now

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTryOn:
    """What a caller asks for. `category` None: the garment's; `seed` None: a random one."""

    photo_id: str
    garment_id: str
    category: Category | None = None
    seed: int | None = None
    options: Options = field(default_factory=Options)

    def fingerprint(self) -> str:
        """SHA-256 of the request body, to tell a repeated request from a reused idempotency key.

        The JSON must stay as it is: keys of the release before are remembered for a day.
        """
        options = {"category": self.category, "seed": self.seed, **asdict(self.options)}
        body = {"photo_id": self.photo_id, "garment_id": self.garment_id, "options": options}
        return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Outlook:
    """The queue as Redis shows it to a new try-on. `claimed`: how many jobs workers hold;
    `policy`: the arbitrator's, None without one."""

    opening: Opening
    claimed: int
    policy: Policy | None

    @property
    def sheds_s(self) -> float:
        """Load shedding: seconds until a refused caller may retry, 0 for no shedding. An empty
        queue never sheds, whatever the policy says."""
        return self.policy.retry_after_s if self.policy and self.opening.depth else 0.0


def create(
    services: Services,
    caller: Caller,
    new: NewTryOn,
    *,
    idempotency_key: str | None = None,
    asked_from: str | None = None,
) -> TryOn:
    """Accepts a try-on and enqueues its job after the commit. If Redis is away, `position` is None
    and the steward enqueues it later. The same idempotency key and body return the first try-on.
    `asked_from`: a mark of the address, from `auth.asked_from`.

    Raises:
        Problem: photo_not_found, photo_not_ready, photo_rejected, garment_not_found,
            garment_not_ready, garment_rejected, too_many_try_ons, queue_full,
            idempotency_key_reused, option_not_supported; gone for a key whose try-on was deleted.
    """
    # Before all other checks: a repeated request must succeed even if the queue is full by now.
    if idempotency_key is not None:
        known = _answered(services, caller, new, idempotency_key)
        if known is not None:
            return known
    engine = services.settings.engine_for(caller.mode)
    _refuse_ignored(engine, new.options)
    turn = turn_of(caller.shopper_id, asked_from)
    outlook = _look_at_line(services, caller.merchant_id, turn, engine)
    try:
        return _insert(services, caller, new, idempotency_key, engine, outlook, asked_from)
    except IntegrityError:
        # A concurrent request with this key was first: answer with its try-on.
        if idempotency_key is None:
            raise
        known = _answered(services, caller, new, idempotency_key)
        if known is None:
            raise
        return known


def _refuse_ignored(engine: str, options: Options) -> None:
    ignored = not_honoured(engine, options)
    if ignored:
        names = " and ".join(ignored)
        detail = f"The engine {engine} does not honour {names}: leave out what is named."
        raise Problem(Code.OPTION_NOT_SUPPORTED, detail, param=f"options.{ignored[0]}")


def _answered(services: Services, caller: Caller, new: NewTryOn, key: str) -> TryOn | None:
    """The try-on that this idempotency key made before; None for a new key."""
    with services.read() as session:
        known = session.get(IdempotencyKey, (caller.owner, key))
        if known is None:
            return None
        if known.body_hash != new.fingerprint():
            raise Problem(Code.IDEMPOTENCY_KEY_REUSED, param="Idempotency-Key")
        row = session.get(TryOn, known.try_on_id)
    if row is not None and row.deleted_at is not None:
        raise Problem(Code.GONE, "The try-on of this key was deleted. Use a new key.")
    return row


def _look_at_line(services: Services, merchant_id: str, turn: str, engine: str) -> Outlook | None:
    """Asks Redis before the transaction, so that no lock waits for it; None if it is away."""
    jobs = services.jobs
    try:
        opening = jobs.opening(engine, merchant_id, turn)
        return Outlook(opening, len(jobs.claimed(engine)), jobs.policy(engine))
    except RedisError as error:
        log.warning("accepting blind, Redis is away", error=str(error))
        return None


def _insert(
    services: Services,
    caller: Caller,
    new: NewTryOn,
    idempotency_key: str | None,
    engine: str,
    outlook: Outlook | None,
    asked_from: str | None,
) -> TryOn:
    with services.work() as work:
        photo = _ready_photo(work.session, caller, new.photo_id)
        garment = _ready_garment(work.session, caller, new.garment_id)
        _refuse_flood(work, caller)
        row = _row(work, caller, new, photo, garment, engine)
        row.asked_from = asked_from
        pace = learn(work.session, engine, outlook.policy if outlook else None, work.now)
        _refuse_where_full(work, row, outlook, pace)
        if outlook is None:
            work.redis_is_away = True  # do not run into a second time-out after the commit
        else:
            _place(work, row, outlook, pace)
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
        work.session.flush()  # raises IntegrityError if the idempotency key exists already
        work.announce(nudges.of(row))
        job = job_of(row, photo, garment)
        work.after_commit(lambda: enqueue(services, job, row.lane))
    return row


def _row(
    work: Work, caller: Caller, new: NewTryOn, photo: Photo, garment: Garment, engine: str
) -> TryOn:
    seed = new.seed if new.seed is not None else secrets.randbelow(2**31)
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
        category=new.category or garment.category,
        options=new.options.asked(),
        seed=seed,
        created_at=work.now,
        version=1,
        # The picture lives no longer than the photo it shows.
        expires_at=photo.expires_at,
        **lifecycle.fresh(work.now),
    )


def _refuse_where_full(work: Work, row: TryOn, outlook: Outlook | None, pace: Pace) -> None:
    """Limits the queue by fair share (`fair_share.admits`), counted from rows so that it holds
    while Redis is away."""
    shed_s = outlook.sheds_s if outlook else 0.0
    held = waiting.try_ons(work.session, row.engine, row.lane)
    place = (row.merchant_id, row.site_id, row.asked_from)
    if not admits(held, place, work.services.settings.max_queue, sheds=shed_s > 0):
        wait_s = shed_s or pace.wait(sum(held.values())) or RETRY_AFTER_S
        raise Problem(Code.QUEUE_FULL, retry_after_s=wait_s)


def _place(work: Work, row: TryOn, outlook: Outlook, pace: Pace) -> None:
    # Jobs that a worker holds and does not run yet come before everything that still waits.
    position = outlook.opening.position + max(0, outlook.claimed - pace.running)
    wait_s = pace.wait(position)
    ready_at = None if wait_s is None else work.now + timedelta(seconds=wait_s)
    write(row, lifecycle.placed(position, ready_at))


def _ready_photo(session: Session, caller: Caller, photo_id: str) -> Photo:
    # Locked, so that a concurrent deletion of the photo also finds the new try-on.
    photo = get_owned(session, Photo, caller, photo_id, missing=Code.PHOTO_NOT_FOUND, lock=True)
    if photo.expires_at <= now():
        raise Problem(Code.PHOTO_NOT_FOUND, param="photo_id")
    if photo.status == PhotoStatus.REJECTED:
        raise Problem(Code.PHOTO_REJECTED, param="photo_id")
    if photo.status != PhotoStatus.READY:
        raise Problem(Code.PHOTO_NOT_READY, param="photo_id", retry_after_s=1)
    return photo


def _ready_garment(session: Session, caller: Caller, garment_id: str) -> Garment:
    garment = get_owned(session, Garment, caller, garment_id, missing=Code.GARMENT_NOT_FOUND)
    if garment.status == GarmentStatus.REJECTED:
        raise Problem(Code.GARMENT_REJECTED, param="garment_id")
    if garment.status != GarmentStatus.READY:
        raise Problem(Code.GARMENT_NOT_READY, param="garment_id", retry_after_s=1)
    return garment


def _refuse_flood(work: Work, caller: Caller) -> None:
    most, unfinished = work.services.settings.unfinished_try_ons, TryOn.status.in_(UNFINISHED)
    waiting.refuse_more_than(
        most, work.session, caller, TryOn, unfinished, code=Code.TOO_MANY_TRY_ONS
    )
