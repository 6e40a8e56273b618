"""Which job a garment that is being cleaned must have, and how it comes into line and out again.

A picture by address is fetched first, by the fetcher; whatever lies in the store goes to the
tailor. The row alone says which of the two is next.
"""

from __future__ import annotations

from gpu_worker.contract import FetchJob, GarmentJob, Lane, fetch_id
from server.infra.jobs import Jobs
from server.infra.kinds import Place
from server.infra.services import Services
from server.infra.store import garment_keys
from server.models import Garment


def job_of(garment: Garment) -> FetchJob | GarmentJob:
    accepted_at_ms = round(garment.queued_at.timestamp() * 1000)
    if garment.upload_key is None and garment.image_url is not None:
        return FetchJob(
            merchant_id=garment.merchant_id,
            site_id=garment.site_id,
            accepted_at_ms=accepted_at_ms,
            garment_id=garment.id,
            image_url=garment.image_url,
            fetched_key=garment_keys(garment.id).fetched or "",
        )
    return GarmentJob(
        merchant_id=garment.merchant_id,
        site_id=garment.site_id,
        accepted_at_ms=accepted_at_ms,
        garment_id=garment.id,
        category=garment.category,
        clean_key=garment.clean_key,
        parts_key=garment.parts_key,
        cutout_key=garment.cutout_key,
        upload_key=garment.upload_key,
        clean=garment.clean,
    )


def places(garment: Garment) -> list[Place]:
    """Where its job belongs, to be fetched or to be cleaned, and where it may still be. An earlier
    version had all garments in the live lane."""
    fetch, clean = (FetchJob.ENGINE, FetchJob.LANE), (GarmentJob.ENGINE, GarmentJob.LANE)
    first = fetch if garment.upload_key is None and garment.image_url is not None else clean
    return list(dict.fromkeys([first, fetch, clean, (GarmentJob.ENGINE, Lane.LIVE)]))


def ids(garment_id: str) -> frozenset[str]:
    return frozenset({garment_id, fetch_id(garment_id)})


def enqueue(services: Services, garment: Garment, *, anew: bool = False) -> bool:
    job = job_of(garment)
    return services.jobs.enqueue(job, job.ENGINE, job.LANE, anew=anew)


def cancel(jobs: Jobs, job: FetchJob | GarmentJob) -> None:
    """Takes the job out. A fetch that is under way ends by itself: were it told to stop, whoever
    adds and deletes garments could have as many at a time as he likes."""
    if isinstance(job, FetchJob):
        jobs.take_out(job.id, job.ENGINE, job.LANE, job.merchant_id)
    else:
        jobs.cancel(job.id, job.ENGINE, job.LANE, job.merchant_id)
