"""Pictures that cost much to open: for benchmarks and tests, made here and kept nowhere."""

from __future__ import annotations

import io
import re

import numpy as np
from PIL import Image

_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


def many_scans(side_px: int, scans: int) -> bytes:
    """A progressive JPEG whose smallest scan is repeated until it has so many scans."""
    ramp = np.linspace(0, 255, side_px, dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(np.tile(ramp, (side_px, 1))).save(out, "JPEG", progressive=True, quality=30)
    data = out.getvalue()
    found = _scans(data)
    start, end = min(found, key=lambda scan: scan[1] - scan[0])
    return data[:-2] + data[start:end] * (scans - len(found)) + data[-2:]


def _scans(data: bytes) -> list[tuple[int, int]]:
    """Where each scan begins, with its header, and ends."""
    starts = [match.start() for match in re.finditer(rb"\xff\xda", data)]
    ends = []
    for start in starts:
        header = int.from_bytes(data[start + 2 : start + 4])
        match = _MARKER.search(data, start + 2 + header)
        ends.append(match.start() if match else len(data))
    return list(zip(starts, ends, strict=True))
