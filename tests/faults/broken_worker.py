"""A worker with a fault on purpose: `python -m tests.faults.broken_worker <fault>`.

The real one (`python -m gpu_worker work null`) with one method replaced. Where one try-on causes
the fault, it is the one whose seed is `POISON`.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from gpu_worker import __main__ as main
from gpu_worker.engine import DeviceLostError, OutOfMemoryError
from gpu_worker.engines.null import NullEngine, NullSample
from gpu_worker.queue.events import Events
from gpu_worker.queue.leases import Leases
from gpu_worker.storage.store import Store
from gpu_worker.worker.rq_side import RqSide
from tests.faults.whole_service import POISON

ROOM_FOR = 2  # samples that a device short of memory holds


def die(*_args: Any, **_options: Any) -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise SystemExit  # not reached


def dies_after(owner: type, name: str) -> None:
    """Kills the process after the method's first call that returns anything but an empty list."""
    whole = getattr(owner, name)

    def then_die(self: Any, *args: Any, **options: Any) -> Any:
        answer = whole(self, *args, **options)
        if answer != []:
            die()
        return answer

    setattr(owner, name, then_die)


def dies_at_the_third(owner: type, name: str) -> None:
    """Kills the process at the method's third call."""
    whole, seen = getattr(owner, name), []

    def count(self: Any, *args: Any, **options: Any) -> Any:
        seen.append(1)
        if len(seen) == 3:
            die()
        return whole(self, *args, **options)

    setattr(owner, name, count)


def steps(check: Callable[[Sequence[NullSample]], None]) -> None:
    """Calls `check` before every step of the engine."""
    whole = NullEngine.step

    def step(self: NullEngine, samples: Sequence[NullSample]) -> None:
        check(samples)
        whole(self, samples)

    NullEngine.step = step  # type: ignore[method-assign]


def holds_poison(samples: Sequence[NullSample]) -> bool:
    return any(sample.order.seed == POISON for sample in samples)


def raises(samples: Sequence[NullSample]) -> None:
    if holds_poison(samples):
        raise ValueError("this input cannot be computed")


def kills(samples: Sequence[NullSample]) -> None:
    if holds_poison(samples):
        die()


def is_too_many(samples: Sequence[NullSample]) -> None:
    sys.stderr.write(f"step of {len(samples)}\n")
    if len(samples) > ROOM_FOR:
        raise OutOfMemoryError(f"{len(samples)} samples, room for {ROOM_FOR}")


def has_lost_its_device(samples: Sequence[NullSample]) -> None:
    if any(sample.step >= 2 for sample in samples):
        raise DeviceLostError("no kernel runs on this device any more")


def is_slow() -> None:
    """Every read from the store takes 2 s longer."""
    whole = Store.get

    def get(self: Store, key: str, max_bytes: int) -> bytes:
        time.sleep(2)
        return whole(self, key, max_bytes)

    Store.get = get  # type: ignore[method-assign]


FAULTS: dict[str, Callable[[], None]] = {
    "before the lease": lambda: setattr(Leases, "claim", die),
    "after the lease": lambda: dies_after(Leases, "claim"),
    "after the start": lambda: dies_after(RqSide, "start"),
    "in mid-batch": lambda: dies_after(NullEngine, "step"),
    "after the result is stored": lambda: dies_after(Store, "put"),
    "after the event": lambda: dies_after(Events, "send"),
    "between two settlements": lambda: dies_at_the_third(RqSide, "settle"),
    "one raises": lambda: steps(raises),
    "one kills": lambda: steps(kills),
    "short of memory": lambda: steps(is_too_many),
    "slow store": is_slow,
    "device lost": lambda: steps(has_lost_its_device),
}

if __name__ == "__main__":
    FAULTS[sys.argv[1]]()
    code = main.main(["work", "null"])
    sys.stderr.flush()
    os._exit(code)
