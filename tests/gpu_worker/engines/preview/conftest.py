"""Drawings shared by the preview's tests: each pair is read and drawn once a session."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from bench import composed
from bench.pictures import DEMO, PHOTOS, category_of, load
from gpu_worker.contract import Category
from gpu_worker.engine import Pixels
from gpu_worker.engines.preview.checks import Verdict, judge
from gpu_worker.engines.preview.draw import Drawing, draw
from gpu_worker.vision import cutout, pose

COMPOSED: dict[str, tuple[Callable[[], Pixels], Category]] = {
    "shorts": (composed.shorts, Category.LOWER),
    "jumpsuit": (composed.jumpsuit, Category.OVERALL),
    "jumpsuit_with_sleeves": (composed.jumpsuit_with_sleeves, Category.OVERALL),
    "playsuit": (composed.playsuit, Category.OVERALL),
}


@dataclass(frozen=True)
class Worn:
    """One person in one garment, with everything that was read on the way."""

    photo: Pixels
    person: pose.Person
    picture: Pixels
    garment: cutout.Garment
    drawing: Drawing
    verdict: Verdict

    @property
    def category(self) -> Category:
        return self.garment.category


@cache
def _person(path: Path) -> tuple[Pixels, pose.Person]:
    photo = load(path)
    return photo, pose.read_person(photo)


@cache
def _garment(garment: Path | str) -> tuple[Pixels, cutout.Garment]:
    if isinstance(garment, str):
        picture, category = COMPOSED[garment]
        return picture(), cutout.read(picture(), category)
    picture_ = load(garment)
    return picture_, cutout.read(picture_, category_of(garment))


@cache
def _worn(person_path: Path, garment_of: Path | str) -> Worn:
    photo, person = _person(person_path)
    picture, garment = _garment(garment_of)
    drawing = draw(photo, person, picture, garment)
    verdict = judge(photo, person, drawing, garment.category)
    return Worn(photo, person, picture, garment, drawing, verdict)


def _path(folder: Path, name: str) -> Path:
    if not folder.is_dir():
        message = f"{folder.name} is not beside the repository"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return next(folder.glob(f"{name}.*"))


@pytest.fixture(scope="session")
def worn() -> Callable[[str, str], Worn]:
    """`worn("anna", "tee_geo")`; `photos/…`, demo names and composed garments alike."""

    def find(person: str, garment: str) -> Worn:
        if person.startswith(("man", "woman")):
            person_path = _path(PHOTOS / "person", person)
        else:
            person_path = _path(DEMO, f"person_{person}")
        if garment in COMPOSED:
            return _worn(person_path, garment)
        if garment.startswith(("upper", "overall")):
            return _worn(person_path, _path(PHOTOS / "garment", garment))
        return _worn(person_path, _path(DEMO, f"garment_{garment}"))

    return find
