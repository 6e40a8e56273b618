"""Finite state machine of a photo, driven by workers' events. Pure: no session, no Redis."""

from __future__ import annotations

from datetime import datetime

from gpu_worker.contract import ContractError, Event, EventType, PhotoStatus, Reason
from server.domain import events
from server.domain.transitions import Transitions
from server.infra.kinds import Change, Values
from server.models import Photo

UNFINISHED = (PhotoStatus.CHECKING,)

MOVES = Transitions(
    {
        PhotoStatus.CHECKING: frozenset({PhotoStatus.READY, PhotoStatus.REJECTED}),
        PhotoStatus.READY: frozenset(),
        PhotoStatus.REJECTED: frozenset({PhotoStatus.CHECKING}),  # she picked one of several people
    }
)


def checked_again(photo: Photo, now: datetime, person: int, asked_from: str | None) -> Values:
    """New values after she chose one of several people: the check runs again for that one."""
    anew: Values = {"person": person, "reasons": [], "asked_from": asked_from, "queued_at": now}
    return MOVES.move(photo.status, PhotoStatus.CHECKING, anew)


def ready(photo: Photo, found: Values) -> Values:
    return MOVES.move(photo.status, PhotoStatus.READY, {**found, "reasons": [], "asked_from": None})


def rejected(photo: Photo, reasons: list[str]) -> Values:
    why: Values = {"reasons": reasons, "asked_from": None}
    return MOVES.move(photo.status, PhotoStatus.REJECTED, why)


# --- events --------------------------------------------------------------------------------------


def change(photo: Photo, event: Event, _now: datetime) -> Change:
    """How `event` changes the row. An event that comes late or twice changes nothing.

    Raises:
        ContractError: a photo has no such event, or its data breaks the contract.
    """
    if event.type is EventType.READY:
        return _ready(photo, event)
    if event.type is EventType.REJECTED:
        return _rejected(photo, event)
    if event.type is EventType.CANCELLED:
        return Change()
    raise ContractError(f"a photo is never {event.type.value}")


def _ready(photo: Photo, event: Event) -> Change:
    found: Values = {
        "width_px": events.whole(event, "width"),
        "height_px": events.whole(event, "height"),
        "people": events.items(event, "people"),
        "hints": events.items(event, "hints"),
    }
    if photo.status is not PhotoStatus.CHECKING:
        return Change()
    # The raw upload's metadata may hold where she lives; only the clean copy is needed from here.
    return Change(ready(photo, found), [photo.upload_key])


def _rejected(photo: Photo, event: Event) -> Change:
    reasons = events.reasons(event)
    can_choose = reasons == [Reason.SEVERAL_PEOPLE.value]
    # Events are delivered at least once: `several_people`, repeated after she has chosen one, must
    # not undo her choice.
    is_old_news = photo.person is not None and can_choose
    if photo.status is not PhotoStatus.CHECKING or is_old_news:
        return Change()
    people = events.items(event, "people") or photo.people
    refused = rejected(photo, reasons) | {"people": people}
    return Change(refused, [] if can_choose else [photo.upload_key])
