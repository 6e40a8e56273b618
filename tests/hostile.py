"""Hostile picture files: they take far longer to decode than their size suggests."""

from __future__ import annotations

import struct
import zlib
from functools import cache

import numpy as np
from PIL import Image

from bench.decoding import many_scans, saved


@cache
def heavy() -> bytes:
    """A progressive JPEG with few scans whose decoding still takes a second."""
    return many_scans(20, 5000)


def chunk(name: bytes, body: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(name + body))
    return struct.pack(">I", len(body)) + name + body + check


def png(before: bytes = b"", *, colour: int = 2, piece_bytes: int = 1 << 20) -> bytes:
    """A PNG of 300 x 300 px of noise; `before`: chunks in front of its pixels, which come in IDAT
    chunks of `piece_bytes`."""
    header = struct.pack(">IIBBBBB", 300, 300, 8, colour, 0, 0, 0)
    row_bytes = 300 * (3 if colour == 2 else 1)
    noise = np.random.default_rng(1).integers(0, 256, (300, row_bytes), np.uint8)
    rows = zlib.compress(np.pad(noise, ((0, 0), (1, 0))).tobytes())
    pieces = [rows[at : at + piece_bytes] for at in range(0, len(rows), piece_bytes)]
    body = b"".join(chunk(b"IDAT", piece) for piece in pieces)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + before + body + chunk(b"IEND", b"")


def webp(chunks: int) -> bytes:
    """A WebP of 300 x 300 px with so many empty, unknown chunks."""
    body = saved(Image.new("RGB", (300, 300)), "WEBP")[8:] + b"NONE\0\0\0\0" * chunks
    return b"RIFF" + struct.pack("<I", len(body)) + body
