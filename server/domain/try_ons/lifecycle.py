"""Finite state machine of a try-on: the table of legal moves, and the column values of each.

Pure: knows no session, no Redis, no event. Each function takes the present row and returns new
values, to be written on a locked row (`transitions.write`) or by a compare-and-set on its status.
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

# Every column that a run writes, with its value before any run. A new row has these values, and a
# row that is put back gets them again.
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
    """Whether it is unfinished and not deleted, so that events may change it."""
    return row.deleted_at is None and row.status in UNFINISHED


# --- queued --------------------------------------------------------------------------------------


def fresh(now: datetime) -> Values:
    """Values of a new row."""
    return {**UNTOUCHED, "status": TryOnStatus.QUEUED, "queued_at": now}


def retried(row: TryOn, now: datetime) -> Values:
    """Failed to queued, by an operator: as if it were asked for now."""
    return MOVES.move(row.status, TryOnStatus.QUEUED, fresh(now))


def restarted(row: TryOn) -> Values:
    """Running to queued, because its worker was lost. `queued_at` stays: the timeout runs on."""
    return MOVES.move(row.status, TryOnStatus.QUEUED, UNTOUCHED)


def placed(position: int | None, ready_at: datetime | None) -> Values:
    """Queue position (1 = next) and the expected time of the picture. The status stays."""
    return {"position": position, "ready_at": ready_at}


# --- running -------------------------------------------------------------------------------------


def running(row: TryOn, at: datetime, *, step: int, steps: int, tier: str | None = None) -> Values:
    """The first or a further step. `at`: start time, used if it has none yet; `tier` None keeps the
    present one."""
    begun: Values = {"step": step, "steps": steps, "started_at": row.started_at or at}
    begun |= {"position": None} | ({"tier": tier} if tier else {})
    return MOVES.move(row.status, TryOnStatus.RUNNING, begun)


def shown(key: str, step: int) -> Values:
    """It has a partial picture. The status stays."""
    return {"partial_key": key, "partial_step": step}


# --- ended ---------------------------------------------------------------------------------------


def succeeded(row: TryOn, at: datetime, picture: Values, *, model_ms: int = 0) -> Values:
    """`picture`: column values that describe the result; `model_ms`: time in the engine."""
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
    """Values of every final status; it drops the partial picture and the address mark."""
    # Where no `running` event was seen, the start follows from the engine's time.
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
    """Values of a deleted row, which keeps no picture and nothing personal. The status stays: an
    unfinished try-on must be cancelled first."""
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
