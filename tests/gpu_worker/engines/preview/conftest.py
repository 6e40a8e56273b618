"""People in garments, by name: the demo's, composed ones, a phone's, and photos beside us."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.pictures import DEMO, PHONE, PHOTOS, category_of, load
from gpu_worker.contract import Category
from gpu_worker.engine import Pixels
from tests.gpu_worker.reading import COMPOSED, Reader, Worn

Find = Callable[[str, str], Worn]


def person_path(name: str) -> Path:
    if name.startswith(("man", "woman")):
        return _beside(PHOTOS / "person", name)
    return DEMO / f"person_{name}.jpg"


def garment_path(name: str) -> Path:
    if name.startswith("phone"):
        return PHONE / f"{name}.jpg"
    if name.startswith(("upper", "overall")):
        return _beside(PHOTOS / "garment", name)
    return DEMO / f"garment_{name}.jpg"


def _beside(folder: Path, name: str) -> Path:
    """More cases where there are more pictures, which are not ours to keep."""
    found = next(folder.glob(f"{name}.*"), None)
    if found is None:
        pytest.skip(f"{folder.name}/{name} does not lie beside the repository")
    return found


def _garment(reader: Reader, name: str) -> tuple[Pixels, Category]:
    if name in COMPOSED:
        return reader.composed(name), category_of(Path(name))
    path = garment_path(name)
    return load(path), category_of(path)


@pytest.fixture(scope="session")
def worn(reader: Reader) -> Find:
    """`worn("anna", "tee_geo")`."""

    def find(person: str, garment: str) -> Worn:
        photo = load(person_path(person))
        return reader.worn(photo, *_garment(reader, garment))

    return find
