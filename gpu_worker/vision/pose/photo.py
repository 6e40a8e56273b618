"""Reads a shopper's photo once: `read_photo` computes the arrays that every later try-on uses.

Knows only the photo. The arrays are plain, so that the tailor can store them as npz.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gpu_worker.contract import Reason
from gpu_worker.engine import Array, Parts, Pixels, Refusal
from gpu_worker.vision.planes import Bytes, Floats, Mask, floats, lab
from gpu_worker.vision.pose.body import SHOULDERS, Body, Frame, frame_of, warp_to_canvas
from gpu_worker.vision.pose.detect import Found, find_people
from gpu_worker.vision.pose.labels import label
from gpu_worker.vision.pose.landmarks import Landmarks, read_landmarks
from gpu_worker.vision.pose.plausible import MIN_LUMINANCE, refuse_implausible
from gpu_worker.vision.pose.silhouette import silhouette
from gpu_worker.vision.pose.skin import smooth_lab, tones_of

VERSION = 4  # of the arrays: stored ones of another version are computed again
_PICKED = "picked"  # name of the array that keeps which of several people was picked
# Numbers without an origin of their own: by eye on the sheets (docs/preview.md).
_MARGIN_SW = 0.6
_DARK_LEVEL = 70.0  # of 255: too dark to find anybody
_BESIDE_RADII = 0.6  # of the largest person's size: a second person this large makes her choose


@dataclass(frozen=True, slots=True)
class Person:
    """What a photo shows of one person. All planes are on the canvas of `frame`.

    person: bool (h, w); labels: uint8 (h, w), see `labels`; tones: Lab (n, 3); waist: v in tl;
    bare: upper arm bare, per side; size: width and height of the photo.
    """

    frame: Frame
    body: Body
    person: Mask
    labels: Bytes
    tones: Floats
    waist: float
    bare: tuple[bool, bool]
    size: tuple[int, int]

    @property
    def shown(self) -> float:
        """How far down the photo shows her: v in tl of the canvas's lower edge."""
        return (self.frame.height - float(self.body.mid(SHOULDERS)[1])) / self.body.tl

    def to_parts(self) -> dict[str, Array]:
        return {
            "photo_version": np.array([VERSION], dtype=np.int32),
            "photo_size": np.array(self.size, dtype=np.int32),
            "frame": self.frame.to_array(),
            "points": self.body.points,
            "visibility": self.body.visibility,
            "person": self.person.astype(np.uint8),
            "labels": self.labels,
            "tones": self.tones,
            "waist": np.array([self.waist], dtype=np.float32),
            "bare": np.array(self.bare, dtype=np.uint8),
        }

    @classmethod
    def from_parts(cls, parts: Parts) -> Person:
        left, right = (bool(value) for value in parts["bare"])
        return cls(
            frame=Frame.from_array(parts["frame"]),
            body=Body(floats(parts["points"]), floats(parts["visibility"])),
            person=parts["person"].astype(bool),
            labels=np.asarray(parts["labels"], dtype=np.uint8),
            tones=floats(parts["tones"]),
            waist=float(parts["waist"][0]),
            bare=(left, right),
            size=(int(parts["photo_size"][0]), int(parts["photo_size"][1])),
        )


def fits(parts: Parts, pixels: Pixels) -> bool:
    """Whether this version computed these parts, from a photo of this size."""
    if "photo_version" not in parts or int(parts["photo_version"][0]) != VERSION:
        return False
    return tuple(int(n) for n in parts["photo_size"]) == (pixels.shape[1], pixels.shape[0])


def read_photo(pixels: Pixels, person: int | None = None) -> dict[str, Array]:
    """Finds the one person of a photo and what is skin, hair, upper and lower.

    pixels: uint8 (h, w, 3) RGB, upright. person: which of several, by index into the boxes.

    Raises:
        Refusal: nobody_found, several_people (data `people`: boxes), person_too_small, back_view,
            implausible_pose, photo_too_dark.
    """
    parts = read_person(pixels, person).to_parts()
    return parts if person is None else {**parts, _PICKED: np.array([person], dtype=np.int32)}


def person_of(parts: Parts, pixels: Pixels) -> Person:
    """The person of `read_photo`'s parts. If another version computed them, the photo is read
    again, and the person who was picked of several stays picked.

    Raises:
        Refusal: as `read_photo`.
    """
    if fits(parts, pixels):
        return Person.from_parts(parts)
    return read_person(pixels, int(parts[_PICKED][0]) if _PICKED in parts else None)


