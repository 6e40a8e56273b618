"""The state machine of a try-on: one table of legal moves, and what each move writes.

Pure: knows no session, no Redis, no event. Each function takes the row as it stands and returns
new column values, for a locked row (`transitions.write`) or for a compare-and-set by status.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from gpu_worker.contract import TryOnStatus
from server.domain.transitions import Transitions
from server.infra.kinds import Values
from server.models import TryOn

UNFINISHED = tuple(status for status in TryOnStatus if not status.is_final)
_ENDS = frozenset(status for status in TryOnStatus if status.is_final)
_NOWHERE: frozenset[TryOnStatus] = frozenset()

MOVES = Transitions(
    {
        TryOnStatus.QUEUED: _ENDS | {TryOnStatus.RUNNING},
        TryOnStatus.RUNNING: _ENDS | {TryOnStatus.RUNNING, TryOnStatus.QUEUED},
        TryOnStatus.SUCCEEDED: _NOWHERE,
        TryOnStatus.FAILED: frozenset({TryOnStatus.QUEUED}),  # an operator's retry
        TryOnStatus.CANCELLED: _NOWHERE,
        TryOnStatus.EXPIRED: _NOWHERE,
    }
)

# All that a run writes. One that was never run has these, and so has one that is put back.
UNTOUCHED: Values = {
    "position": None,
    "ready_at": None,
    "step": 0,
    "steps": 0,
    "partial_key": None,
    "partial_step": None,
    "result_key": None,
    "width": None,
    "height": None,
    "is_preview": False,
    "tier": None,
    "error_code": None,
    "retryable": False,
    "queue_ms": None,
    "model_ms": None,
    "total_ms": None,
    "started_at": None,
    "finished_at": None,
}


def is_open(row: TryOn) -> bool:
    """Whether anything may still happen to it."""
    return row.deleted_at is None and row.status in UNFINISHED


# --- in line -------------------------------------------------------------------------------------


def fresh(now: datetime) -> Values:
    """Of one that is asked for now."""
    return {**UNTOUCHED, "status": TryOnStatus.QUEUED, "queued_at": now}


def retried(row: TryOn, now: datetime) -> Values:
    """Of a failed one that is asked for anew."""
    return MOVES.move(row.status, TryOnStatus.QUEUED, fresh(now))


def restarted(row: TryOn) -> Values:
    """Of one whose worker was lost: it starts over, and its time to finish runs on."""
    return MOVES.move(row.status, TryOnStatus.QUEUED, UNTOUCHED)


def placed(position: int | None, ready_at: datetime | None) -> Values:
    """Where it stands and when its picture is expected: no move."""
    return {"position": position, "ready_at": ready_at}


# --- running -------------------------------------------------------------------------------------


def running(row: TryOn, at: datetime, *, step: int, steps: int, tier: str | None = None) -> Values:
    """Its first step, or the next. `at`: where it begins with this one; `tier` None: as it was."""
    begun: Values = {"step": step, "steps": steps, "started_at": row.started_at or at}
    begun |= {"position": None} | ({"tier": tier} if tier else {})
    return MOVES.move(row.status, TryOnStatus.RUNNING, begun)


def shown(key: str, step: int) -> Values:
    """It has a partial picture: no move."""
    return {"partial_key": key, "partial_step": step}


# --- its end -------------------------------------------------------------------------------------


def succeeded(row: TryOn, at: datetime, picture: Values, *, model_ms: int = 0) -> Values:
    """`picture`: what is known of it."""
    drawn = {**picture, "model_ms": model_ms, "step": row.steps}
    return _ended(row, TryOnStatus.SUCCEEDED, at, model_ms) | drawn


def failed(row: TryOn, at: datetime, code: str, *, retryable: bool = False) -> Values:
    why: Values = {"error_code": code, "retryable": retryable}
    return _ended(row, TryOnStatus.FAILED, at) | why


def cancelled(row: TryOn, at: datetime) -> Values:
    return _ended(row, TryOnStatus.CANCELLED, at)


def expired(row: TryOn, at: datetime) -> Values:
    return _ended(row, TryOnStatus.EXPIRED, at)


def _ended(row: TryOn, status: TryOnStatus, at: datetime, model_ms: int = 0) -> Values:
    """Whatever the end: nobody needs the partial picture, nor where it was asked from."""
    started = row.started_at or max(row.queued_at, at - timedelta(milliseconds=model_ms))
    over: Values = {
        "position": None,
        "partial_key": None,
        "partial_step": None,
        "asked_from": None,
        "started_at": started,
        "finished_at": at,
        "queue_ms": _ms(started - row.queued_at),
        "total_ms": _ms(at - row.queued_at),
    }
    return MOVES.move(row.status, status, over)


def tombstone(row: TryOn, now: datetime) -> Values:
    """What stays of a deleted one: no picture and nothing personal. It is no move: whoever deletes
    an unfinished one cancels it first."""
    return {
        "deleted_at": row.deleted_at or now,
        "result_key": None,
        "partial_key": None,
        "partial_step": None,
        "photo_id": None,
        "like_reason": None,
        "asked_from": None,
        "shared": False,
    }


def _ms(span: timedelta) -> int:
    return max(0, min(2**31 - 1, round(span.total_seconds() * 1000)))
