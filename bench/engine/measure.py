"""Measures an engine on a device: times, peak memory, idle share.

Knows an engine and orders. Prints nothing.
"""

from __future__ import annotations

import resource
import statistics
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from gpu_worker.engine import Order
from gpu_worker.engines.catvton.engine import CatvtonEngine
from gpu_worker.engines.catvton.sample import CatvtonSample

WARM_STEPS = 1


def now(device: torch.device) -> float:
    """Seconds: on a GPU wall time; on a CPU processor time, so that other processes on the machine
    do not count."""
    return time.perf_counter() if device.type == "cuda" else time.process_time()


def step_ms(
    engine: CatvtonEngine, orders: Sequence[Order], repeats: int, device: torch.device
) -> float:
    """Median ms of a step of all these orders together. A step returns only when the device has
    finished it, so no further synchronisation is needed."""
    samples = [engine.admit(order) for order in orders]
    for _ in range(WARM_STEPS):
        engine.step(samples)
    times = []
    for _ in range(repeats):
        began = now(device)
        engine.step(samples)
        times.append((now(device) - began) * 1000)
    return statistics.median(times)


def try_on_s(engine: CatvtonEngine, order: Order, device: torch.device) -> float:
    """Seconds of one try-on alone: admit, all steps, finish."""
    began = now(device)
    sample = engine.admit(order)
    while sample.step < sample.steps:
        engine.step([sample])
    engine.finish(sample)
    return now(device) - began


def per_second(
    engine: CatvtonEngine,
    orders: Sequence[Order],
    slots: int,
    device: torch.device,
    *,
    beside: bool,
) -> float:
    """Throughput, pictures a second, with continuous batching. beside: `admit` and `finish` run in
    a side thread, as the engine allows."""
    began = now(device)
    with ThreadPoolExecutor(1) as thread:
        far: Submit = thread.submit if beside else _here
        _serve(engine, orders, slots, far)
    return len(orders) / (now(device) - began)


Submit = Callable[..., "Future[Any]"]


def _here(work: Callable[..., Any], *arguments: Any) -> Future[Any]:
    done: Future[Any] = Future()
    done.set_result(work(*arguments))
    return done


def _serve(engine: CatvtonEngine, orders: Sequence[Order], slots: int, far: Submit) -> None:
    """A small step loop: admits, steps and finishes orders, at most `slots` at a time."""
    coming = deque(far(engine.admit, order) for order in orders[:slots])
    waiting, running, leaving = deque(orders[slots:]), list[CatvtonSample](), list[Future[Any]]()
    while coming or running:
        while coming and len(running) < slots and (coming[0].done() or not running):
            running.append(coming.popleft().result())
            if waiting:
                coming.append(far(engine.admit, waiting.popleft()))
        engine.step(running)
        leaving += [far(engine.finish, s) for s in running if s.step == s.steps]
        running = [sample for sample in running if sample.step < sample.steps]
    for done in leaving:
        done.result()


@dataclass(slots=True)
class Memory:
    """Peak memory, MiB: allocated on the GPU, or this process's resident size on a CPU."""

    peak_mib: float = 0.0


@contextmanager
def memory_of(device: torch.device) -> Iterator[Memory]:
    seen = Memory()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    yield seen
    if device.type == "cuda":
        seen.peak_mib = torch.cuda.max_memory_allocated(device) / 2**20
    else:
        seen.peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def idle_share(device: torch.device, work: Callable[[], Any]) -> float | None:
    """The share of time in which no kernel ran, 0 to 1; None on a CPU.

    An upper bound: torch.profiler's own cost makes the device look more idle than it is.
    """
    if device.type != "cuda":
        return None
    activities = [torch.profiler.ProfilerActivity.CUDA]
    with torch.profiler.profile(activities=activities) as seen:
        torch.cuda.synchronize(device)
        began = time.perf_counter()
        work()
        torch.cuda.synchronize(device)
        took_us = (time.perf_counter() - began) * 1e6
    spans = sorted(
        (event.time_range.start, event.time_range.end)
        for event in seen.events() or ()
        if event.device_type.name == "CUDA" and not event.is_user_annotation
    )
    return max(0.0, 1 - covered(spans) / took_us)


def covered(spans: Sequence[tuple[float, float]]) -> float:
    """The length of the union of spans that are sorted by their starts."""
    total, until = 0.0, float("-inf")
    for start, end in spans:
        total += max(0.0, end - max(start, until))
        until = max(until, end)
    return total
