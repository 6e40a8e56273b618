"""Whether this garment can be shown on this photo at all: asked before anything is drawn.

Knows person and category.
"""

from __future__ import annotations

from gpu_worker.contract import Category, Reason
from gpu_worker.engine import Refusal
from gpu_worker.pose import Person
from gpu_worker.pose.body import HIPS, SHOULDERS
from gpu_worker.pose.plausible import arms_crossed

_UPPER_NEEDS_TL = 0.75  # below the shoulders
_LOWER_NEEDS_TL = 0.25  # below the hips


def refuse_unsuitable(person: Person, category: Category) -> None:
    """Raises what a shopper can mend with another photo.

    Raises:
        Refusal: crop_too_tight, implausible_pose.
    """
    room = _room_tl(person, category)
    if room < 0:
        raise Refusal(Reason.CROP_TOO_TIGHT, f"{category.value}: {-room:.2f} torso lengths short")
    if category is not Category.LOWER and arms_crossed(person.body):
        raise Refusal(Reason.IMPLAUSIBLE_POSE, "arms before the torso")


def _room_tl(person: Person, category: Category) -> float:
    """How much more of the body the photo shows than the category needs, in tl."""
    body, bottom = person.body, float(person.frame.height)
    if category is Category.UPPER:
        needed = float(body.mid(SHOULDERS)[1]) + _UPPER_NEEDS_TL * body.tl
    else:
        needed = float(body.mid(HIPS)[1]) + _LOWER_NEEDS_TL * body.tl
    return (bottom - needed) / body.tl
