"""What decoding in confined children costs: `python -m bench.decoding` (`make bench-decoding`).

The same picture is decoded in this process and in a child, alternately, so that a busy machine
slows both; `more` is the difference of neighbouring measurements. On a busy machine look at the CPU
time, which counts both processes. Then hostile files: how they end, and what their merchant is
charged.
"""

from __future__ import annotations

import argparse
import io
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from bench.pictures import DEMO
from gpu_worker.config import Settings
from gpu_worker.decoders import Decoders
from gpu_worker.engine import Refusal
from gpu_worker.vision import images

SCAN = b"\xff\xda"
ROUNDS = 40
WIDTH_PX, HEIGHT_PX = 3000, 4000
_SETTINGS = Settings()
_HEAD = "picture                        KB     here ms        child ms       more ms    more CPU ms"


@dataclass(slots=True)
class Row:
    """Milliseconds of each round, wall time and CPU time."""

    here: list[float] = field(default_factory=list)
    here_cpu: list[float] = field(default_factory=list)
    child: list[float] = field(default_factory=list)
    child_cpu: list[float] = field(default_factory=list)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    rounds = parser.parse_args(arguments).rounds
    decoders = Decoders(
        _SETTINGS.decoders,
        _SETTINGS.decode_cpu_s,
        _SETTINGS.decode_memory_bytes,
        _SETTINGS.max_pixels,
    )
    decode_in(decoders, saved(Image.new("RGB", (300, 300)), "PNG"))  # warm
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {rounds} rounds; p50 / p95")
    print(_HEAD)
    for name, data in honest():
        print(line(name, data, measure(decoders, data, rounds)), flush=True)
    for name, make in HOSTILE:
        print(end_of(decoders, name, make()), flush=True)
    decoders.close()


def measure(decoders: Decoders, data: bytes, rounds: int) -> Row:
    row = Row()
    for _ in range(rounds):
        began, cpu = time.perf_counter(), time.process_time()
        images.decode(data, 256, _SETTINGS.max_photo_side_px)
        row.here.append((time.perf_counter() - began) * 1000)
        row.here_cpu.append((time.process_time() - cpu) * 1000)
        began, cpu = time.perf_counter(), time.process_time()
        charged = decode_in(decoders, data)
        row.child.append((time.perf_counter() - began) * 1000)
        row.child_cpu.append((time.process_time() - cpu) * 1000 + charged)
    return row


def line(name: str, data: bytes, row: Row) -> str:
    more = [child - here for here, child in zip(row.here, row.child, strict=True)]
    more_cpu = [child - here for here, child in zip(row.here_cpu, row.child_cpu, strict=True)]
    columns = (f"{at(ms, 50):6.0f} /{at(ms, 95):6.0f}" for ms in (row.here, row.child))
    lesser = (f"{at(ms, 50):5.1f} /{at(ms, 95):6.1f}" for ms in (more, more_cpu))
    return f"{name:25} {len(data) // 1000:6}  {'  '.join((*columns, *lesser))}"


def end_of(decoders: Decoders, name: str, data: bytes) -> str:
    charged: list[float] = []
    began = time.monotonic()
    try:
        decoders.decode(data, 256, _SETTINGS.max_photo_side_px, owner="", charge=charged.append)
        end = "decoded"
    except Refusal as refusal:
        end = str(refusal)
    took_ms = (time.monotonic() - began) * 1000
    return f"{name}, {len(data) // 1000} KB: {end}; {took_ms:.0f} ms, charged {sum(charged):.0f} ms"


def decode_in(decoders: Decoders, data: bytes) -> float:
    """Decodes in a child; returns the ms of CPU time that were charged."""
    charged: list[float] = []
    decoders.decode(data, 256, _SETTINGS.max_photo_side_px, owner="", charge=charged.append)
    return sum(charged)


def honest() -> list[tuple[str, bytes]]:
    photo = photograph()
    clear = photo.copy()
    clear.putalpha(Image.linear_gradient("L").resize(photo.size))
    return [
        ("JPEG, 12 MP", saved(photo, "JPEG", quality=90)),
        ("progressive JPEG, 12 MP", saved(photo, "JPEG", quality=90, progressive=True)),
        ("WebP, 12 MP", saved(photo, "WEBP", quality=80, method=0)),
        ("PNG with alpha, 3 MP", saved(clear.resize((1500, 2000)), "PNG", compress_level=1)),
    ]


def photograph() -> Image.Image:
    """A render of the demo, enlarged to a phone's photo and with a sensor's noise."""
    size = WIDTH_PX, HEIGHT_PX
    person = Image.open(DEMO / "person_anna.jpg").convert("RGB").resize(size)
    noise = np.random.default_rng(1).normal(0, 6, (HEIGHT_PX, WIDTH_PX, 1))
    return Image.fromarray(np.clip(np.asarray(person) + noise, 0, 255).astype(np.uint8))


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def many_scans(scans: int, side_px: int) -> bytes:
    """A decompression bomb: a progressive JPEG with its last, smallest scan repeated."""
    plain = saved(Image.new("RGB", (side_px, side_px), (200, 120, 80)), "JPEG", progressive=True)
    last = plain[plain.rindex(SCAN) : -2]
    return plain[:-2] + last * (scans - plain.count(SCAN)) + plain[-2:]


def at(values: Sequence[float], percent: float) -> float:
    return float(np.percentile(values, percent))


HOSTILE: list[tuple[str, Callable[[], bytes]]] = [
    ("20,000 scans of 2000 x 2000", lambda: many_scans(20_000, 2000)),
    ("100 scans of 2000 x 2000", lambda: many_scans(100, 2000)),
    ("20 scans of 7000 x 7000", lambda: many_scans(20, 7000)),
]

if __name__ == "__main__":
    main()
