"""The registry's entry for garments, which belong to a site and to no shopper."""

from __future__ import annotations

from sqlalchemy.orm import Session

from gpu_worker.contract import GarmentStatus, Subject
from server.domain import garments
from server.domain.garments import jobs, lifecycle
from server.infra.caller import Caller, CallerKind
from server.infra.kinds import Jobs, Json, Kind, Live, Page
from server.infra.services import Services
from server.infra.store import Store, garment_keys
from server.models import Garment
from server.rendering import dashboard_fragments
from server.rendering.json import garment as as_json


def _files(services: Services, caller: Caller, garment_id: str) -> list[str | None]:
    garment = garments.get(services, caller, garment_id)
    ready = garment.status == GarmentStatus.READY
    return [garment.clean_key, garment.cutout_key] if ready else []


def _events(garment: Garment, store: Store, reader: CallerKind) -> list[tuple[str, Json]]:
    return [(garment.status.value, as_json.to_dict(garment, store, reader=reader))]


def _on_dashboard(_session: Session, garment: Garment, store: Store) -> str:
    return dashboard_fragments.garment(store, garment)


KIND = Kind(
    prefix="gar",
    model=Garment,
    keys=lambda garment_id: garment_keys(garment_id).all(),
    files=_files,
    jobs=Jobs(
        subject=Subject.GARMENT,
        unfinished=lifecycle.UNFINISHED,
        change=lifecycle.change,
        columns=(Garment.upload_key, Garment.image_url),
        places=jobs.places,
        ids=jobs.ids,
        remake=lambda _work, garment: jobs.job_of(garment),
        enqueue=jobs.enqueue,
        end=garments.end_overdue,
    ),
    live=Live(
        audiences=frozenset({"site", "merchant"}),
        prefix="garment.",
        events=_events,
        pages={"user": Page(_on_dashboard)},
        told_for=None,
    ),
)
