"""The confined child that decodes: file bytes in, pixels out. It warms up first, because once it is
confined it cannot open files, so it can import nothing more.
"""

from __future__ import annotations

import io
import warnings

import numpy as np
from PIL import Image, MpoImagePlugin, TiffImagePlugin  # noqa: F401 Pillow imports these when it meets them

from gpu_worker.confined.child import serve
from gpu_worker.confined.wire import Head
from gpu_worker.engine import Refusal
from gpu_worker.vision import images

Found = tuple[Head, bytes | memoryview]


def decode(asked: Head, data: bytes) -> Found:
    images.limit_pixels(asked["max_pixels"])
    try:
        found = images.decode(data, asked["min_side_px"], asked["max_side_px"])
    except Refusal as refusal:
        return {"refused": refusal.reason.value, "detail": refusal.detail[:1000]}, b""
    high, wide = found.pixels.shape[:2]
    said = {"format": found.format, "height": high, "width": wide}
    if found.alpha is None:
        return said, np.ascontiguousarray(found.pixels).data
    return said, found.pixels.tobytes() + found.alpha.tobytes()


def warm_up() -> None:
    """Decodes each format once, with EXIF and a profile, so that all later imports are done."""
    warnings.simplefilter("ignore", UserWarning)  # Pillow's, about odd metadata of uploads
    Image.init()
    exif = Image.Exif()
    exif[0x0112] = 6
    for kind in images.CONTENT_TYPES:
        out = io.BytesIO()
        profile = images.srgb_profile()
        Image.new("RGBA" if kind != "JPEG" else "RGB", (64, 48)).save(
            out, kind, exif=exif, icc_profile=profile
        )
        images.decode(out.getvalue(), max_side_px=32)


if __name__ == "__main__":
    warm_up()
    serve(decode)
