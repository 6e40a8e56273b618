"""What an event makes of a row: pure rules, one function for each thing that can happen.

Each takes the row as it stands and returns what changes, so that a second, late or misplaced
event changes nothing. Knows no session, no Redis and no store.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from gpu_worker.contract import (
    ContractError,
    Event,
    EventType,
    GarmentStatus,
    PhotoStatus,
    Reason,
    Subject,
    TryOnStatus,
)
from server.infra.store import garment_keys, partial_key, photo_keys, picture_key
from server.models import Garment, Photo, TryOn

log = logging.getLogger(__name__)

UNFINISHED = (TryOnStatus.QUEUED, TryOnStatus.RUNNING)


@dataclass(slots=True)
class Change:
    """New column values of the row, and keys of objects that nobody may read any more."""

    values: dict[str, Any] = field(default_factory=dict)
    doomed: list[str] = field(default_factory=list)


NOTHING = Change()


def try_on_change(row: TryOn, event: Event, now: datetime) -> Change:
    """What `event` makes of a try-on.

    Raises:
        ContractError: no such thing happens to a try-on, or its data is not what was agreed.
    """
    if event.type not in _TRY_ON:
        raise ContractError(f"a try-on is never {event.type.value}")
    return _TRY_ON[event.type](row, event, now)


def photo_change(row: Photo, event: Event, _now: datetime) -> Change:
    """What `event` makes of a photo. Raises ContractError like `try_on_change`."""
    if event.type is EventType.READY:
        return _photo_ready(row, event)
    if event.type is EventType.REJECTED:
        return _photo_rejected(row, event)
    if event.type is EventType.CANCELLED:
        return NOTHING
    raise ContractError(f"a photo is never {event.type.value}")


def garment_change(row: Garment, event: Event, now: datetime) -> Change:
    """What `event` makes of a garment. Raises ContractError like `try_on_change`."""
    if event.type is EventType.FETCHED:
        return _garment_fetched(row, event, now)
    if event.type not in (EventType.READY, EventType.REJECTED, EventType.CANCELLED):
        raise ContractError(f"a garment is never {event.type.value}")
    if row.status is not GarmentStatus.CLEANING or event.type is EventType.CANCELLED:
        return NOTHING
    if event.type is EventType.REJECTED:
        return Change({"status": GarmentStatus.REJECTED, "reasons": _reasons(event)})
    values: dict[str, Any] = {"status": GarmentStatus.READY, "reasons": []}
    return Change(values | {"width_px": _int(event, "width"), "height_px": _int(event, "height")})


def leftovers(event: Event) -> list[str]:
    """What a worker may have stored for a row that is no more. Also where it ended without a
    result: one before it may have stored something and died before it could say so."""
    if event.type is EventType.RUNNING:
        return []
    if event.subject is Subject.TRY_ON:
        return [picture_key(event.id), partial_key(event.id)]
    keys = photo_keys if event.subject is Subject.PHOTO else garment_keys
    return keys(event.id).all()


# --- try-ons -------------------------------------------------------------------------------------


def _running(row: TryOn, event: Event, now: datetime) -> Change:
    step, steps = _int(event, "step"), _int(event, "steps")
    if not _is_open(row):
        return NOTHING
    if row.status is TryOnStatus.RUNNING and step <= row.step:
        return NOTHING
    started = row.started_at or _moment(event, row, now)
    values = {"status": TryOnStatus.RUNNING, "step": step, "steps": steps, "started_at": started}
    if event.data.get("tier"):
        values["tier"] = _text(event, "tier")
    return Change(values | {"position": None})


def _preview(row: TryOn, event: Event, _now: datetime) -> Change:
    key = partial_key(row.id)
    if event.data.get("key") != key:
        raise ContractError(f"preview of {row.id} names {event.data.get('key')!r}")
    if row.deleted_at is not None or row.status.is_final:
        return Change(doomed=[key] if row.status is not TryOnStatus.SUCCEEDED else [])
    return Change({"preview_key": key, "preview_step": _int(event, "step", row.step)})


def _succeeded(row: TryOn, event: Event, now: datetime) -> Change:
    model_ms = _int(event, "model_ms")
    values: dict[str, Any] = {
        "width": _int(event, "width"),
        "height": _int(event, "height"),
        "model_ms": model_ms,
        "is_preview": bool(event.data.get("is_preview", False)),
        "tier": _text(event, "tier"),
        "seed": _int(event, "seed", row.seed),
        "engine": _text(event, "engine") or row.engine,
    }
    if row.status is TryOnStatus.SUCCEEDED and row.deleted_at is None and row.result_key:
        return NOTHING
    if not _is_open(row):
        return Change(doomed=[picture_key(row.id)])
    final = _final(row, TryOnStatus.SUCCEEDED, event, now, model_ms)
    values |= {"result_key": row.result_key or picture_key(row.id), "step": row.steps}
    return _ended(row, values | final)


def _failed(row: TryOn, event: Event, now: datetime) -> Change:
    if not _is_open(row):
        return _left_by(row, event)
    code = _reason(event.data.get("code")) or Reason.ENGINE_FAILED
    values = _final(row, TryOnStatus.FAILED, event, now)
    values |= {"error_code": code.value, "retryable": bool(event.data.get("retryable", False))}
    return _ended(row, values)


def _cancelled(row: TryOn, event: Event, now: datetime) -> Change:
    if not _is_open(row):
        return _left_by(row, event)
    return _ended(row, _final(row, TryOnStatus.CANCELLED, event, now))


def _ended(row: TryOn, values: dict[str, Any]) -> Change:
    """Whatever the end, nobody needs the half-done picture any more."""
    return Change(values | {"preview_key": None}, [row.preview_key] if row.preview_key else [])


def _left_by(row: TryOn, event: Event) -> Change:
    """An end that comes too late: a deleted row must leave nothing, a settled one stays."""
    return NOTHING if row.deleted_at is None else Change(doomed=leftovers(event))


_TRY_ON: dict[EventType, Callable[[TryOn, Event, datetime], Change]] = {
    EventType.RUNNING: _running,
    EventType.PREVIEW: _preview,
    EventType.SUCCEEDED: _succeeded,
    EventType.FAILED: _failed,
    EventType.CANCELLED: _cancelled,
}


def _is_open(row: TryOn) -> bool:
    return row.deleted_at is None and row.status in UNFINISHED


def _final(
    row: TryOn, status: TryOnStatus, event: Event, now: datetime, model_ms: int = 0
) -> dict[str, Any]:
    finished = _moment(event, row, now)
    started = row.started_at or max(row.queued_at, finished - timedelta(milliseconds=model_ms))
    return {
        "status": status,
        "position": None,
        "asked_from": None,
        "started_at": started,
        "finished_at": finished,
        "queue_ms": _ms(started - row.queued_at),
        "total_ms": _ms(finished - row.queued_at),
    }


# --- photos --------------------------------------------------------------------------------------


def _photo_ready(row: Photo, event: Event) -> Change:
    values: dict[str, Any] = {
        "status": PhotoStatus.READY,
        "reasons": [],
        "width_px": _int(event, "width"),
        "height_px": _int(event, "height"),
        "people": _list(event, "people"),
        "hints": _list(event, "hints"),
        "asked_from": None,
    }
    # The raw upload may say where she lives; nobody needs it any more.
    return Change(values, [row.upload_key]) if row.status is PhotoStatus.CHECKING else NOTHING


def _photo_rejected(row: Photo, event: Event) -> Change:
    reasons = _reasons(event)
    # Told a second time after she has picked herself, the old refusal must not undo her choice.
    is_old_news = row.person is not None and reasons == [Reason.SEVERAL_PEOPLE.value]
    if row.status is not PhotoStatus.CHECKING or is_old_news:
        return NOTHING
    people = _list(event, "people") or row.people
    can_choose = reasons == [Reason.SEVERAL_PEOPLE.value]
    values: dict[str, Any] = {"status": PhotoStatus.REJECTED, "reasons": reasons, "people": people}
    values["asked_from"] = None
    return Change(values, [] if can_choose else [row.upload_key])


# --- garments ------------------------------------------------------------------------------------


def _garment_fetched(row: Garment, event: Event, now: datetime) -> Change:
    """Its picture lies where an upload would; it waits anew, for the tailor. One that was fetched
    once more after all was over is nobody's."""
    key = garment_keys(row.id).fetched
    if key is None or event.data.get("key") != key:
        raise ContractError(f"fetched for {row.id} names {event.data.get('key')!r}")
    if row.status is not GarmentStatus.CLEANING:
        return Change(doomed=[key] if row.image_url is not None else [])
    if row.image_url is None or row.upload_key is not None:
        return NOTHING
    return Change({"upload_key": key, "queued_at": now})


