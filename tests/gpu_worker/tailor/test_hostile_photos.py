"""One merchant's photos that take far too long to decode, and another's shopper who waits."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.decoding import many_scans
from gpu_worker.contract import EventType, Reason
from gpu_worker.decoders import Decoders
from gpu_worker.queue.leases import Claim
from gpu_worker.worker.bill import Bill
from tests.hostile import heavy
from tests.tailoring import photo_job, upload
from tests.waiting import wait_for
from tests.workshop import Workshop, said

AT_SIGHT_MS = 30  # well above what a photo costs that is refused without decoding


def hand_over(tailor: Workshop, photo: str, data: bytes, merchant: str) -> None:
    job = photo_job(photo, merchant_id=merchant)
    tailor.store.put(job.upload_key, data, job.content_type)
    tailor.accept(job)


def test_many_scans_are_refused_and_their_upload_is_gone(tailor: Workshop) -> None:
    hand_over(tailor, "pho_cleo", many_scans(20_000, 2000), "mer_cleo")
    tailor.wait_until_settled()
    event = tailor.events("pho_cleo")[-1]
    assert event.type == EventType.REJECTED
    assert said(event) == {"reasons": [Reason.PICTURE_TOO_COMPLEX.value], "people": []}
    assert tailor.store.metadata("uploads/sit_1/pho_cleo") is None


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    """In place of the others: less time, for a picture of one megapixel."""
    made = Decoders(2, 0.3, 1 << 28, 50_000_000)
    yield made
    made.close()


@pytest.fixture
def bills(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """What the merchant of each job pays for, in ms."""
    paid: dict[str, float] = {}
    close = Bill.close

    def closed(bill: Bill, claim: Claim, spent_ms: float) -> None:
        paid[claim.job_id] = spent_ms
        close(bill, claim, spent_ms)

    monkeypatch.setattr(Bill, "close", closed)
    return paid


def test_sams_photo_is_checked_however_many_of_cleos_keep_coming(
    bills: dict[str, float], tailor: Workshop
) -> None:
    cleos: list[str] = []

    def sam_is_ready() -> bool:
        """Cleo always has two more that are not done."""
        if sum(not ends for ends in tailor.ends().values()) < 3:
            cleos.append(f"pho_cleo_{len(cleos)}")
            hand_over(tailor, cleos[-1], heavy(), "mer_cleo")
        return [event.type for event in tailor.events("pho_sam")][-1:] == [EventType.READY]

    for _ in range(2):
        sam_is_ready()
    hand_over(tailor, "pho_sam", upload("person_anna"), "mer_ada")
    wait_for(sam_is_ready)
    tailor.wait_until_settled()
    for photo in cleos:
        assert said(tailor.events(photo)[-1])["reasons"] == [Reason.PICTURE_TOO_COMPLEX.value]
    wait_for(lambda: bills.keys() >= set(cleos))
    # Of CPU time: where a busy machine gave the child little of it, the wall clock ended it first.
    assert min(bills[photo] for photo in cleos) > AT_SIGHT_MS
