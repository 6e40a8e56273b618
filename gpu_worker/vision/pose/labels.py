"""Semantic segmentation of the person without a trained model: skin, hair, upper, lower, feet.

By colour clusters (k-means in Lab) and position on the body. Knows Lab pixels, the person's mask
and landmarks on the canvas; no new garment.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from gpu_worker.vision.planes import (
    Bytes,
    Floats,
    Mask,
    connected_to,
    coordinates,
    floats,
    length,
    open_,
    to_point,
    to_segment,
    without_specks,
)
from gpu_worker.vision.pose.body import EARS, EYES, MOUTH, Body
from gpu_worker.vision.pose.silhouette import limb_core
from gpu_worker.vision.pose.skin import Tones

NOTHING, SKIN, HAIR, UPPER, LOWER, FRINGE, FEET = range(7)

# Numbers without an origin of their own: by eye on the sheets (docs/preview.md).
_WEIGHTS = (0.5, 1.2, 1.2)
_WAIST_AT_TL, _WAIST_SPREAD_TL = 0.85, 0.25
_CLIP_LAB = 30.0
_NO_BOTTOM_TL = 0.7  # no bottom begins above it
_SAME_CLOTH_LAB = 8.0  # Lab
_UNLIKE_LAB = 25.0  # Lab: top and bottom can be told apart by colour
_ROW_COUNTS_LAB, _ROW_COUNTS_LITTLE_LAB = 54.0, 22.0  # Lab: the most that the height may add
_ROW_SLOPE_LAB = ((4.0, 12.0), (18.0, 7.0))  # of like and of unlike clothes, Lab per tenth of a tl
_SPECK_SW2 = 0.004
_STRAY_SW2 = 0.05
_CUFF_LIKE_LAB, _CUFF_TL, _THIGH_TL = 14.0, 0.12, 1.4
_RIM_SW = 0.025
_HUE_SKIN_DEG, _HUE_CLOTH_DEG, _COLOURFUL_CHROMA = 7.0, 8.0, 18.0  # degrees; Lab chroma
_HAND_SW = (0.17, 0.14, 0.13, 0.13)
_ARM_SW = (0.17, 0.14, 0.11)


@dataclass(frozen=True, slots=True)
class Worn:
    """What the person wears. labels: uint8 (h, w), see `NOTHING` to `FEET`; waist: v in tl of the
    line between upper and lower; bare: for each side, whether the upper arm is bare."""

    labels: Bytes
    waist: float
    bare: tuple[bool, bool]


def label(seen: Floats, person: Mask, tones: Tones, body: Body) -> Worn:
    """Labels every px of the person.

    seen: Lab (h, w, 3), slightly smoothed; person: mask (h, w).
    """
    u, v = body.uv(person.shape)
    # The colours of top, bottom and hair, from where each certainly is; then the waist between.
    torso = ~_arms(body, person.shape) & (np.abs(u) < 0.5)
    upper = _clusters(seen, person & torso & (v > 0.25) & (v < _NO_BOTTOM_TL), 4)
    lower = _unlike(_clusters(seen, _lower_zone(person, u, v), 3), upper)
    hair = _clusters(seen, person & _above_eyes(body, person.shape), 2, tones)
    d_upper, d_lower = _distance(seen, upper), _distance(seen, lower)
    waist = _waist(d_upper, d_lower, person & (np.abs(u) < 0.45), v)
    # The top's colours again, now from above the waist only.
    upper = _clusters(seen, person & torso & (v > 0.25) & (v < min(0.8, waist - 0.1)), 4)
    d_upper = _distance(seen, upper)
    # Height counts beside colour, less the better the colours alone tell top from bottom.
    most = _ROW_COUNTS_LITTLE_LAB if _contrast(upper, lower) > _UNLIKE_LAB else _ROW_COUNTS_LAB
    slope = np.interp(_contrast(upper, lower, _WEIGHTS), *_ROW_SLOPE_LAB)
    by_row = np.clip((v - waist) / 0.10 * slope, -most, most)
    d_cloth = np.minimum(d_upper, d_lower)
    d_upper, d_lower = d_upper + np.maximum(by_row, 0), d_lower + np.maximum(-by_row, 0)
    d_hair = _distance(seen, hair) + 40 * _from_head(body, person.shape)
    nearest = HAIR + np.argmin(np.stack([d_hair + 6, d_upper, d_lower]), axis=0)
    labels = np.where(person, nearest, NOTHING).astype(np.uint8)
    skin = person & _skin(seen, tones, d_cloth, d_hair, _dressed(u, v, waist, torso))
    skin &= ~_of_the_tops_hue(seen, tones, upper) | (v < 0)
    labels[skin & ~_hem_line(skin, body)] = SKIN
    # Corrections, each by what is known of bodies and clothes; their order matters.
    labels = _head(labels, person, v, body)
    labels = _rooted_hair(labels, d_upper, d_lower, tones.is_skin(seen), v)
    bare = (_is_bare(labels, body, 0), _is_bare(labels, body, 1))
    labels = _fringe(labels, body, bare)
    labels[(labels == UPPER) & (v > waist + 0.03)] = LOWER
    labels = _feet(labels, body, v, _distance(seen, lower))
    labels = _strays(labels, body)
    return Worn(_without_label_specks(labels, body), waist, bare)


def _lower_zone(person: Mask, u: Floats, v: Floats) -> Mask:
    """Where trousers or a skirt certainly show: below the hem of a long top, if in the photo."""
    middle = person & (np.abs(u) < 0.42)
    low = middle & (v > 1.18) & (v < 1.45)
    return low if low.any() else middle & (v > 1.02) & (v < 1.35)


def _arms(body: Body, shape: tuple[int, ...]) -> Mask:
    return limb_core(body.arm(0), shape, _ARM_SW, body.sw) | limb_core(
        body.arm(1), shape, _ARM_SW, body.sw
    )


def _dressed(u: Floats, v: Floats, waist: float, torso: Mask) -> Mask:
    """Where bare skin is unlikely: the middle of the torso and the hips."""
    torso = torso & (v > 0.32) & (v < waist - 0.12)
    hips = (v > waist + 0.1) & (v < 1.3) & (np.abs(u) < 0.36)
    return np.asarray(torso | hips)


def _clusters(seen: Floats, zone: Mask, count: int, tones: Tones | None = None) -> Floats:
    """Up to `count` Lab colours of a zone, by k-means; with `tones`, skin px are left out."""
    cloth = zone if tones is None else zone & (tones.distance(seen) > 12)
    values = seen[cloth if cloth.sum() > 0.15 * max(1, zone.sum()) else zone]
    if len(values) < 4 * count:
        return np.zeros((0, 3), dtype=np.float32)
    values = floats(values[:: max(1, len(values) // 4000)])
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_MAX_ITER, 20, 0.5)
    order = np.argsort(values[:, 0], kind="stable")
    start = (np.arange(len(values)) * count // len(values)).astype(np.int32)
    labels = np.empty((len(values), 1), dtype=np.int32)
    labels[order, 0] = start
    flags = cv2.KMEANS_USE_INITIAL_LABELS
    _, labels_out, centres = cv2.kmeans(values, count, labels, criteria, 1, flags)
    share = np.bincount(labels_out.ravel(), minlength=count) / len(values)
    return floats(centres[share > 0.06])


def _distance(seen: Floats, clusters: Floats) -> Floats:
    if not len(clusters):
        return np.full(seen.shape[:2], 60, dtype=np.float32)
    each = [length(seen - colour, _WEIGHTS) for colour in clusters]
    return floats(np.min(each, axis=0))


def _unlike(lower: Floats, upper: Floats) -> Floats:
    """The bottom's colours without those of the top, whose hem may hang into their zone; all of
    them if none would be left."""
    if not len(lower) or not len(upper):
        return lower
    apart = length(lower[:, None] - upper[None], _WEIGHTS)  # lightness counts less: it may be shade
    own = apart.min(axis=1) > _SAME_CLOTH_LAB
    return floats(lower[own]) if own.any() else lower


def _contrast(
    upper: Floats, lower: Floats, weights: tuple[float, float, float] = (1, 1, 1)
) -> float:
    """The least Lab distance between a colour of the top and one of the bottom."""
    if not len(upper) or not len(lower):
        return 0.0
    return float(length(upper[:, None] - lower[None], weights).min())


def _above_eyes(body: Body, shape: tuple[int, ...]) -> Mask:
    _u, v = body.uv(shape)
    eyes_v = float((body.mid(EYES) - body.mid((12, 11))) @ body.down) / body.tl
    return np.asarray(v < eyes_v - 0.35 * body.eye_distance / body.tl)


def _from_head(body: Body, shape: tuple[int, ...]) -> Floats:
    """Distance from the head's circle, in sw; 0 within it."""
    centre = (body.mid(EARS) + body.mid(EYES)) / 2
    distance = to_point(shape, centre) / body.sw
    return floats(np.maximum(0, distance - 0.5))


