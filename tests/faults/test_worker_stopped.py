"""7, 8: workers that are stopped and continued, or asked to go."""

from __future__ import annotations

import signal

import pytest

from gpu_worker.contract import EventType
from tests.faults.whole_service import BROKEN, UNHURRIED, WholeService
from tests.waiting import wait_for

pytestmark = pytest.mark.faults

EIGHT = 8


def said(service: WholeService, words: str) -> bool:
    return words in service.logs()


def test_stopped_for_longer_than_its_lease_then_continued(service: WholeService) -> None:
    service.house.steward()
    service.order(EIGHT)
    frozen = service.work(PROTEUS_NULL_CURVE="100,0,30")
    wait_for(service.is_running)
    service.struck()
    frozen.send_signal(signal.SIGSTOP)
    wait_for(lambda: not service.has_leases())
    service.work()
    first = service.settle()
    frozen.send_signal(signal.SIGCONT)
    service.order()  # and it must be of use again
    wait_for(lambda: said(service, "its lease is lost"))
    counts = service.tell(7, "SIGSTOP for longer than the lease", f"the eight in {first:.1f} s")
    assert counts.succeeded == EIGHT + 1
    assert frozen.poll() is None


def test_asked_to_go_while_the_batch_fills(service: WholeService) -> None:
    """The store is slow: the inputs of four are on their way when it is asked."""
    service.house.steward()
    service.order(EIGHT)
    worker = service.work(*BROKEN, "slow store", **UNHURRIED)
    wait_for(service.has_leases)
    service.struck()
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(60) == 0
    assert service.in_line() == EIGHT
    service.work()
    assert service.tell(8, "SIGTERM while filling").succeeded == EIGHT


def test_asked_to_go_in_mid_batch_it_finishes_what_runs(service: WholeService) -> None:
    service.house.steward()
    service.order(EIGHT)
    options = {"PROTEUS_GRACE_S": "60", "PROTEUS_BATCH_SIZE": "4"}
    worker = service.work(PROTEUS_NULL_CURVE="40,0,30", **options, **UNHURRIED)
    wait_for(service.is_running)
    service.struck()
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(90) == 0
    finished = len(service.events(EventType.SUCCEEDED))
    assert finished >= 1
    assert service.in_line() == EIGHT - finished
    assert not service.losses()
    service.work()
    counts = service.tell(8, "SIGTERM in mid-batch", f"{finished} finished before it went")
    assert counts.succeeded == EIGHT


def test_asked_twice_it_hands_everything_back_at_once(service: WholeService) -> None:
    service.house.steward()
    service.order(EIGHT)
    worker = service.work(PROTEUS_NULL_CURVE="50,0,4000", PROTEUS_GRACE_S="600", **UNHURRIED)
    wait_for(service.is_running)
    service.struck()
    worker.send_signal(signal.SIGTERM)
    wait_for(lambda: said(service, "told to stop"))
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(60) == 0
    assert service.in_line() == EIGHT
    assert not service.losses()
    service.work()
    assert service.tell(8, "SIGTERM twice").succeeded == EIGHT


def test_asked_with_too_little_grace_it_hands_back(service: WholeService) -> None:
    service.house.steward()
    service.order(EIGHT)
    worker = service.work(PROTEUS_NULL_CURVE="50,0,4000", PROTEUS_GRACE_S="1", **UNHURRIED)
    wait_for(service.is_running)
    service.struck()
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(60) == 0
    assert service.in_line() == EIGHT
    assert not service.losses()
    service.work()
    assert service.tell(8, "SIGTERM with a grace of 1 s").succeeded == EIGHT
