"""Coordinate systems of a body: the canvas (a crop at a normalised scale), and units of the body.

Lengths are in two units of the body itself: `sw`, shoulder width, the distance between the shoulder
landmarks; and `tl`, torso length, from the middle of the shoulders to the middle of the hips.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_worker.engine import Array, Pixels
from gpu_worker.vision.planes import (
    Bytes,
    Floats,
    Numbers,
    coordinates,
    floats,
    resize,
    resize_bytes,
)

SW_PX = 160  # the canvas's scale: one sw is this many px, whatever the photo's size

# Indices of MediaPipe's landmarks; [0] is the side at the image's left, [1] at its right
NOSE = 0
EYES = (5, 2)
EARS = (8, 7)
MOUTH = (10, 9)
SHOULDERS = (12, 11)
ELBOWS = (14, 13)
WRISTS = (16, 15)
FINGERS = ((18, 20, 22), (17, 19, 21))
HIPS = (24, 23)
KNEES = (26, 25)
ANKLES = (28, 27)


@dataclass(frozen=True, slots=True)
class Frame:
    """A box of the photo, in px, and the canvas to which it is resized.

    x, y: top left corner in the photo; wide, high: the box in the photo; width, height: of the
    canvas. A canvas px is `1 / scale` photo px.
    """

    x: int
    y: int
    wide: int
    high: int
    width: int
    height: int

    @property
    def scale(self) -> float:
        return self.width / self.wide

    def to_array(self) -> NDArray[np.int32]:
        box = (self.x, self.y, self.wide, self.high, self.width, self.height)
        return np.array(box, dtype=np.int32)

    @classmethod
    def from_array(cls, array: Array) -> Frame:
        return cls(*(int(value) for value in array))

    def crop(self, pixels: Pixels) -> Bytes:
        """The canvas's picture: uint8 (height, width, 3)."""
        box = pixels[self.y : self.y + self.high, self.x : self.x + self.wide]
        return resize_bytes(box, self.width, self.height)

    def to_canvas(self, points: Numbers) -> Floats:
        """Photo px (n, 2) to canvas px."""
        scale = np.array([self.width / self.wide, self.height / self.high])
        return floats((points - (self.x, self.y) + 0.5) * scale - 0.5)

    def to_photo_px(self, points: Numbers) -> Floats:
        """Canvas px (n, 2) to photo px."""
        scale = np.array([self.width / self.wide, self.height / self.high])
        return floats((points + 0.5) / scale - 0.5 + (self.x, self.y))

    def to_photo(self, plane: Array) -> Floats:
        """A plane of the canvas, resized to its box in the photo."""
        return resize(plane, self.wide, self.high)


@dataclass(frozen=True, slots=True)
class Body:
    """One person's landmarks on the canvas: points (33, 2) px, visibility (33,) 0..1."""

    points: Floats
    visibility: Floats

    def mid(self, pair: tuple[int, int]) -> Floats:
        return floats((self.points[pair[0]] + self.points[pair[1]]) / 2)

    @property
    def sw(self) -> float:
        left, right = self.points[SHOULDERS[0]], self.points[SHOULDERS[1]]
        return float(np.hypot(*(right - left)))

    @property
    def tl(self) -> float:
        return float(np.hypot(*(self.mid(HIPS) - self.mid(SHOULDERS))))

    @property
    def down(self) -> Floats:
        """Unit vector from the shoulders to the hips."""
        return floats((self.mid(HIPS) - self.mid(SHOULDERS)) / max(self.tl, 1e-6))

    @property
    def right(self) -> Floats:
        down = self.down
        return floats([down[1], -down[0]])

    def at(self, u: float, v: float) -> Floats:
        """Body coordinates to canvas px: u in sw to the image's right, v in tl downwards, from the
        middle of the shoulders."""
        return floats(self.mid(SHOULDERS) + u * self.sw * self.right + v * self.tl * self.down)

    def uv(self, shape: tuple[int, ...]) -> tuple[Floats, Floats]:
        """Planes of the body coordinates u (in sw) and v (in tl) of every px."""
        xs, ys = coordinates(shape)
        origin, right, down = self.mid(SHOULDERS), self.right, self.down
        u = ((xs - origin[0]) * right[0] + (ys - origin[1]) * right[1]) / self.sw
        v = ((xs - origin[0]) * down[0] + (ys - origin[1]) * down[1]) / self.tl
        return floats(u), floats(v)

    def arm(self, side: int) -> Floats:
        """Shoulder, elbow, wrist (3, 2)."""
        return self.points[[SHOULDERS[side], ELBOWS[side], WRISTS[side]]]

    def leg(self, side: int) -> Floats:
        """Hip, knee, ankle (3, 2)."""
        return self.points[[HIPS[side], KNEES[side], ANKLES[side]]]

    def hand(self, side: int) -> Floats:
        """The middle of the finger landmarks (2,)."""
        return floats(self.points[list(FINGERS[side])].mean(axis=0))

    @property
    def eye_distance(self) -> float:
        return float(np.hypot(*(self.points[EYES[0]] - self.points[EYES[1]])))


def frame_of(
    points: Floats, box: tuple[float, float, float, float], size: tuple[int, int]
) -> Frame:
    """The canvas of a person.

    points: landmarks in photo px; box: x0, y0, x1, y1 of the body with its margin, photo px;
    size: width and height of the photo.
    """
    sw = float(np.hypot(*(points[SHOULDERS[0]] - points[SHOULDERS[1]])))
    x0, y0 = max(0, int(np.floor(box[0]))), max(0, int(np.floor(box[1])))
    x1, y1 = min(size[0], int(np.ceil(box[2]))), min(size[1], int(np.ceil(box[3])))
    scale = SW_PX / sw
    width, height = max(8, round((x1 - x0) * scale)), max(8, round((y1 - y0) * scale))
    return Frame(x0, y0, x1 - x0, y1 - y0, width, height)


def warp_to_canvas(square: Floats, to_photo: NDArray[np.float64], frame: Frame) -> Floats:
    """A plane of the landmark model's square input, warped to the canvas."""
    scale = np.array([frame.width / frame.wide, frame.height / frame.high])
    matrix = np.array(to_photo)
    matrix[:, 2] -= (frame.x, frame.y)
    matrix *= scale[:, None]
    size = (frame.width, frame.height)
    return floats(cv2.warpAffine(square, matrix, size, flags=cv2.INTER_CUBIC))
