"""Contact sheets of the preview engine: `python -m bench.sheets` (`make sheets`).

Every photo in every garment as a thumbnail, and details of shoulders, neck, hem and hands at full
size, into build/sheets/. No measure detects ugliness: look at them before every release. Only the
demo set's sheet may be published.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from bench import composed
from bench.pictures import ROOT, Set, category_of, demo, load, mixed, phone, photos
from gpu_worker.contract import Category
from gpu_worker.engine import Order, Parts, Pixels, Refusal, SeededNoise
from gpu_worker.engines.preview import PreviewEngine
from gpu_worker.vision import cutout, pose
from gpu_worker.vision.pose.body import HIPS, SHOULDERS

OUT = ROOT / "build/sheets"
PUBLISHED = ROOT / "docs/preview-sheet.jpg"
SETS = ("demo", "phone", "photos", "mixed", "composed")
THUMBNAIL_PX = 300
DETAIL_PX = 360
_DETAIL_SW = 1.3


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--set", choices=SETS, action="append")
    parser.add_argument("--publish", action="store_true", help="write docs/preview-sheet.jpg")
    chosen = parser.parse_args(arguments)
    OUT.mkdir(parents=True, exist_ok=True)
    sets = {made.name: made for made in (demo(), phone(), photos(), mixed(), _composed())}
    for name in chosen.set or SETS:
        if sets[name].people:
            sheet = _sheet(sets[name])
            if chosen.publish and name == "demo":
                sheet.save(PUBLISHED, quality=82)


def _composed() -> Set:
    """All people in the composed garments (shorts, jumpsuits, cardigan), which no other set has."""
    return Set("composed", demo().people + photos().people, composed.write(OUT / "composed"))


def _sheet(pictures: Set) -> Image.Image:
    """A row for each person, a column for each garment; details go to files of their own."""
    rows = []
    garments = [_read(path) for path in pictures.garments]
    for path in pictures.people:
        person = _Person(path.stem, load(path), pose.read_person(load(path)))
        cells = [_thumbnail(person.photo)]
        details = []
        for garment, pixels in _worn(person, garments):
            cells.append(_thumbnail(pixels) if pixels is not None else _refused(garment, cells[0]))
            if pixels is not None:
                details.append(_details(person.read, pixels))
        rows.append(_beside(cells))
        if details:
            _below(details).save(OUT / f"{pictures.name}-{person.name}.png")
    sheet = _below(rows)
    sheet.save(OUT / f"{pictures.name}.png")
    print(OUT / f"{pictures.name}.png")
    return sheet


@dataclass(frozen=True, slots=True)
class _Person:
    """A photo and what was read of it."""

    name: str
    photo: Pixels
    read: pose.Person


@dataclass(frozen=True, slots=True)
class _Garment:
    """A garment's picture and its parts."""

    name: str
    picture: Pixels
    category: Category
    parts: Parts


def _read(path: Path) -> _Garment:
    picture, category = load(path), category_of(path)
    return _Garment(path.stem, picture, category, cutout.read_garment(picture, category))


def _worn(person: _Person, garments: Sequence[_Garment]) -> Iterator[tuple[str, Pixels | None]]:
    """(name, picture) of the person in each garment; (reason, None) if the engine refuses."""
    engine, parts = PreviewEngine(), person.read.to_parts()
    for garment in garments:
        try:
            order = Order(
                garment.name, person.photo, garment.picture, garment.category, SeededNoise(0),
                photo_parts=parts, garment_parts=garment.parts,
            )  # fmt: skip
            sample = engine.admit(order)
            engine.step([sample])
            yield garment.name, engine.finish(sample).pixels
        except Refusal as refusal:
            yield str(refusal), None


def _thumbnail(pixels: Pixels) -> Image.Image:
    picture = Image.fromarray(pixels)
    width = round(picture.width * THUMBNAIL_PX / picture.height)
    return picture.resize((width, THUMBNAIL_PX), Image.Resampling.LANCZOS)


def _refused(why: str, like: Image.Image) -> Image.Image:
    cell = Image.new("RGB", like.size, "#444")
    words = why.replace(":", "\n").replace("_", " ").replace(",", "\n")
    ImageDraw.Draw(cell).text((8, 8), words, fill="white")
    return cell


def _details(read: pose.Person, pixels: Pixels) -> Image.Image:
    """Full-size squares around both shoulders, neck, hem and hands."""
    frame, body = read.frame, read.body
    points = [*body.points[list(SHOULDERS)], body.at(0, -0.05), body.mid(HIPS)]
    points += [body.hand(0), body.hand(1)]
    half = _DETAIL_SW * body.sw / frame.scale / 2
    crops = []
    for point in points:
        x, y = np.asarray(point) / frame.scale + (frame.x, frame.y)
        box = (round(x - half), round(y - half), round(x + half), round(y + half))
        crops.append(Image.fromarray(pixels).crop(box).resize((DETAIL_PX, DETAIL_PX)))
    return _beside(crops)


def _beside(cells: Sequence[Image.Image]) -> Image.Image:
    row = Image.new("RGB", (sum(cell.width for cell in cells), max(c.height for c in cells)))
    x = 0
    for cell in cells:
        row.paste(cell, (x, 0))
        x += cell.width
    return row


def _below(rows: Sequence[Image.Image]) -> Image.Image:
    sheet = Image.new("RGB", (max(row.width for row in rows), sum(row.height for row in rows)))
    y = 0
    for row in rows:
        sheet.paste(row, (0, y))
        y += row.height
    return sheet


if __name__ == "__main__":
    main()