def read_person(pixels: Pixels, person: int | None = None) -> Person:
    """`read_photo`, as a `Person`."""
    landmarks = _choose(pixels, find_people(pixels), person)
    body = Body(landmarks.points, landmarks.visibility)
    refuse_implausible(body, _inside(landmarks, pixels))
    size = (pixels.shape[1], pixels.shape[0])
    frame = frame_of(landmarks.points, _box(landmarks, _MARGIN_SW * body.sw), size)
    canvas = Body(frame.to_canvas(landmarks.points), landmarks.visibility)
    return _read_canvas(frame, canvas, landmarks, frame.crop(pixels), size)


def _read_canvas(
    frame: Frame, body: Body, landmarks: Landmarks, pixels: Bytes, size: tuple[int, int]
) -> Person:
    coarse = warp_to_canvas(landmarks.mask, landmarks.to_photo, frame)
    person = silhouette(pixels, coarse, body)
    seen = smooth_lab(lab(pixels))
    if float(np.median(seen[person][:, 0])) < MIN_LUMINANCE:
        raise Refusal(Reason.PHOTO_TOO_DARK, "the body is almost black")
    tones = tones_of(seen, person, body)
    worn = label(seen, person, tones, body)
    return Person(frame, body, person, worn.labels, tones.tones, worn.waist, worn.bare, size)


def people_boxes(pixels: Pixels) -> list[list[float]]:
    """Boxes [x, y, width, height] of everybody found, in fractions of the photo, left to right."""
    return [_fractions(person, pixels) for person in _from_left(find_people(pixels))]


def _from_left(people: list[Found]) -> list[Found]:
    return sorted(people, key=lambda person: person.x)


def _fractions(found: Found, pixels: Pixels) -> list[float]:
    height, width = pixels.shape[:2]
    x0, x1 = (max(0.0, found.x - found.radius / 2), min(float(width), found.x + found.radius / 2))
    y0, y1 = (max(0.0, found.y - found.radius), min(float(height), found.y + found.radius))
    box = (x0 / width, y0 / height, (x1 - x0) / width, (y1 - y0) / height)
    return [round(value, 4) for value in box]


def _choose(pixels: Pixels, people: list[Found], person: int | None) -> Landmarks:
    """The landmarks of the one person, or of the one who was picked; refuses everything else."""
    if not people and float(np.percentile(pixels, 95)) < _DARK_LEVEL:
        raise Refusal(Reason.PHOTO_TOO_DARK, "almost black")
    if not people:
        raise Refusal(Reason.NOBODY_FOUND, "the detector found no person")
    largest = max(found.radius for found in people)
    near = _from_left([found for found in people if found.radius > _BESIDE_RADII * largest])
    if person is None and len(near) > 1:
        boxes = [_fractions(found, pixels) for found in near]
        raise Refusal(Reason.SEVERAL_PEOPLE, f"{len(near)} people", {"people": boxes})
    if person is not None and not 0 <= person < len(near):
        raise Refusal(Reason.NOBODY_FOUND, f"there is no person {person}")
    return read_landmarks(pixels, near[person or 0])


def _inside(landmarks: Landmarks, pixels: Pixels) -> Floats:
    """How far the model's mask covers each landmark, 0..1; 1 for landmarks outside the photo."""
    linear, offset = landmarks.to_photo[:, :2], landmarks.to_photo[:, 2]
    square = (landmarks.points - offset) @ np.linalg.inv(linear).T
    index = np.clip(np.round(square).astype(np.int32), 0, landmarks.mask.shape[0] - 1)
    size = (pixels.shape[1], pixels.shape[0])
    shown = ((landmarks.points >= 0) & (landmarks.points < size)).all(axis=1)
    return floats(np.where(shown, landmarks.mask[index[:, 1], index[:, 0]], 1))


def _box(landmarks: Landmarks, margin: float) -> tuple[float, float, float, float]:
    """The mask's bounding box with a margin, photo px."""
    ys, xs = np.nonzero(landmarks.mask > 0.15)
    corners = np.stack([xs, ys], -1) @ landmarks.to_photo[:, :2].T + landmarks.to_photo[:, 2]
    x0, y0 = corners.min(axis=0) - margin
    x1, y1 = corners.max(axis=0) + margin
    return float(x0), float(y0), float(x1), float(y1)
