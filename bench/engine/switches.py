"""What each optimisation gains: `python -m bench.engine.switches` (`make bench-switches`).

Steps of the plain and of the optimised network alternate, so that noise of the machine affects
both; the gain is the median of the ratios of neighbouring steps.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from bench.engine.measure import now
from bench.engine.subjects import Subject, order
from gpu_worker.engines.catvton.device import choose_device, choose_dtype, name_of
from gpu_worker.engines.catvton.engine import CatvtonEngine
from gpu_worker.engines.catvton.sample import CatvtonSample, Size

CANDIDATES = {
    "fused_qkv": ("fused_qkv",),
    "channels_last": ("channels_last",),
    "compiled": ("compiled",),
    "graphs": ("graphs",),
    "all": ("fused_qkv", "channels_last", "compiled", "graphs"),
}
ON_CPU = ("fused_qkv", "channels_last")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.engine.switches", description=__doc__)
    parser.add_argument("--full", action="store_true", help="the real size, random weights")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--only", default="", help="some of " + ",".join(CANDIDATES))
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--pairs", type=int, default=30)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args(arguments)
    torch.set_num_threads(asked.threads)
    device = choose_device(asked.device)
    subject = Subject(asked.full, device, choose_dtype("auto", device))
    words = asked.only.split(",") if asked.only else CANDIDATES if device.type == "cuda" else ON_CPU
    gains = {word: measure(subject, CANDIDATES[word], asked) for word in words}
    print(f"{name_of(device)}, {'real size' if asked.full else 'thin network'}, random weights,")
    print(f"batch {asked.batch}: time of a step against the plain network's, median of pairs")
    for word, row in gains.items():
        told = "  ".join(f"{size} {share:5.3f}x" for size, share in row.items())
        print(f"{word:14} {told}")
    if asked.json:
        asked.json.write_text(json.dumps(gains, indent=1) + "\n")


def measure(subject: Subject, words: tuple[str, ...], asked: Any) -> dict[str, float]:
    """By size, the step's time relative to the plain network's; below 1 is a gain."""
    engines = [subject.engine(which, asked.batch) for which in ((), words)]
    for engine in engines:
        engine.warm_up()
    return {str(size): _share(engines, size, asked, subject.device) for size in subject.sizes}


def _share(engines: Sequence[CatvtonEngine], size: Size, asked: Any, device: torch.device) -> float:
    plan = asked.pairs + 1
    rows = [
        [engine.admit(order(seed, size, plan)) for seed in range(asked.batch)] for engine in engines
    ]
    shares = []
    for turn in range(plan):
        plain, switched = (
            _step_s(engine, own, device) for engine, own in zip(engines, rows, strict=True)
        )
        if turn:  # the first warms up
            shares.append(switched / plain)
    return round(statistics.median(shares), 3)


def _step_s(engine: CatvtonEngine, samples: Sequence[CatvtonSample], device: torch.device) -> float:
    began = now(device)
    engine.step(samples)
    return now(device) - began


if __name__ == "__main__":
    main()
