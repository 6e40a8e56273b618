"""Finite state machine of a garment, driven by workers' events. Pure: no session, no Redis."""

from __future__ import annotations

from datetime import datetime

from gpu_worker.contract import ContractError, Event, EventType, GarmentStatus
from server.domain import events
from server.domain.transitions import Transitions
from server.infra.kinds import Change, Values
from server.infra.store import garment_keys
from server.models import Garment

UNFINISHED = (GarmentStatus.CLEANING,)

MOVES = Transitions(
    {
        GarmentStatus.CLEANING: frozenset(GarmentStatus),  # itself: fetched, and now to be cleaned
        GarmentStatus.READY: frozenset(),
        GarmentStatus.REJECTED: frozenset(),
    }
)


def fetched(garment: Garment, now: datetime, key: str) -> Values:
    """New values once the fetcher has stored the picture: still `cleaning`, now for the tailor."""
    anew: Values = {"upload_key": key, "queued_at": now}
    return MOVES.move(garment.status, GarmentStatus.CLEANING, anew)


def ready(garment: Garment, width_px: int, height_px: int) -> Values:
    found: Values = {"reasons": [], "width_px": width_px, "height_px": height_px}
    return MOVES.move(garment.status, GarmentStatus.READY, found)


def rejected(garment: Garment, reasons: list[str]) -> Values:
    return MOVES.move(garment.status, GarmentStatus.REJECTED, {"reasons": reasons})


# --- events --------------------------------------------------------------------------------------


def change(garment: Garment, event: Event, now: datetime) -> Change:
    """How `event` changes the row. An event that comes late or twice changes nothing.

    Raises:
        ContractError: a garment has no such event, or its data breaks the contract.
    """
    if event.type is EventType.FETCHED:
        return _fetched(garment, event, now)
    if event.type not in (EventType.READY, EventType.REJECTED, EventType.CANCELLED):
        raise ContractError(f"a garment is never {event.type.value}")
    if garment.status is not GarmentStatus.CLEANING or event.type is EventType.CANCELLED:
        return Change()
    if event.type is EventType.REJECTED:
        return Change(rejected(garment, events.reasons(event)))
    size = events.whole(event, "width"), events.whole(event, "height")
    return Change(ready(garment, *size))


def _fetched(garment: Garment, event: Event, now: datetime) -> Change:
    """A picture that arrives after the cleaning has ended is marked for deletion."""
    key = garment_keys(garment.id).fetched
    if key is None or event.data.get("key") != key:
        raise ContractError(f"fetched for {garment.id} names {event.data.get('key')!r}")
    if garment.status is not GarmentStatus.CLEANING:
        return Change(doomed=[key] if garment.image_url is not None else [])
    if garment.image_url is None or garment.upload_key is not None:
        return Change()
    return Change(fetched(garment, now, key), goes_on=True)
