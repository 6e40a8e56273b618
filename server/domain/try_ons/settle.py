"""Applies workers' events to a try-on. Idempotent: a repeated, late or reordered event changes no
column. Pure: knows no session, no Redis and no store."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from gpu_worker.contract import ContractError, Event, EventType, Reason, TryOnStatus
from server.domain import events
from server.domain.try_ons import lifecycle
from server.domain.try_ons.lifecycle import is_open
from server.infra.kinds import Change, Values
from server.infra.store import partial_key, picture_key, try_on_keys
from server.models import TryOn


def change(row: TryOn, event: Event, now: datetime) -> Change:
    """How `event` changes the row, and which objects are of no use after it.

    Raises:
        ContractError: a try-on has no such event, or its data breaks the contract.
    """
    if event.type not in _RULES:
        raise ContractError(f"a try-on is never {event.type.value}")
    return _RULES[event.type](row, event, now)


def _running(row: TryOn, event: Event, now: datetime) -> Change:
    step, steps = events.whole(event, "step"), events.whole(event, "steps")
    if not is_open(row):
        return Change()
    if row.status is TryOnStatus.RUNNING and step <= row.step:
        return Change()  # progress never goes back
    at = row.started_at or _moment(row, event, now)
    tier = events.text(event, "tier")
    return Change(lifecycle.running(row, at, step=step, steps=steps, tier=tier))


def _partial(row: TryOn, event: Event, _now: datetime) -> Change:
    key = partial_key(row.id)
    if event.data.get("key") != key:
        raise ContractError(f"preview of {row.id} names {event.data.get('key')!r}")
    if not is_open(row):
        return Change(doomed=[key] if row.status is not TryOnStatus.SUCCEEDED else [])
    return Change(lifecycle.shown(key, events.whole(event, "step", row.step)))


def _succeeded(row: TryOn, event: Event, now: datetime) -> Change:
    model_ms = events.whole(event, "model_ms")
    picture: Values = {
        "width": events.whole(event, "width"),
        "height": events.whole(event, "height"),
        "is_preview": bool(event.data.get("is_preview", False)),
        "tier": events.text(event, "tier"),
        "seed": events.whole(event, "seed", row.seed),
        "engine": events.text(event, "engine") or row.engine,
    }
    if row.status is TryOnStatus.SUCCEEDED and row.deleted_at is None and row.result_key:
        return Change()  # delivered twice: its picture must stay
    if not is_open(row):  # cancelled, expired or deleted while the worker stored the picture
        return Change(doomed=[picture_key(row.id)])
    picture["result_key"] = row.result_key or picture_key(row.id)
    at = _moment(row, event, now)
    return _ended(row, lifecycle.succeeded(row, at, picture, model_ms=model_ms))


def _failed(row: TryOn, event: Event, now: datetime) -> Change:
    if not is_open(row):
        return _too_late(row)
    code = events.reason(event.data.get("code")) or Reason.ENGINE_FAILED
    again, at = bool(event.data.get("retryable", False)), _moment(row, event, now)
    return _ended(row, lifecycle.failed(row, at, code.value, retryable=again))


def _cancelled(row: TryOn, event: Event, now: datetime) -> Change:
    if not is_open(row):
        return _too_late(row)
    return _ended(row, lifecycle.cancelled(row, _moment(row, event, now)))


def _ended(row: TryOn, values: Values) -> Change:
    return Change(values, [row.partial_key] if row.partial_key else [])


def _too_late(row: TryOn) -> Change:
    """An end that arrives after the end: no change, but a deleted row must leave no objects."""
    return Change() if row.deleted_at is None else Change(doomed=try_on_keys(row.id))


def _moment(row: TryOn, event: Event, now: datetime) -> datetime:
    return events.moment(event, row.queued_at, now)


_RULES: dict[EventType, Callable[[TryOn, Event, datetime], Change]] = {
    EventType.RUNNING: _running,
    EventType.PARTIAL: _partial,
    EventType.SUCCEEDED: _succeeded,
    EventType.FAILED: _failed,
    EventType.CANCELLED: _cancelled,
}
