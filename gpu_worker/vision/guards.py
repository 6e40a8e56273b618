"""Guards against decompression bombs: counts a file's parts before anything is decoded.

A progressive JPEG may hold one scan for every 14 bytes, and each costs a pass over all its pixels.
Knows bytes and the structure of the three formats; no Pillow. Quick on honest files.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from gpu_worker.contract import Reason
from gpu_worker.engine import Refusal

HONEST_SCANS = 20  # encoders write 1 to 20
MAX_SCANS = 100
MAX_SCANNED_PIXELS = 1_000_000_000  # beyond honest scans: pixels times scans, about a second of CPU
MAX_SEGMENTS = 1000  # 10 MB of metadata are 160 full ones; each scan may add a few
MAX_JUNK_BYTES = 65_536  # between a JPEG's segments, which Pillow reads byte by byte
MAX_CHUNKS = 20_000  # 10 MB in chunks of 512 bytes

_SCAN = b"\xff\xda"
_STARTS_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_START_OF_SCAN, _START_OF_IMAGE, _END_OF_IMAGE = 0xDA, 0xD8, 0xD9
# A marker, also after a scan's data: no stuffed zero, no restart marker, and nothing that libjpeg
# skips while it searches for a restart. FF may be repeated before a marker.
_MARKER = re.compile(rb"\xff([\xc0-\xcf\xd8-\xfe])")


def check(data: bytes, kind: str) -> None:
    """Checks that decoding is not far more work than the file's size suggests.

    `kind`: JPEG, PNG or WEBP. A broken file may pass: the decoder reports it.

    Raises:
        Refusal: picture_too_complex; truncated_image if too much between segments is unreadable.
    """
    _CHECKS[kind](data)


def _check_jpeg(data: bytes) -> None:
    """Counts scans, segments and unreadable bytes, up to the end of the first picture."""
    at_most = data.count(_SCAN)
    scans = junk = pixels = 0
    for segments, (marker, skipped, begins) in enumerate(_markers(data)):
        scans += marker == _START_OF_SCAN
        junk += 0 if scans else skipped
        pixels = max(pixels, _pixels_at(data, begins)) if marker in _STARTS_OF_FRAME else pixels
        most = min(MAX_SCANS, max(HONEST_SCANS, MAX_SCANNED_PIXELS // max(1, pixels)))
        if scans > most:
            raise _too_complex(f"more than {most} scans of {pixels} pixels")
        if segments > MAX_SEGMENTS:
            raise _too_complex(f"more than {MAX_SEGMENTS} segments")
        if junk > MAX_JUNK_BYTES:  # a file whose middle was lost
            raise Refusal(Reason.TRUNCATED_IMAGE, f"{junk} bytes between segments")
        # A phone's JPEG may contain more pictures, or a video, after the end of the first one.
        are_few = at_most <= most  # then it need not walk through the scans' data
        if scans and (are_few or marker == _END_OF_IMAGE):
            return


def _pixels_at(data: bytes, at: int) -> int:
    """Pixels that a start-of-frame segment declares. At `at`: length, precision, height, width."""
    return int.from_bytes(data[at + 3 : at + 5]) * int.from_bytes(data[at + 5 : at + 7])


def _markers(data: bytes) -> Iterator[tuple[int, int, int]]:
    """(marker, bytes skipped to find it, offset of its segment) of each marker; at the end marker 0
    with the number of bytes after the last segment."""
    at = 2
    while found := _MARKER.search(data, at):
        marker = found[1][0]
        yield marker, found.start() - at, found.end()
        at = found.end()
        if marker not in (_START_OF_IMAGE, _END_OF_IMAGE):
            at += max(2, int.from_bytes(data[at : at + 2]))
    yield 0, max(0, len(data) - at), len(data)


def _check_png(data: bytes) -> None:
    at = 8
    for _ in range(MAX_CHUNKS):
        if at >= len(data) or data[at + 4 : at + 8] == b"IEND":
            return
        at += 12 + int.from_bytes(data[at : at + 4])
    raise _too_complex(f"more than {MAX_CHUNKS} chunks")


def _check_webp(data: bytes) -> None:
    at = 12
    for _ in range(MAX_CHUNKS):
        if at >= len(data):
            return
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        at += 8 + size + size % 2
    raise _too_complex(f"more than {MAX_CHUNKS} chunks")


def _too_complex(detail: str) -> Refusal:
    return Refusal(Reason.PICTURE_TOO_COMPLEX, detail)


_CHECKS: dict[str, Callable[[bytes], None]] = {
    "JPEG": _check_jpeg,
    "PNG": _check_png,
    "WEBP": _check_webp,
}
