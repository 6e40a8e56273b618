"""Decodes untrusted uploads in confined child processes, one picture at a time in each.

Knows the children's limits and checks their answers. The decoding itself is `vision.images`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gpu_worker.confined import Answer, Limits, NoAnswerError, OverrunError, Pool
from gpu_worker.contract import Reason
from gpu_worker.engine import Refusal
from gpu_worker.vision.images import CONTENT_TYPES, Decoded

MODULE = "gpu_worker.decoders"
WALL_FOR_CPU = 6  # wall time by CPU time: on a busy machine a child may get a sixth of a core

# Keeps the memory that a phone's photo needs, up to 128 MB, for the next one: to get it again from
# the kernel takes 20 to 40 ms. A Pillow block has 16 MB.
ENVIRONMENT = {
    "MALLOC_TRIM_THRESHOLD_": str(1 << 26),
    "MALLOC_MMAP_THRESHOLD_": str(1 << 25),
    "PILLOW_BLOCKS_MAX": "4",
}
LEAST_BODY_BYTES = 1 << 26  # room for an upload's bytes, however few pixels are allowed


class BadAnswerError(Exception):
    """A child's answer describes no possible picture."""


class Decoders:
    """A pool of decoding children. Thread-safe. `places`: how many pictures are decoded at once."""

    def __init__(self, places: int, cpu_s: float, memory_bytes: int, max_pixels: int):
        limits = Limits(
            cpu_s,
            cpu_s * WALL_FOR_CPU,
            memory_bytes,
            answer_bytes=max(4 * max_pixels, LEAST_BODY_BYTES),
        )
        self._max_pixels = max_pixels
        self._pool = Pool(MODULE, size=places, limits=limits, no_files=True, env=ENVIRONMENT)

    def decode(
        self,
        data: bytes,
        min_side_px: int,
        max_side_px: int,
        *,
        owner: str,
        charge: Callable[[float], None],
    ) -> Decoded:
        """`images.decode` in a child. `charge` is called with the CPU time in ms, however it ends.

        One `owner` never has all places: however long its pictures take, another's is decoded.

        Raises:
            Refusal: as `images.decode`, and picture_too_complex if it exceeded a limit.
            NoAnswerError, BadAnswerError: a fault of ours, or a child that an attack took over.
        """
        asked = {
            "min_side_px": min_side_px,
            "max_side_px": max_side_px,
            "max_pixels": self._max_pixels,
        }
        try:
            answer = self._pool.run(asked, data, owner)
        except NoAnswerError as error:
            charge(error.cpu_ms)
            if isinstance(error, OverrunError):
                raise Refusal(Reason.PICTURE_TOO_COMPLEX, str(error)) from error
            raise
        charge(answer.cpu_ms)
        return _decoded(answer, max_side_px)

    def close(self) -> None:
        """Ends all children."""
        self._pool.close()


def _decoded(answer: Answer, max_side_px: int) -> Decoded:
    """Checks everything in the answer: the child read hostile bytes and may say anything."""
    said = answer.head
    if "refused" in said:
        raise _refusal(said["refused"], said.get("detail"))
    high, wide = (_side(said.get(name), max_side_px) for name in ("height", "width"))
    kind = said.get("format")
    if not isinstance(kind, str) or kind not in CONTENT_TYPES:
        raise BadAnswerError(f"a format {kind!r}")
    flat = np.frombuffer(answer.body, np.uint8)
    flat.flags.writeable = False
    size = high * wide
    if flat.size not in (3 * size, 4 * size):
        raise BadAnswerError(f"{flat.size} bytes for {wide} x {high}")
    alpha = flat[3 * size :].reshape(high, wide) if flat.size > 3 * size else None
    return Decoded(flat[: 3 * size].reshape(high, wide, 3), alpha, kind)


def _refusal(said: object, detail: object) -> Refusal:
    if not isinstance(said, str) or said not in list(Reason):
        raise BadAnswerError(f"a reason {said!r}")
    return Refusal(Reason(said), str(detail))


def _side(said: object, max_side_px: int) -> int:
    if type(said) is not int or not 1 <= said <= max_side_px:
        raise BadAnswerError(f"a side of {said!r} px")
    return said
