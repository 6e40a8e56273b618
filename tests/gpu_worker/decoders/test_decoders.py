"""Pictures that went through a confined child: as if decoded here, or refused and paid for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from PIL import Image

from bench.decoding import many_scans, saved
from gpu_worker.confined import Answer, WorkFailedError
from gpu_worker.contract import Reason
from gpu_worker.decoders import BadAnswerError, Decoders, _decoded
from gpu_worker.engine import Refusal
from gpu_worker.vision import images
from tests.hostile import heavy, png
from tests.tailoring import PICTURES

SIDE_PX = 512
MEMORY_BYTES = 1 << 28


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    made = Decoders(2, 0.3, MEMORY_BYTES, images.MAX_PIXELS)
    yield made
    made.close()


def decoded(
    decoders: Decoders, data: bytes, charged: list[float], owner: str = "mer_ada"
) -> images.Decoded:
    return decoders.decode(data, 256, SIDE_PX, owner=owner, charge=charged.append)


def anna() -> Image.Image:
    return Image.open(PICTURES / "person_anna.jpg").convert("RGB").resize((600, 800))


def turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved(anna(), "JPEG", exif=exif, icc_profile=images.srgb_profile())


def with_alpha(kind: str) -> bytes:
    image = anna()
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    return saved(image, kind, icc_profile=images.srgb_profile())


def sixteen_bits() -> bytes:
    deep = np.asarray(anna()).astype(np.uint16) * 257
    return bytes(cv2.imencode(".png", deep)[1])


HONEST: list[tuple[str, Callable[[], bytes]]] = [
    ("JPEG that lies on its side", turned),
    ("progressive JPEG", lambda: saved(anna(), "JPEG", progressive=True)),
    ("CMYK JPEG", lambda: saved(anna().convert("CMYK"), "JPEG")),
    ("JPEG with a second picture", lambda: saved(anna(), "MPO", save_all=True)),
    ("grey JPEG", lambda: saved(anna().convert("L"), "JPEG")),
    ("PNG with alpha", lambda: with_alpha("PNG")),
    ("PNG of 16 bits", sixteen_bits),
    ("PNG with a palette", lambda: saved(anna().quantize(200), "PNG", transparency=b"\x80" * 99)),
    ("black and white PNG", lambda: saved(anna().convert("1"), "PNG")),
    ("WebP", lambda: saved(anna(), "WEBP")),
    ("WebP with alpha", lambda: with_alpha("WEBP")),
]


@pytest.mark.parametrize("make", [h[1] for h in HONEST], ids=[h[0] for h in HONEST])
def test_an_honest_picture_is_what_decoding_it_here_would_give(
    decoders: Decoders, make: Callable[[], bytes]
) -> None:
    data = make()
    here = images.decode(data, 256, SIDE_PX)
    charged: list[float] = []
    there = decoded(decoders, data, charged)
    assert (there.pixels == here.pixels).all()
    assert there.pixels.shape == here.pixels.shape
    assert (there.alpha is None) == (here.alpha is None)
    if here.alpha is not None:
        assert there.alpha is not None
        assert (there.alpha == here.alpha).all()
    assert (there.format, len(charged), charged[0] > 0) == (here.format, 1, True)


def wide() -> bytes:
    """30 megapixels with alpha are 120 MB, and as much again for each copy."""
    image = Image.new("RGBA", (5500, 5500), (9, 9, 9, 99))
    return saved(image, "PNG", compress_level=1, icc_profile=images.srgb_profile())


REFUSED: list[tuple[str, Callable[[], bytes], Reason, float]] = [
    ("nothing", lambda: b"", Reason.EMPTY_FILE, 0),
    ("half", lambda: turned()[:5000], Reason.TRUNCATED_IMAGE, 0),
    ("small", lambda: saved(anna().resize((90, 90)), "JPEG"), Reason.IMAGE_TOO_SMALL, 0),
    ("20,000 scans", lambda: many_scans(20_000, 2000), Reason.PICTURE_TOO_COMPLEX, 0),
    ("more time than it may take", heavy, Reason.PICTURE_TOO_COMPLEX, 200),
    ("more memory than it may take", wide, Reason.PICTURE_TOO_COMPLEX, 0),
    ("no palette", lambda: png(colour=3), Reason.TRUNCATED_IMAGE, 0),
]


@pytest.mark.parametrize(
    ("make", "reason", "least_ms"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED]
)
def test_refusals_are_charged_and_the_next_picture_is_decoded(
    decoders: Decoders, make: Callable[[], bytes], reason: Reason, least_ms: float
) -> None:
    charged: list[float] = []
    with pytest.raises(Refusal) as refused:
        decoded(decoders, make(), charged)
    assert refused.value.reason is reason
    assert len(charged) == 1
    assert least_ms <= charged[0] < 60_000
    assert decoded(decoders, turned(), charged).pixels.size


def test_however_much_is_heavy_another_merchants_picture_finds_a_place(
    decoders: Decoders,
) -> None:
    charged: list[float] = []
    data = heavy()
    with ThreadPoolExecutor(3) as threads:
        cleos = [threads.submit(decoded, decoders, data, charged, "mer_cleo") for _ in range(3)]
        while not cleos[0].done():
            decoded(decoders, turned(), charged, "mer_ada")
        assert not cleos[2].done()
        for one in cleos:
            with pytest.raises(Refusal):
                one.result()
    assert sum(ms >= 200 for ms in charged) == 3 < len(charged)


def test_what_ends_in_a_fault_of_ours_is_charged_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gpu_worker.decoders.MODULE", "tests.gpu_worker.confined.chores")
    made, charged = Decoders(1, 5, MEMORY_BYTES, 1000), list[float]()
    with pytest.raises(WorkFailedError, match="KeyError"):
        decoded(made, b"", charged)
    made.close()
    assert len(charged) == 1
    assert charged[0] > 0


def test_the_limit_of_pixels_is_the_childs_too() -> None:
    made = Decoders(1, 5, MEMORY_BYTES, 1000 * 100)
    with pytest.raises(Refusal) as refused:
        decoded(made, turned(), [])
    made.close()
    assert refused.value.reason is Reason.TOO_MANY_PIXELS


@pytest.mark.parametrize(
    ("head", "body_bytes"),
    [
        ({"format": "JPEG", "height": 20, "width": 10}, 599),
        ({"format": "JPEG", "height": 20, "width": 10}, 1000),
        ({"format": "JPEG", "height": -20, "width": -10}, 600),
        ({"format": "JPEG", "height": 513, "width": 1}, 513 * 3),
        ({"format": "JPEG", "height": True, "width": 1}, 3),
        ({"format": "JPEG", "height": "20", "width": 10}, 600),
        ({"format": ["JPEG"], "height": 20, "width": 10}, 600),
        ({"format": "GIF", "height": 20, "width": 10}, 600),
        ({"refused": "nonsense"}, 0),
        ({}, 0),
    ],
)
def test_a_child_that_was_taken_over_is_not_believed(
    head: dict[str, object], body_bytes: int
) -> None:
    with pytest.raises(BadAnswerError):
        _decoded(Answer(head, bytearray(body_bytes), 0, 0), SIDE_PX)