# --- reading an event's data ---------------------------------------------------------------------


def _int(event: Event, name: str, default: int | None = None) -> int:
    value = event.data.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ContractError(f"{event.type.value}: {name} is {value!r}")
    if not abs(value) <= 2**31 - 1:  # not a number is not more either
        raise ContractError(f"{event.type.value}: {name} is {value!r}")
    return int(value)


def _text(event: Event, name: str) -> str | None:
    value = event.data.get(name)
    return None if value is None else str(value)


def _list(event: Event, name: str) -> list[Any]:
    value = event.data.get(name) or []
    if not isinstance(value, list):
        raise ContractError(f"{event.type.value}: {name} is no list")
    return value


def _reasons(event: Event) -> list[str]:
    known = [reason for code in _list(event, "reasons") if (reason := _reason(code))]
    return [reason.value for reason in known] or [Reason.ENGINE_FAILED.value]


def _reason(code: object) -> Reason | None:
    try:
        return Reason(str(code))
    except ValueError:
        log.warning("a worker gave a reason that nobody knows: %r", code)
        return None


def _moment(event: Event, row: TryOn, now: datetime) -> datetime:
    """When it happened, by the worker's clock where that is believable."""
    try:
        at = datetime.fromtimestamp(event.at_ms / 1000, UTC)
    except (OverflowError, OSError, ValueError) as error:
        raise ContractError(f"at_ms is {event.at_ms!r}") from error
    return min(max(at, row.queued_at), max(now, row.queued_at))


def _ms(span: timedelta) -> int:
    return max(0, min(2**31 - 1, round(span.total_seconds() * 1000)))
