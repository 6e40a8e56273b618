"""21: the workers' clocks are apart by more than the lease, and so is the steward's."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import do_without
from tests.faults.whole_service import PROMISED_S, WholeService
from tests.stage import ENGINE
from tests.waiting import wait_for

pytestmark = pytest.mark.faults

EIGHT = 8
WORKER = ("-m", "tests.faults.other_clock", "gpu_worker", "work", ENGINE)
STEWARD = ("-m", "tests.faults.other_clock", "server.steward")
APART_S = 60
LEASE_S = 12  # a fifth of that, and kept every 4 s: however busy the machine is, it is not lost


@pytest.fixture(scope="module")
def library() -> str:
    """Debian's libfaketime, to be preloaded: the program `faketime` would start the worker as a
    child of its own, which a test cannot kill."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not found:
        do_without("libfaketime is missing: install the Debian package faketime")
    return str(found[0])


def clock(library: str, apart_s: int) -> dict[str, str]:
    """The wall clock alone is wrong: nobody can set the one that counts seconds since boot."""
    return {
        "LD_PRELOAD": library,
        "FAKETIME": f"{apart_s:+d}s",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


@pytest.mark.parametrize(("first", "second"), [(APART_S, -APART_S), (-APART_S, APART_S)])
def test_clocks_are_apart_by_more_than_the_lease(
    service: WholeService, library: str, first: int, second: int
) -> None:
    """Both hold jobs at once; neither may take the other's for abandoned. Then one is killed."""
    service.house.start(*STEWARD, log="steward.log", **clock(library, second))
    service.order(EIGHT)
    options = {"PROTEUS_BATCH_SIZE": "4", "PROTEUS_LEASE_S": str(LEASE_S)}
    doomed = service.work(
        *WORKER, PROTEUS_NULL_CURVE="100,0,6000", **options, **clock(library, first)
    )
    wait_for(service.is_running)
    service.work(*WORKER, PROTEUS_NULL_CURVE="100,0,20", **options, **clock(library, second))
    wait_for(lambda: len(service.finished()) >= 4)
    assert sorted(map(round, service.clocks())) == pytest.approx([-APART_S, APART_S], abs=20)
    assert not service.losses()
    assert len(service.finished()) == 4
    service.kill(doomed)
    counts = service.tell(21, f"clocks {first:+d} s and {second:+d} s, the first is killed")
    assert counts.succeeded == EIGHT
    assert service.recovered_s < PROMISED_S
