"""24: the fetcher killed while a garment's picture is on its way. Another brings it, once."""

from __future__ import annotations

import psutil
import pytest

from gpu_worker.contract import GarmentStatus
from server.domain.garments import jobs as garment_jobs
from server.infra.store import garment_keys
from tests.faults.whole_service import WholeService
from tests.hostile_shop import hostile_shop
from tests.tailoring import PICTURES
from tests.waiting import wait_for

pytestmark = pytest.mark.faults

TEE = (PICTURES / "garment_tee_geo.jpg").read_bytes()
FETCHER = ("-m", "gpu_worker", "work", "fetcher")


def test_the_fetcher_is_killed_while_a_picture_is_on_its_way(service: WholeService) -> None:
    house = service.house
    few = {"PROTEUS_FETCHES": "2", "PROTEUS_ALLOW_LOOPBACK_IMAGE_URLS": "1"}
    with hostile_shop(TEE) as merchant:
        service.steward()
        service.work("-m", "gpu_worker", "work", "tailor")
        doomed = service.work(*FETCHER, **few)
        address = f"{merchant.url}/held.jpg"
        row = house.garment(status=GarmentStatus.CLEANING, image_url=address, upload_key=None)
        garment_jobs.enqueue(house.services, row)
        wait_for(lambda: merchant.knocks)
        children = psutil.Process(doomed.pid).children()
        assert len(children) == 2
        service.kill(doomed)
        wait_for(lambda: not any(child.is_running() for child in children))
        service.work(*FETCHER, **few)
        wait_for(lambda: len(merchant.knocks) == 2)
        merchant.let_go.set()
        wait_for(lambda: house.read(row).status is not GarmentStatus.CLEANING)
        service.tell(24, "fetcher killed while a picture is on its way", "the garment is ready")
        assert house.read(row).status is GarmentStatus.READY, service.logs()
        wait_for(lambda: garment_keys(row.id).fetched not in house.objects())
        assert len(merchant.knocks) == 2
