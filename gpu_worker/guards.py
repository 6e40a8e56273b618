"""Whether a file can be decoded in the time that its size suggests: parts are counted, not read.

A progressive JPEG may hold one scan for every 14 bytes, and each costs a pass over all its pixels.
Knows bytes and the three formats' outlines; no Pillow. Quick on honest files.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from gpu_worker.contract import Reason
from gpu_worker.engine import Refusal

MAX_SCANS = 100  # encoders write 1 to 20; 100 over 50 megapixels take 5 s
MAX_SEGMENTS = 1000  # 10 MB of metadata are 160 full ones; each scan may bring a few
MAX_JUNK_BYTES = 65_536  # between a JPEG's segments: Pillow reads it byte by byte
MAX_CHUNKS = 20_000  # 10 MB in pieces of 512 bytes

_SCAN = b"\xff\xda"
_START_OF_SCAN, _START_OF_IMAGE, _END_OF_IMAGE = 0xDA, 0xD8, 0xD9
# After a scan's data: not a stuffed zero, not a restart, not what libjpeg skips while it looks for
# a restart. FF may be repeated before a marker.
_MARKER = re.compile(rb"\xff([\xc0-\xcf\xd8-\xfe])")


def check(data: bytes, kind: str) -> None:
    """`kind`: JPEG, PNG or WEBP. What is broken is for the decoder to say.

    Raises:
        Refusal: picture_too_complex, or truncated_image where it is nothing but gaps.
    """
    _CHECKS[kind](data)


def _check_jpeg(data: bytes) -> None:
    are_few = data.count(_SCAN) <= MAX_SCANS  # then a walk through the scans' data is spared
    scans = junk = 0
    for segments, (marker, skipped) in enumerate(_markers(data)):
        scans += marker == _START_OF_SCAN
        junk += 0 if scans else skipped
        if scans > MAX_SCANS:
            raise _too_complex(f"more than {MAX_SCANS} scans")
        if segments > MAX_SEGMENTS:
            raise _too_complex(f"more than {MAX_SEGMENTS} segments")
        if junk > MAX_JUNK_BYTES:  # a file whose middle was lost
            raise Refusal(Reason.TRUNCATED_IMAGE, f"{junk} bytes between segments")
        # A phone's JPEG may carry more pictures, or a film, behind the first one's end.
        if scans and (are_few or marker == _END_OF_IMAGE):
            return


def _markers(data: bytes) -> Iterator[tuple[int, int]]:
    """Each marker, and how many bytes were skipped to find it; at last how many have none."""
    at = 2
    while found := _MARKER.search(data, at):
        marker = found[1][0]
        yield marker, found.start() - at
        at = found.end()
        if marker not in (_START_OF_IMAGE, _END_OF_IMAGE):
            at += max(2, int.from_bytes(data[at : at + 2]))
    yield 0, max(0, len(data) - at)


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
