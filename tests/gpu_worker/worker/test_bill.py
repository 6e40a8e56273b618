"""What is still to be charged when a job has left."""

from __future__ import annotations

from gpu_worker.contract import Lane
from gpu_worker.queue.leases import Claim
from gpu_worker.worker.bill import LEAST_MS, Bill


def claim(merchant: str = "ada", lane: str = "live", charged_ms: float = 1000) -> Claim:
    return Claim("try_1", "1", f"null:{lane}:{merchant}", 0, charged_ms)


def test_what_was_charged_too_much_or_too_little_is_made_up_once() -> None:
    bill = Bill()
    bill.close(claim(), 1500)
    bill.close(claim(), 700)
    bill.close(claim("cleo", "bulk"), 400)
    assert bill.take() == {(Lane.LIVE, "ada"): 200, (Lane.BULK, "cleo"): -600}
    assert bill.take() == {}


def test_what_is_told_late_is_added() -> None:
    bill = Bill()
    bill.close(claim(), 1000)
    bill.add(claim(), 70)
    assert bill.take() == {(Lane.LIVE, "ada"): 70}


def test_even_a_refusal_costs_a_little() -> None:
    bill = Bill()
    bill.close(claim(charged_ms=1000), 0)
    assert bill.take() == {(Lane.LIVE, "ada"): LEAST_MS - 1000}


def test_what_is_usual_follows_what_jobs_cost() -> None:
    bill = Bill()
    for _ in range(30):
        bill.close(claim(), 200)
    assert 190 < bill.usual_ms < 210
    bill.close(claim(), 0)
    assert bill.usual_ms > 190, "one that was not drawn says nothing of the usual"