def _waist(d_upper: Floats, d_lower: Floats, zone: Mask, v: Floats) -> float:
    """The v (tl) that best separates rows like the top from rows like the bottom.

    The prior scales with the number of px; otherwise, with clothes of like colours, noise decides.
    """
    bins = np.clip(((v - 0.45) / 0.01).astype(np.int32), -1, 105)
    vote = np.clip(d_lower - d_upper, -_CLIP_LAB, _CLIP_LAB)
    inside = zone & (bins >= 0) & (bins < 105)
    gain = np.bincount(bins[inside], vote[inside], minlength=105).astype(np.float32)
    count = int(inside.sum())
    rows = 0.45 + 0.01 * np.arange(105)
    prior = 1.2 * count * ((rows - _WAIST_AT_TL) / _WAIST_SPREAD_TL) ** 2
    score = 2 * np.cumsum(gain) - gain.sum() - prior
    return float(rows[int(np.argmax(score))]) + 0.005


def _skin(seen: Floats, tones: Tones, d_cloth: Floats, d_hair: Floats, dressed: Mask) -> Mask:
    distance = tones.distance(seen) * np.where(dressed, np.float32(1.8), np.float32(1))
    likely = tones.is_skin(seen) & ~((d_cloth < 12) & (1.1 * d_cloth < distance))
    likely &= ~dressed | (distance < d_cloth)
    nearer = (distance < 0.75 * d_cloth) & (distance < 20)
    return np.asarray((likely | nearer) & ~((d_hair < 20) & (1.2 * d_hair < distance)))


