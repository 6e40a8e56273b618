"""One table of an engine's speed on this machine, compared with diffusers' own pipeline.

`python -m bench.engine` runs thin networks, only to show that it works; `--full` runs the real size
with random weights, to measure a GPU.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from bench.engine.measure import idle_share, memory_of, per_second, step_ms, try_on_s
from bench.engine.rival import rival_of, seconds
from bench.engine.subjects import MODES, Subject, order
from gpu_worker.engines.catvton.device import choose_device, choose_dtype, name_of
from gpu_worker.engines.catvton.engine import CatvtonEngine
from gpu_worker.engines.catvton.passes import keep_compiled
from gpu_worker.engines.catvton.sample import Size

BATCHES = (1, 2, 4, 8)
Table = dict[str, Any]
AIMS = (
    "aims on one H200, none measured: guided step at 768x1024 60 ms (stretch 45); try-on in"
    " 50 steps 3.2 s (2.4), in 20 steps 1.35 s (1.0); 384x512 in 20 steps 0.30 s (0.20); idle"
    " at most 3 %"
)


def main(arguments: Sequence[str] | None = None) -> None:
    asked = _parser().parse_args(arguments)
    device = choose_device(asked.device)
    torch.set_num_threads(asked.threads)
    keep_compiled(Path("build/compiled"))
    subject = Subject(asked.full, device, choose_dtype(asked.dtype, device))
    modes = asked.modes.split(",") if asked.modes else _modes_for(device)
    table: Table = {**_told(subject), "steps_ms": {}, "try_ons": {}, "rival": {}}
    print(_headline(table))
    for mode in modes:
        _measure_mode(mode, subject, asked, table)
    if not asked.without_rival:
        _measure_rival(subject, asked, table)
    if asked.full:
        print(AIMS)
    if asked.json:
        asked.json.parent.mkdir(parents=True, exist_ok=True)
        asked.json.write_text(json.dumps(table, indent=1) + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.engine", description=__doc__)
    parser.add_argument("--full", action="store_true", help="the real size, random weights")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--modes", default="", help="some of " + ",".join(MODES))
    parser.add_argument("--batches", type=_numbers, default=BATCHES)
    parser.add_argument("--steps", type=_numbers, default=(50, 20))
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--without-rival", action="store_true")
    parser.add_argument("--json", type=Path, help="where the learned curve is written")
    return parser


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(word) for word in text.split(","))


def _modes_for(device: torch.device) -> list[str]:
    """All modes on a GPU. On a CPU only `eager`: compiling takes minutes, and it has no graphs."""
    return list(MODES) if device.type == "cuda" else ["eager"]


def _told(subject: Subject) -> Table:
    return {
        "device": name_of(subject.device),
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "torch": torch.__version__,
        "date": datetime.now(UTC).date().isoformat(),
        "clock": "the wall's" if subject.device.type == "cuda" else "processor time",
        "weights": "random",
        "network": "real size" if subject.is_full else "thin, for showing that it runs",
        "dtype": str(subject.dtype).removeprefix("torch."),
    }


def _headline(table: Table) -> str:
    load = f"load {os.getloadavg()[0]:.1f}"
    return ", ".join(f"{name} {value}" for name, value in table.items() if value) + f", {load}"


def _measure_mode(mode: str, subject: Subject, asked: Any, table: Table) -> None:
    if mode == "graph" and subject.device.type != "cuda":
        print("graph: needs a GPU")
        return
    engine = subject.engine(MODES[mode], max(asked.batches))
    engine.warm_up()
    for size in subject.sizes:
        _steps_row(mode, engine, size, subject, asked, table)
    for size in subject.sizes:
        for steps in asked.steps:
            _try_ons_row(mode, engine, size, steps, subject, asked, table)
    del engine
    _forget(subject.device)


def _steps_row(
    mode: str, engine: CatvtonEngine, size: Size, subject: Subject, asked: Any, table: Table
) -> None:
    """t(b): milliseconds of a guided step of b samples, and the memory it needed."""
    curve: dict[str, float] = {}
    peak: dict[str, float] = {}
    plan = asked.repeats + 2
    for batch in asked.batches:
        if batch > engine.max_slots:
            continue  # it did not fit into memory; the engine has logged that
        orders = [order(seed, size, plan) for seed in range(batch)]
        with memory_of(subject.device) as memory:
            curve[str(batch)] = round(step_ms(engine, orders, asked.repeats, subject.device), 3)
        peak[str(batch)] = round(memory.peak_mib)
    table["steps_ms"].setdefault(mode, {})[str(size)] = {"t": curve, "peak_mib": peak}
    shown = "  ".join(f"t({b}) {ms:8.1f} ms {peak[b]:6.0f} MiB" for b, ms in curve.items())
    print(f"{mode:9} {size!s:>9}  {shown}")


def _try_ons_row(
    mode: str,
    engine: CatvtonEngine,
    size: Size,
    steps: int,
    subject: Subject,
    asked: Any,
    table: Table,
) -> None:
    slots = min(max(asked.batches), engine.max_slots)
    alone = try_on_s(engine, order(0, size, steps), subject.device)
    orders = [order(seed, size, steps) for seed in range(2 * slots)]
    rates = {
        "in_turn": per_second(engine, orders, slots, subject.device, beside=False),
        "beside": per_second(
            engine, _again(orders, size, steps), slots, subject.device, beside=True
        ),
    }
    again = _again(orders[:slots], size, steps)
    idle = idle_share(
        subject.device, lambda: per_second(engine, again, slots, subject.device, beside=True)
    )
    row = {"s": round(alone, 4), "slots": slots, "idle": idle}
    row |= {f"per_s_{how}": round(rate, 4) for how, rate in rates.items()}
    table["try_ons"].setdefault(mode, {}).setdefault(str(size), {})[str(steps)] = row
    told = "-" if idle is None else f"{100 * idle:.1f} %"
    print(
        f"{mode:9} {size!s:>9}  {steps:3} steps: {alone:7.2f} s alone, with {slots} slots"
        f" {rates['in_turn']:.3f}/s in turn, {rates['beside']:.3f}/s with the VAE beside,"
        f" GPU idle {told}"
    )


def _again(orders: Sequence[Any], size: Size, steps: int) -> list[Any]:
    """The same orders again, because a run uses up their noise. Their garments are cached by now,
    as in a shop."""
    return [order(seed, size, steps) for seed in range(len(orders))]


def _measure_rival(subject: Subject, asked: Any, table: Table) -> None:
    pipeline = rival_of(subject)
    for size in subject.sizes:
        seconds(pipeline, subject, size, 2)
        for steps in asked.steps:
            took = seconds(pipeline, subject, size, steps)
            table["rival"].setdefault(str(size), {})[str(steps)] = round(took, 4)
            print(f"diffusers {size!s:>9}  {steps:3} steps: {took:7.2f} s alone, same rows")
    _forget(subject.device)


def _forget(device: torch.device) -> None:
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


if __name__ == "__main__":
    main()
