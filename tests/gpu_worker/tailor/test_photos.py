"""A shopper's photo on its way through the tailor: real pictures, real store, real queue."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from gpu_worker.contract import Event, EventType, Reason
from gpu_worker.storage.courier import load_parts
from gpu_worker.vision import pose
from tests.tailoring import PICTURES, photo_job, upload
from tests.workshop import Workshop, jpeg, pixels, said

GPS = 0x8825


def anna() -> Image.Image:
    return Image.open(io.BytesIO(upload("person_anna")))


def saved(image: Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def phone_photo() -> bytes:
    """12 megapixels, lying on its side in the file, with the place where it was taken."""
    image = Image.open(PICTURES / "person_anna.jpg")
    side = image.resize((3000, 3000 * image.height // image.width), Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(GPS).update({1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 18.0)})
    return saved(side.transpose(Image.Transpose.ROTATE_90), exif=exif, quality=80)


def told(tailor: Workshop, data: bytes | None, **changes: Any) -> Event:
    """Uploads, asks, waits: what the tailor said in the end."""
    job = photo_job(**changes)
    if data is not None:
        tailor.store.put(job.upload_key, data, job.content_type)
    tailor.accept(job)
    tailor.wait_until_settled()
    return tailor.events(job.id)[-1]


def test_a_phones_photo_becomes_ready_upright_and_without_its_place(tailor: Workshop) -> None:
    event = told(tailor, phone_photo())
    assert event.type == EventType.READY
    height, width = event.data["height"], event.data["width"]
    assert (height, event.data["hints"]) == (2048, [])
    assert height > width
    (box,) = event.data["people"]
    assert all(0 <= value <= 1 for value in box)
    clean = tailor.store.get("photos/pho_1/photo.jpg", 10**7)
    assert pixels(clean).shape == (height, width, 3)
    assert b"Exif" not in clean
    assert not Image.open(io.BytesIO(clean)).getexif()


def test_the_parts_are_what_an_engine_wants(tailor: Workshop) -> None:
    told(tailor, upload("person_anna"))
    clean = pixels(tailor.store.get("photos/pho_1/photo.jpg", 10**7))
    parts = load_parts(tailor.store.get("photos/pho_1/parts.npz", 10**7))
    assert pose.fits(parts, clean)
    assert pose.Person.from_parts(parts).size == (clean.shape[1], clean.shape[0])


@pytest.mark.parametrize("ready", [True, False])
def test_the_original_is_gone_afterwards(tailor: Workshop, ready: bool) -> None:
    told(tailor, upload("person_anna") if ready else jpeg(400, 400))
    assert tailor.store.metadata("uploads/sit_1/pho_1") is None


def with_alpha() -> bytes:
    image = anna().convert("RGBA")
    image.putalpha(255)
    return saved(image, "PNG")


KINDS: list[tuple[Callable[[], bytes], str]] = [
    (lambda: saved(anna(), "WEBP", quality=90), "image/webp"),
    (with_alpha, "image/png"),
    (lambda: saved(anna().convert("CMYK"), quality=92), "image/jpeg"),
]


@pytest.mark.parametrize(("make", "content_type"), KINDS, ids=["WebP", "PNG", "CMYK"])
def test_other_kinds_are_ready_too(
    tailor: Workshop, make: Callable[[], bytes], content_type: str
) -> None:
    assert told(tailor, make(), content_type=content_type).type == EventType.READY


def two_people() -> bytes:
    left, right = anna(), Image.open(io.BytesIO(upload("person_marcus")))
    both = Image.new("RGB", (left.width + 150 + right.width, left.height), "white")
    both.paste(left, (0, 0))
    both.paste(right, (left.width + 150, 0))
    return saved(both, quality=92)


def test_of_several_people_one_is_picked(tailor: Workshop) -> None:
    event = told(tailor, two_people())
    assert event.type == EventType.REJECTED
    assert event.data["reasons"] == ["several_people"]
    left, right = event.data["people"]
    assert left[0] < right[0]
    picked = told(tailor, None, person=1)
    assert picked.type == EventType.READY
    parts = load_parts(tailor.store.get("photos/pho_1/parts.npz", 10**7))
    frame = pose.Person.from_parts(parts).frame
    assert frame.x + frame.wide / 2 > picked.data["width"] / 2  # the one at the right


def test_a_second_look_at_the_same_photo_repeats_the_answer(tailor: Workshop) -> None:
    first = told(tailor, upload("person_anna"))
    again = told(tailor, None)
    assert (again.type, said(again)) == (first.type, said(first))


def plain() -> bytes:
    return jpeg(600, 800)


def animated() -> bytes:
    frames = [Image.new("RGB", (300, 300), (n * 60, 0, 0)) for n in range(3)]
    return saved(frames[0], "PNG", save_all=True, append_images=frames[1:], duration=100)


REFUSED: list[tuple[str, Callable[[], bytes | None], dict[str, str], Reason]] = [
    ("nothing uploaded", lambda: None, {}, Reason.UPLOAD_MISSING),
    ("empty", lambda: b"", {}, Reason.EMPTY_FILE),
    ("not an image", lambda: b"hello", {}, Reason.NOT_AN_IMAGE),
    ("SVG", lambda: b"<svg/>", {}, Reason.UNSUPPORTED_FORMAT),
    ("truncated", lambda: plain()[:-300], {}, Reason.TRUNCATED_IMAGE),
    ("40 px wide", lambda: jpeg(40, 300), {}, Reason.IMAGE_TOO_SMALL),
    ("PNG declared as JPEG", lambda: saved(anna(), "PNG"), {}, Reason.TYPE_MISMATCH),
    ("JPEG declared as WebP", plain, {"content_type": "image/webp"}, Reason.TYPE_MISMATCH),
    ("animated", animated, {"content_type": "image/png"}, Reason.ANIMATED_IMAGE),
    ("too large", lambda: plain() + bytes(2**20), {}, Reason.FILE_TOO_LARGE),
    ("nobody in it", plain, {}, Reason.NOBODY_FOUND),
]


@pytest.mark.parametrize(
    ("make", "changes", "reason"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED]
)
def test_refusals(
    tailor: Workshop, make: Callable[[], bytes | None], changes: dict[str, str], reason: Reason
) -> None:
    event = told(tailor, make(), **changes)
    assert event.type == EventType.REJECTED
    assert said(event) == {"reasons": [reason.value], "people": []}
    assert tailor.store.metadata("photos/pho_1/photo.jpg") is None