def _of_the_tops_hue(seen: Floats, tones: Tones, upper: Floats) -> Mask:
    """Px whose hue is that of the top and of no skin tone: shaded cloth that looks like skin."""
    hue = np.degrees(np.arctan2(seen[..., 2], seen[..., 1]))
    own = np.degrees(np.arctan2(tones.tones[:, 2], tones.tones[:, 1]))
    unlike = (hue < own.min() - _HUE_SKIN_DEG) | (hue > own.max() + _HUE_SKIN_DEG)
    colourful = upper[np.hypot(upper[:, 1], upper[:, 2]) > _COLOURFUL_CHROMA]
    like = np.zeros_like(unlike)
    for _, a, b in colourful:
        like |= np.abs(hue - np.degrees(np.arctan2(b, a))) < _HUE_CLOTH_DEG
    return np.asarray(
        unlike & like & (np.hypot(seen[..., 1], seen[..., 2]) > _COLOURFUL_CHROMA / 2)
    )


def _hem_line(skin: Mask, body: Body) -> Mask:
    """Thin lines that look like skin and are on no arm: the lit or shaded rim of a top."""
    thin = skin & ~open_(skin, _RIM_SW * body.sw)
    _, v = body.uv(skin.shape)
    arms = np.zeros_like(skin)
    for side in (0, 1):
        shoulder, elbow, wrist = body.arm(side)
        tip = floats(wrist + 1.6 * (body.hand(side) - wrist))
        arms |= limb_core(floats([shoulder, elbow, wrist, tip]), skin.shape, _HAND_SW, body.sw)
    return np.asarray(thin & ~arms & (v > 0.3) & (v < _THIGH_TL))


def _head(labels: Bytes, person: Mask, v: Floats, body: Body) -> Bytes:
    """Changes cloth above the mouth to hair: no garment is there."""
    mouth = float((body.mid(MOUTH) - body.mid((12, 11))) @ body.down) / body.tl
    cloth = (labels == UPPER) | (labels == LOWER)
    labels[person & cloth & (v < mouth)] = HAIR
    return labels


