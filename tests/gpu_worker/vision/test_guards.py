"""What is counted before a picture is decoded: honest files of every kind pass, floods do not."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bench.decoding import SCAN, many_scans, saved
from gpu_worker.contract import Reason
from gpu_worker.engine import Refusal
from gpu_worker.vision import guards, images
from tests.hostile import chunk, png, webp

EMPTY_SEGMENT = b"\xff\xe5\0\2"
START = b"\xff\xd8"


def grey(kind: str, **options: object) -> bytes:
    return saved(Image.new("RGB", (300, 300), "grey"), kind, **options)


def film_behind() -> bytes:
    """A motion photo: what looks like scans behind the end of the picture is a film."""
    return grey("JPEG", progressive=True) + (os.urandom(40) + SCAN) * 5000


def full_of_profiles() -> bytes:
    full = b"\xff\xe1\xff\xff" + SCAN * 32_766 + b"\0"
    plain = grey("JPEG")
    return START + full * 100 + plain[2:]


PASSED: list[tuple[str, Callable[[], bytes]]] = [
    ("JPEG", lambda: grey("JPEG")),
    ("progressive JPEG", lambda: grey("JPEG", progressive=True)),
    ("as many scans as may be", lambda: many_scans(guards.MAX_SCANS, 300)),
    ("scans in a film behind it", film_behind),
    ("scans in its metadata", full_of_profiles),
    ("a marker drawn out", lambda: START + b"\xff" * 1000 + grey("JPEG")[2:]),
    ("PNG", lambda: grey("PNG")),
    ("PNG in pieces of 16 bytes", lambda: png(piece_bytes=16)),
    ("PNG with a film behind it", lambda: png() + chunk(b"film", b"") * 30_000),
    ("WebP", lambda: grey("WEBP")),
    ("WebP of some chunks", lambda: webp(500)),
]


@pytest.mark.parametrize("make", [p[1] for p in PASSED], ids=[p[0] for p in PASSED])
def test_honest_files_pass_and_are_decoded(make: Callable[[], bytes]) -> None:
    assert images.decode(make()).pixels.shape == (300, 300, 3)


TOO_COMPLEX = Reason.PICTURE_TOO_COMPLEX
REFUSED: list[tuple[str, Callable[[], bytes], Reason]] = [
    ("20,000 scans", lambda: many_scans(20_000, 2000), TOO_COMPLEX),
    ("a scan too many", lambda: many_scans(guards.MAX_SCANS + 1, 300), TOO_COMPLEX),
    ("a scan too many for its size", lambda: many_scans(28, 6000), TOO_COMPLEX),
    ("100,000 segments", lambda: START + EMPTY_SEGMENT * 100_000 + grey("JPEG"), TOO_COMPLEX),
    (
        "the same behind what looks like an end",
        lambda: START + b"\xff\xd9" + EMPTY_SEGMENT * 100_000 + grey("JPEG"),
        TOO_COMPLEX,
    ),
    ("nothing for a megabyte", lambda: START + b"\xff" + bytes(1 << 20), Reason.TRUNCATED_IMAGE),
    ("restarts only", lambda: START + b"\xff\xd0" * (1 << 19), Reason.TRUNCATED_IMAGE),
    ("500,000 PNG chunks", lambda: png(chunk(b"teSt", b"") * 500_000), TOO_COMPLEX),
    ("100,000 WebP chunks", lambda: webp(100_000), TOO_COMPLEX),
    ("a PNG palette without colours", lambda: png(colour=3), Reason.TRUNCATED_IMAGE),
]


@pytest.mark.parametrize(
    ("make", "reason"), [r[1:] for r in REFUSED], ids=[name for name, *_ in REFUSED]
)
def test_floods_are_refused_before_they_are_decoded(
    make: Callable[[], bytes], reason: Reason
) -> None:
    data = make()
    began = time.process_time()
    with pytest.raises(Refusal) as refused:
        images.decode(data)
    assert refused.value.reason is reason
    assert time.process_time() - began < 2  # decoding 20,000 scans takes a minute


@given(
    # Bytes that a scan's data may hold, or that must not be taken for a segment.
    st.lists(st.sampled_from([b"\xff\0", b"\xff\xd3", b"\xff\x02", b"ab", b"\xff"]), max_size=4),
    st.integers(0, 2 * guards.MAX_SCANS),
)
@settings(max_examples=60, deadline=None)
def test_scans_are_counted_whatever_lies_between_them(data: list[bytes], scans: int) -> None:
    file = START + (SCAN + b"\0\2" + b"".join(data)) * scans + b"\xff\xd9" + SCAN * 500
    if scans > guards.MAX_SCANS:
        with pytest.raises(Refusal):
            guards.check(file, "JPEG")
    elif scans:
        guards.check(file, "JPEG")


@given(st.binary(max_size=300), st.sampled_from(["JPEG", "PNG", "WEBP"]))
@settings(max_examples=200, deadline=None)
def test_no_bytes_break_the_counting(data: bytes, kind: str) -> None:
    guards.check(data, kind)
