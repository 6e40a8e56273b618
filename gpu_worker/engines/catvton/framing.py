"""Crops the window of a photo that the model sees, and pastes what it drew back into the photo.

Pure geometry and pixels; outside the changed region the photo's pixels stay bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from gpu_worker.engine import Pixels
from gpu_worker.vision.images import paste_back
from gpu_worker.vision.pose import Person

MARGIN = 0.12  # of the person's height, above the eyes' and below the feet's landmarks
FEATHER = 0.02  # of the window's shorter side
VISIBLE = 0.5


@dataclass(frozen=True, slots=True)
class Window:
    """A rectangle in photo pixels. It may extend beyond the photo, to show all of a person."""

    left: int
    top: int
    width: int
    height: int

    @property
    def box(self) -> tuple[int, int, int, int]:
        return self.left, self.top, self.left + self.width, self.top + self.height

    def scaled(self, by: float) -> Window:
        """The same rectangle in a photo that was resized by this factor."""
        left, top, right, bottom = (round(edge * by) for edge in self.box)
        return Window(left, top, max(1, right - left), max(1, bottom - top))


Box = tuple[float, float, float, float]


def window_of(photo_size: tuple[int, int], target: tuple[int, int], person: Box | None) -> Window:
    """The window, in the target's aspect ratio, that shows the person.

    photo_size, target: (width, height) in px. person: (left, top, right, bottom) in photo px.
    Without a person it is the centred crop of the published preprocessing.
    """
    centred = _centred(photo_size, target)
    if person is None:
        return centred
    left, top, right, bottom = person
    scale = max((right - left) / target[0], (bottom - top) / target[1], _least(centred, target))
    width, height = round(target[0] * scale), round(target[1] * scale)
    return Window(
        _placed((left + right) / 2, width, photo_size[0]),
        _placed((top + bottom) / 2, height, photo_size[1]),
        width,
        height,
    )


def _least(centred: Window, target: tuple[int, int]) -> float:
    """The least scale: that of the centred crop, since the training pictures show surroundings."""
    return centred.width / target[0]


def _centred(photo_size: tuple[int, int], target: tuple[int, int]) -> Window:
    (w, h), (target_w, target_h) = photo_size, target
    if w * target_h < target_w * h:
        width, height = w, w * target_h // target_w
    else:
        width, height = h * target_w // target_h, h
    return Window((w - width) // 2, (h - height) // 2, width, height)


def _placed(centre: float, length: int, room: int) -> int:
    """The window's first px: around the centre, moved inside the photo if it fits there."""
    if length >= room:
        return -((length - room) // 2)
    return round(min(max(centre - length / 2, 0), room - length))


def person_box(person: Person) -> Box | None:
    """The box of the visible landmarks with a margin, in photo px; None if there are none."""
    points = person.frame.to_photo_px(person.body.points)[person.body.visibility >= VISIBLE]
    if len(points) == 0:
        return None
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    margin = MARGIN * (bottom - top)
    return float(left - margin), float(top - margin), float(right + margin), float(bottom + margin)


def cut(photo: Pixels, window: Window, target: tuple[int, int]) -> Image.Image:
    """The window at the target's size; beyond the photo's edge its border pixels are repeated."""
    height, width = photo.shape[:2]
    left, top, right, bottom = window.box
    inside = photo[max(top, 0) : min(bottom, height), max(left, 0) : min(right, width)]
    over = [(max(-top, 0), max(bottom - height, 0)), (max(-left, 0), max(right - width, 0))]
    if photo.ndim == 3:
        over.append((0, 0))
    padded = np.pad(inside, over, mode="edge")
    return Image.fromarray(padded).resize(target, Image.Resampling.LANCZOS)


def lay_back(photo: Pixels, drawn: Pixels, window: Window, mask: Pixels | None) -> Pixels:
    """Pastes the drawn window into the photo, at the photo's own size, with a feathered edge.

    mask: uint8 (h, w) of the photo, 255 = may change; None: the whole window.
    """
    height, width = photo.shape[:2]
    left, top, right, bottom = window.box
    fitted = np.asarray(
        Image.fromarray(drawn).resize((window.width, window.height), Image.Resampling.LANCZOS)
    )
    ys, xs = slice(max(top, 0), min(bottom, height)), slice(max(left, 0), min(right, width))
    full = photo.copy()
    full[ys, xs] = fitted[ys.start - top : ys.stop - top, xs.start - left : xs.stop - left]
    if mask is not None:
        return paste_back(photo, full, mask, FEATHER * min(window.width, window.height))
    if (ys.stop - ys.start, xs.stop - xs.start) == (height, width):
        return full
    return paste_back(photo, full, _rectangle(photo, ys, xs), FEATHER * min(height, width))


def _rectangle(photo: Pixels, ys: slice, xs: slice) -> Pixels:
    mask = np.zeros(photo.shape[:2], dtype=np.uint8)
    mask[ys, xs] = 255
    return mask