def _rooted_hair(labels: Bytes, d_upper: Floats, d_lower: Floats, skin: Mask, v: Floats) -> Bytes:
    """Keeps only hair that is connected to the head: other dark px are shadows on the chest."""
    hair = labels == HAIR
    rooted = connected_to(hair, hair & (v < -0.28))
    stray = hair & ~rooted
    labels[stray] = np.where(skin, SKIN, np.where(d_upper <= d_lower, UPPER, LOWER))[stray]
    return labels


def _is_bare(labels: Bytes, body: Body, side: int) -> bool:
    """Whether more than half of the px along the upper arm's bone are skin."""
    shoulder, elbow, _ = body.arm(side)
    a, b = shoulder + 0.15 * (elbow - shoulder), shoulder + 0.65 * (elbow - shoulder)
    tube = (to_segment(labels.shape, a, b, 0.05 * body.sw)[0] < 0.05 * body.sw) & (labels > 0)
    return bool(tube.any()) and float((labels[tube] == SKIN).mean()) > 0.5


def _fringe(labels: Bytes, body: Body, bare: tuple[bool, bool]) -> Bytes:
    """Changes cloth labels at the outer side of a bare arm to fringe: mixed px of its outline."""
    cloth = (labels == UPPER) | (labels == LOWER)
    for side in (0, 1):
        if bare[side]:
            shoulder, elbow, wrist = body.arm(side)
            outer = _outer_side(labels.shape, shoulder, elbow, side)
            outer |= _outer_side(labels.shape, elbow, wrist, side)
            start = floats(shoulder + 0.25 * (elbow - shoulder))
            near = to_segment(labels.shape, start, elbow, 0.16 * body.sw)[0] < 0.16 * body.sw
            near |= to_segment(labels.shape, elbow, wrist, 0.13 * body.sw)[0] < 0.13 * body.sw
            labels[cloth & outer & near] = FRINGE
    return labels


def _outer_side(shape: tuple[int, ...], a: Floats, b: Floats, side: int) -> Mask:
    xs, ys = coordinates(shape)
    cross = (b[0] - a[0]) * (ys - a[1]) - (b[1] - a[1]) * (xs - a[0])
    outer = cross > 0 if side == 0 else cross < 0
    between = (ys > a[1]) & (ys < b[1])
    return np.asarray(outer & between)


def _feet(labels: Bytes, body: Body, v: Floats, d_lower: Floats) -> Bytes:
    """Changes cloth below each ankle to feet (shoes, which always stay), except for cuffs: these
    look like the trousers and are connected to them."""
    u, _ = body.uv(labels.shape)
    ankles = [body.leg(side)[2] - body.at(0, 0) for side in (0, 1)]
    ankle_u = [float(ankle @ body.right) / body.sw for ankle in ankles]
    ankle_v = [float(ankle @ body.down) / body.tl for ankle in ankles]
    at_left = np.abs(u - ankle_u[0]) < np.abs(u - ankle_u[1])
    below = v - np.where(at_left, ankle_v[0], ankle_v[1])
    cloth = (labels == UPPER) | (labels == LOWER)
    trousers = connected_to(labels == LOWER, (labels == LOWER) & (v < _THIGH_TL))
    cuff = trousers & (d_lower < _CUFF_LIKE_LAB) & (below < _CUFF_TL)
    labels[cloth & (below > -0.02) & ~cuff] = FEET
    return labels


def _strays(labels: Bytes, body: Body) -> Bytes:
    """Changes small separate parts of cloth to fringe: wall or shadow seen beside the arms."""
    for value in (UPPER, LOWER):
        cloth = labels == value
        whole = without_specks(cloth, _STRAY_SW2 * body.sw**2)
        labels[cloth & ~whole] = FRINGE
    return labels


def _without_label_specks(labels: Bytes, body: Body) -> Bytes:
    """Gives small islands the label of the nearest px outside them."""
    area = _SPECK_SW2 * body.sw**2
    sure = np.zeros(labels.shape, dtype=bool)
    for value in (SKIN, HAIR, UPPER, LOWER, FRINGE, FEET):
        sure |= without_specks(labels == value, area)
    islands = (labels > 0) & ~sure
    if not islands.any() or not sure.any():
        return labels
    _, nearest = cv2.distanceTransformWithLabels(
        (~sure).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    index = np.zeros(int(nearest.max()) + 1, dtype=np.uint8)
    index[nearest[sure]] = labels[sure]
    labels[islands] = index[nearest[islands]]
    return labels
