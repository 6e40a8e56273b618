"""Time and memory of a preview: `python -m bench.preview` (`make bench-preview`).

By the photo's size: the first garment (photo and garment are read), and the second (the parts of
both are known), in one process and in two at once. Every figure is of a fresh process. Processor
time is given beside wall time, because a busy machine changes it less.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import cv2
import numpy as np

from bench.pictures import DEMO, load
from gpu_worker.contract import Category
from gpu_worker.engine import Order, Pixels, SeededNoise
from gpu_worker.engines.preview import PreviewEngine
from gpu_worker.vision import cutout, pose

SIZES = ((768, 1024), (960, 1280), (1536, 2048))
REPEATS = 3
_MIB = 1024


@dataclass(frozen=True, slots=True)
class Row:
    """Medians in seconds; memory in MiB at its peak."""

    width: int
    height: int
    processes: int
    first_s: float
    first_cpu_s: float
    second_s: float
    second_cpu_s: float
    peak_mib: float


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args(arguments)
    rows = [measure(size, processes) for size in SIZES for processes in (1, 2)]
    if chosen.json:
        print(json.dumps([asdict(row) for row in rows]))
        return
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {REPEATS} times each")
    print("photo      processes  first s (cpu)  second s (cpu)  peak MiB")
    for row in rows:
        print(
            f"{row.width}x{row.height:<6} {row.processes:>6}  {row.first_s:>8.2f} "
            f"({row.first_cpu_s:.2f})  {row.second_s:>8.2f} ({row.second_cpu_s:.2f})"
            f"  {row.peak_mib:>8.0f}"
        )


def measure(size: tuple[int, int], processes: int) -> Row:
    """Runs `processes` fresh processes at once and takes the slower's medians."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(processes) as pool:
        threads = max(1, (os.cpu_count() or 1) // processes)  # the processes share the cores
        results = pool.starmap(_one, [(size, threads)] * processes)
    worst = [max(column) for column in zip(*results, strict=True)]
    return Row(size[0], size[1], processes, *worst)


def _one(size: tuple[int, int], threads: int) -> tuple[float, float, float, float, float]:
    cv2.setNumThreads(threads)
    photo = _sized(load(DEMO / "person_anna.jpg"), size)
    garments = [load(DEMO / f"garment_{name}.jpg") for name in ("tee_geo", "sweatshirt_word")]
    engine = PreviewEngine()
    engine.warm_up()
    first = _timed(lambda: _draw(engine, Order("1", photo, garments[0], *_rest())))
    known = Order(
        "2", photo, garments[1], *_rest(), photo_parts=pose.read_photo(photo),
        garment_parts=cutout.read_garment(garments[1], Category.UPPER),
    )  # fmt: skip
    second = _timed(lambda: _draw(engine, known))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _MIB
    return (*first, *second, peak)


def _rest() -> tuple[Category, SeededNoise]:
    return Category.UPPER, SeededNoise(0)


def _sized(photo: Pixels, size: tuple[int, int]) -> Pixels:
    return np.asarray(cv2.resize(photo, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _draw(engine: PreviewEngine, order: Order) -> None:
    sample = engine.admit(order)
    engine.step([sample])
    engine.finish(sample)


def _timed(act: Callable[[], None]) -> tuple[float, float]:
    """Medians of wall and processor seconds."""
    clock, cpu = [], []
    for _ in range(REPEATS):
        start, start_cpu = time.perf_counter(), time.process_time()
        act()
        clock.append(time.perf_counter() - start)
        cpu.append(time.process_time() - start_cpu)
    return statistics.median(clock), statistics.median(cpu)


if __name__ == "__main__":
    main()
