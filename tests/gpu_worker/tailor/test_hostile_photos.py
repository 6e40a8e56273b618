"""One merchant's photos that take far too long to decode, and another's shopper who waits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import pytest

from gpu_worker.contract import EventType, Lane, Reason
from gpu_worker.decoders import Decoders
from gpu_worker.leases import Leases
from tests.hostile import heavy, many_scans
from tests.tailoring import PICTURES, photo_job
from tests.waiting import wait_for
from tests.workshop import Workshop, said


def hand_over(tailor: Workshop, photo: str, data: bytes, merchant: str) -> None:
    job = photo_job(photo, merchant_id=merchant)
    tailor.store.put(job.upload_key, data, job.content_type)
    tailor.accept(job)


def test_many_scans_are_refused_and_their_upload_is_gone(tailor: Workshop) -> None:
    hand_over(tailor, "pho_cleo", many_scans(20_000), "mer_cleo")
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
def bills(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """What each merchant is charged with beyond what was foreseen when her jobs were claimed."""
    total: Counter[str] = Counter()
    charge = Leases.charge

    def charged(leases: Leases, bill: Mapping[tuple[Lane, str], float]) -> None:
        total.update({merchant: round(ms) for (_, merchant), ms in bill.items()})
        charge(leases, bill)

    monkeypatch.setattr(Leases, "charge", charged)
    return total


def test_sams_photo_is_checked_however_many_of_cleos_keep_coming(
    bills: Counter[str], tailor: Workshop
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
    hand_over(tailor, "pho_sam", (PICTURES / "person_anna.jpg").read_bytes(), "mer_ada")
    wait_for(sam_is_ready)
    tailor.wait_until_settled()
    for photo in cleos:
        assert said(tailor.events(photo)[-1])["reasons"] == [Reason.PICTURE_TOO_COMPLEX.value]
    wait_for(lambda: "mer_cleo" in bills)
    # At the least price, nearly all that was foreseen when they were claimed would come back.
    assert bills["mer_cleo"] > -500 * len(cleos)
