"""The queue jobs of a garment in status `cleaning`: which one it needs, enqueueing, cancelling.

A picture given by address needs a FetchJob first; one that lies in the store needs a GarmentJob
for the tailor. The row alone decides which of the two is next.
"""

from __future__ import annotations

from gpu_worker.contract import FetchJob, GarmentJob, Lane, fetch_id
from server.infra.jobs import Jobs
from server.infra.kinds import Place
from server.infra.services import Services
from server.infra.store import garment_keys
from server.models import Garment


def job_of(garment: Garment) -> FetchJob | GarmentJob:
    """The job that this row needs next."""
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
    """Engine and lane of its next job, followed by those where an older job of it may still stand:
    before or after the fetch, or in the live lane, which an earlier version used."""
    fetch, clean = (FetchJob.ENGINE, FetchJob.LANE), (GarmentJob.ENGINE, GarmentJob.LANE)
    first = fetch if garment.upload_key is None and garment.image_url is not None else clean
    return list(dict.fromkeys([first, fetch, clean, (GarmentJob.ENGINE, Lane.LIVE)]))


def ids(garment_id: str) -> frozenset[str]:
    """The ids under which RQ may know a job of this garment."""
    return frozenset({garment_id, fetch_id(garment_id)})


def enqueue(services: Services, garment: Garment, *, anew: bool = False) -> bool:
    """Enqueues its next job; see `infra.jobs.Jobs.enqueue`."""
    job = job_of(garment)
    return services.jobs.enqueue(job, job.ENGINE, job.LANE, anew=anew)


def cancel(jobs: Jobs, job: FetchJob | GarmentJob) -> None:
    """Removes the job from its queue and stops a running one, but for a running fetch: if deleting
    a garment freed its slot at once, a loop of adding and deleting could start any number."""
    if isinstance(job, FetchJob):
        jobs.take_out(job.id, job.ENGINE, job.LANE, job.merchant_id)
    else:
        jobs.cancel(job.id, job.ENGINE, job.LANE, job.merchant_id)
