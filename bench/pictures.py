"""The pictures for contact sheets, benchmarks and tests of the preview.

The demo's renders and garments under CC0 are in the repository. Photos in a folder beside it, if
there are any, may be looked at but not published.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from gpu_worker.contract import Category
from gpu_worker.engine import Pixels

ROOT = Path(__file__).resolve().parent.parent
DEMO = ROOT / "embed/demo/static"
PHONE = ROOT / "tests/data/garments"
PHOTOS = ROOT.parent / "shared/photos"


@dataclass(frozen=True, slots=True)
class Set:
    """People and garments that are tried on each other."""

    name: str
    people: tuple[Path, ...]
    garments: tuple[Path, ...]


def demo() -> Set:
    return Set("demo", _sorted(DEMO, "person_*.jpg"), _sorted(DEMO, "garment_*.jpg"))


def phone() -> Set:
    """The demo's people in garments that were laid out and photographed with a phone."""
    return Set("phone", demo().people, _sorted(PHONE, "phone_*.jpg"))


def photos() -> Set:
    """The photos beside the repository; an empty set if there are none."""
    people = _sorted(PHOTOS / "person", "*.*")
    return Set("photos", people, _sorted(PHOTOS / "garment", "*.*"))


def mixed() -> Set:
    """The photographed people in the demo shop's garments."""
    return Set("mixed", photos().people, demo().garments)


def _sorted(folder: Path, pattern: str) -> tuple[Path, ...]:
    return tuple(sorted(folder.glob(pattern)))


def category_of(path: Path) -> Category:
    """From the file's name, as each set names its own."""
    overall = ("overall", "dress", "jumpsuit", "playsuit")
    if any(word in path.stem for word in overall):
        return Category.OVERALL
    lower = ("skirt", "trousers", "pants", "lower", "shorts")
    return Category.LOWER if any(word in path.stem for word in lower) else Category.UPPER


def load(path: Path) -> Pixels:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))
