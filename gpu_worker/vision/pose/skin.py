"""Skin detection by the shopper's own skin tones, sampled at face, neck and forearms.

Knows Lab pixels and landmarks on the canvas.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gpu_worker.vision.planes import Floats, Mask, blur, floats, length
from gpu_worker.vision.pose.body import EYES, MOUTH, NOSE, Body

# Numbers without an origin of their own: by eye on the sheets (docs/preview.md).
_NECK_AT = (0.45, 0.65)  # from the mouth to the middle of the shoulders
_FOREARM_AT = (0.3, 0.6)  # from elbow to wrist
_NECK_AB, _NECK_L = 9.0, 80.0
_FOREARM_AB, _FOREARM_L = 12.0, 70.0
_LEAST_CHROMA = 0.6  # of the face's chroma: without this bound a white top counted as skin
_SIGMA_AB, _SIGMA_L = 9.0, 42.0
_THRESHOLD = 0.42
_WEIGHTS = (0.4, 1.2, 1.2)
_SPOT_SW = 0.03


@dataclass(frozen=True, slots=True)
class Tones:
    """Lab colours (n, 3) of the shopper's skin; the first is the face's median."""

    tones: Floats

    def distance(self, seen: Floats) -> Floats:
        """Weighted distance of each px (h, w, 3) to the nearest tone."""
        each = [length(seen - tone, _WEIGHTS) for tone in self.tones]
        return floats(np.min(each, axis=0))

    def likelihood(self, seen: Floats) -> Floats:
        """0..1 per px: a Gaussian around the most likely tone."""
        best = np.zeros(seen.shape[:2], dtype=np.float32)
        for tone in self.tones:
            d = (seen - tone) ** 2
            exponent = d[..., 0] / _SIGMA_L**2 + (d[..., 1] + d[..., 2]) / _SIGMA_AB**2
            best = np.maximum(best, np.exp(-0.5 * exponent))
        return floats(best)

    def is_skin(self, seen: Floats) -> Mask:
        return self.likelihood(seen) > _THRESHOLD


def tones_of(seen: Floats, mask: Mask, body: Body) -> Tones:
    """Samples the skin tones. seen: Lab (h, w, 3); mask: the person."""
    face = _face(seen, mask, body)
    found = [face]
    for point in _neck_points(body):
        found += _accepted(_spot(seen, mask, point, body), face, _NECK_AB, _NECK_L)
    for point in _forearm_points(body):
        found += _accepted(_spot(seen, mask, point, body), face, _FOREARM_AB, _FOREARM_L)
    return Tones(floats(found))


def _face(seen: Floats, mask: Mask, body: Body) -> Floats:
    """The median over a disc round eyes, nose and mouth."""
    centre = (body.mid(EYES) + body.points[NOSE] + body.mid(MOUTH)) / 3
    return _median(seen, mask, floats(centre), 0.5 * body.eye_distance)


def _neck_points(body: Body) -> list[Floats]:
    top, bottom = body.mid(MOUTH), body.at(0, 0)
    return [floats(top + t * (bottom - top)) for t in _NECK_AT]


def _forearm_points(body: Body) -> list[Floats]:
    points = []
    for side in (0, 1):
        _, elbow, wrist = body.arm(side)
        points += [floats(elbow + t * (wrist - elbow)) for t in _FOREARM_AT]
    return points


def _spot(seen: Floats, mask: Mask, point: Floats, body: Body) -> Floats | None:
    x, y = round(float(point[0])), round(float(point[1]))
    if not (0 <= y < mask.shape[0] and 0 <= x < mask.shape[1] and mask[y, x]):
        return None
    return _median(seen, mask, point, _SPOT_SW * body.sw)


def _median(seen: Floats, mask: Mask, centre: Floats, radius: float) -> Floats:
    x, y, reach = int(centre[0]), int(centre[1]), max(1, int(np.ceil(radius)))
    rows = slice(max(0, y - reach), max(0, y + reach + 1))
    columns = slice(max(0, x - reach), max(0, x + reach + 1))
    patch, inside = seen[rows, columns], mask[rows, columns]
    return floats(np.median(patch[inside] if inside.any() else patch.reshape(-1, 3), axis=0))


def _accepted(tone: Floats | None, face: Floats, ab: float, lightness: float) -> list[Floats]:
    if tone is None:
        return []
    near = np.hypot(*(tone - face)[1:]) < ab and abs(float(tone[0] - face[0])) < lightness
    colourful = np.hypot(*tone[1:]) > _LEAST_CHROMA * np.hypot(*face[1:])
    return [tone] if near and colourful else []


def smooth_lab(seen: Floats) -> Floats:
    """Blurs a little against sensor noise, so that single px do not get another label."""
    return blur(seen, 0.9)
