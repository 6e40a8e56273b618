"""The photo check: does it show one person who can be dressed? Knows pose; no garment."""

from __future__ import annotations

from gpu_worker.contract import EventData, EventType, Reason
from gpu_worker.engine import Refusal
from gpu_worker.tailor.hints import hints_of
from gpu_worker.tailor.orders import Fitted, PhotoOrder
from gpu_worker.vision import pose


def check_photo(order: PhotoOrder) -> Fitted:
    """Ready, with the parts of the one person or of the one who was picked.

    With several people it returns `rejected` and their boxes instead of raising: the clean photo is
    kept, and the shopper picks herself in it.

    Raises:
        Refusal: nobody can be dressed in this photo.
    """
    height, width = order.pixels.shape[:2]
    try:
        person = pose.read_person(order.pixels, order.person)
    except Refusal as refusal:
        if refusal.reason is not Reason.SEVERAL_PEOPLE:
            raise
        several: EventData = {
            "reasons": [Reason.SEVERAL_PEOPLE.value],
            "people": refusal.data.get("people", []),
            "width": width,
            "height": height,
        }
        return Fitted(EventType.REJECTED, several, order.pixels)
    hints = [hint.value for hint in hints_of(order.pixels, person)]
    said: EventData = {
        "width": width,
        "height": height,
        "people": _people(order),
        "hints": hints,
    }
    return Fitted(EventType.READY, said, order.pixels, person.to_parts())


def _people(order: PhotoOrder) -> list[list[float]]:
    return pose.people_boxes(order.pixels)
