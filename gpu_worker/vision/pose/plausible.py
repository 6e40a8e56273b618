"""Plausibility check of a pose: the landmark model itself scores 0.99 on nonsense.

Refuses proportions that no standing person has. Knows landmarks in photo px and how the body's mask
covers them; no garment.
"""

from __future__ import annotations

import numpy as np

from gpu_worker.contract import Reason
from gpu_worker.engine import Refusal
from gpu_worker.vision.planes import Floats
from gpu_worker.vision.pose.body import ELBOWS, EYES, HIPS, NOSE, SHOULDERS, WRISTS, Body

# Bounds seen on good photos: tl/sw 1.36-1.73, upper arm/tl .46-.67, eyes/sw .17-.21.
_TORSO_BY_SHOULDERS = (1.1, 2.4)
_UPPER_ARM_BY_TORSO = (0.3, 1.1)
_ARMS_DIFFER_RATIO = 1.9
_EYES_BY_SHOULDERS = (0.10, 0.30)
_NOSE_ABOVE_SW = 0.25
_SHOULDER_SEEN_SCORE = 0.5
_POINTS_IN_MASK_SHARE = 0.8
MIN_SW_PX = 48.0
LEGS_FROM_TL = 1.25  # a photo that ends above it shows no legs
WAIST_TL = 0.75
MIN_LUMINANCE = 14.0  # L* of the body's median: below it cloth and skin cannot be told apart


def refuse_implausible(body: Body, inside: Floats) -> None:
    """Raises the first refusal that applies.

    inside: (33,) how far the mask covers each landmark, 0..1.

    Raises:
        Refusal: person_too_small, back_view or implausible_pose.
    """
    if body.sw < MIN_SW_PX:
        raise Refusal(Reason.PERSON_TOO_SMALL, f"shoulders {body.sw:.0f} px apart")
    if body.points[SHOULDERS[0], 0] > body.points[SHOULDERS[1], 0]:
        raise Refusal(Reason.BACK_VIEW, "the left shoulder is at the left")
    for name, holds in _checks(body, inside).items():
        if not holds:
            raise Refusal(Reason.IMPLAUSIBLE_POSE, name)


def _checks(body: Body, inside: Floats) -> dict[str, bool]:
    """Whether each proportion is plausible, by its name in the refusal."""
    uppers = [float(np.hypot(*(body.arm(side)[1] - body.arm(side)[0]))) for side in (0, 1)]
    arm = sum(uppers) / 2 / body.tl
    eyes = body.eye_distance / body.sw
    corners = [*SHOULDERS, *HIPS, *ELBOWS]
    nose = float((body.points[NOSE] - body.mid(SHOULDERS)) @ body.down) / body.sw
    eyes_in_order = body.points[EYES[0], 0] < body.points[EYES[1], 0]
    return {
        "torso_ratio": _within(body.tl / body.sw, _TORSO_BY_SHOULDERS),
        "arm_ratio": max(uppers) <= _ARMS_DIFFER_RATIO * max(min(uppers), 1e-6),
        "arm_length": _within(arm, _UPPER_ARM_BY_TORSO),
        "head_ratio": _within(eyes, _EYES_BY_SHOULDERS) and bool(eyes_in_order),
        "head_place": nose < -_NOSE_ABOVE_SW,
        "shoulders_hidden": bool(body.visibility[list(SHOULDERS)].min() >= _SHOULDER_SEEN_SCORE),
        "outside_mask": float(inside[corners].mean()) >= _POINTS_IN_MASK_SHARE,
    }


def _within(value: float, bounds: tuple[float, float]) -> bool:
    return bounds[0] <= value <= bounds[1]


def arms_crossed(body: Body) -> bool:
    """Whether a wrist is in front of the other half of the torso, above the hips."""
    for side in (0, 1):
        offset = body.points[WRISTS[side]] - body.mid(SHOULDERS)
        across = float(offset @ body.right) / body.sw * (1 if side == 0 else -1)
        low = float(offset @ body.down) / body.tl
        if across > 0.1 and 0 < low < 0.9:
            return True
    return False
