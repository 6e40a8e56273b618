"""Pre-check: whether a garment of this category can be drawn on this photo at all.

Knows person and category.
"""

from __future__ import annotations

from gpu_worker.contract import Category, Reason
from gpu_worker.engine import Refusal
from gpu_worker.vision.pose import Person
from gpu_worker.vision.pose.plausible import LEGS_FROM_TL, WAIST_TL, arms_crossed

# How far down the photo must show her, in tl from the shoulders. A dress that the photo cuts off is
# drawn as far as the photo goes; the photo check has warned of that.
_NEEDS_TL = {Category.UPPER: WAIST_TL, Category.OVERALL: 0.95, Category.LOWER: LEGS_FROM_TL}


def refuse_unsuitable(person: Person, category: Category) -> None:
    """Refuses what the shopper can solve with another photo.

    Raises:
        Refusal: crop_too_tight, implausible_pose.
    """
    missing = _NEEDS_TL[category] - person.shown
    if missing > 0:
        raise Refusal(Reason.CROP_TOO_TIGHT, f"{category.value}: {missing:.2f} torso lengths short")
    if category is not Category.LOWER and arms_crossed(person.body):
        raise Refusal(Reason.IMPLAUSIBLE_POSE, "arms before the torso")
