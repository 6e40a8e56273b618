"""Splits the part of the photo that changes into strips, small enough for the CPU's cache.

Knows a frame and planes on its canvas; no body, no garment.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_worker.vision.planes import Floats, Mask, floats, resize
from gpu_worker.vision.pose.body import Frame

_ROWS = 96
_MARGIN_PX = 2  # of the canvas: interpolation reaches so far


@dataclass(frozen=True, slots=True)
class Strip:
    """A strip: rows and columns of the frame's box in photo px, ends excluded."""

    frame: Frame
    top: int
    bottom: int
    left: int
    right: int

    def of(self, plane: NDArray[np.float32]) -> Floats:
        """A plane of the canvas (h, w) or (h, w, c), resampled to this strip's px."""
        frame = self.frame
        if frame.high < frame.height or frame.wide < frame.width:
            whole = resize(plane, frame.wide, frame.high)
            return floats(whole[self.top : self.bottom, self.left : self.right])
        wide = cv2.resize(
            self._rows(plane), (frame.wide, self.bottom - self.top), interpolation=cv2.INTER_LINEAR
        )
        return floats(wide[:, self.left : self.right])

    def _rows(self, plane: NDArray[np.float32]) -> Floats:
        """The plane at this strip's rows, still as wide as the canvas: linear interpolation."""
        frame = self.frame
        at = (np.arange(self.top, self.bottom) + 0.5) * (frame.height / frame.high) - 0.5
        at = np.clip(at, 0, frame.height - 1)
        above = np.minimum(at.astype(np.int32), frame.height - 2)
        share = floats(at - above).reshape(-1, *[1] * (plane.ndim - 1))
        upper = plane[above]
        return floats(upper + (plane[above + 1] - upper) * share)

    def photo(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The photo's px of this strip: a view, to read or write."""
        frame = self.frame
        return pixels[
            frame.y + self.top : frame.y + self.bottom, frame.x + self.left : frame.x + self.right
        ]


def strips(frame: Frame, touched: Mask) -> Iterator[Strip]:
    """Strips that together cover the touched px of the canvas; a small photo is one strip."""
    if not touched.any():
        return
    left, right = _span(np.asarray(touched.any(axis=0)), frame.wide)
    top, bottom = _span(np.asarray(touched.any(axis=1)), frame.high)
    step = _ROWS if frame.high >= frame.height and frame.wide >= frame.width else frame.high
    for first in range(top, bottom, step):
        yield Strip(frame, first, min(first + step, bottom), left, right)


def _span(touched: Mask, size: int) -> tuple[int, int]:
    """First and last px along one side of the box, with a margin."""
    along = np.flatnonzero(touched)
    scale = size / len(touched)
    first = int((along[0] - _MARGIN_PX) * scale)
    last = int(np.ceil((along[-1] + 1 + _MARGIN_PX) * scale))
    return max(0, first), min(size, last)
