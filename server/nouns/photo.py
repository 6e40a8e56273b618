"""The registry's entry for photos: a shopper's, or one that a merchant's backend uploaded."""

from __future__ import annotations

from sqlalchemy.orm import Session

from gpu_worker.contract import PhotoStatus, Subject
from server.domain import photos
from server.domain.photos import lifecycle
from server.infra.caller import Caller, CallerKind, sees_picture
from server.infra.kinds import Jobs, Json, Kind, Lifetime, Live, Page
from server.infra.services import Services
from server.infra.store import Store, photo_keys
from server.models import Photo
from server.rendering import fragments
from server.rendering.json import photo as as_json


def _files(services: Services, caller: Caller, photo_id: str) -> list[str | None]:
    photo = photos.get(services, caller, photo_id)
    return [photo.clean_key] if photo.status == PhotoStatus.READY else []


def _events(photo: Photo, _store: Store, reader: CallerKind) -> list[tuple[str, Json]]:
    if not sees_picture(reader, photo):
        return []
    return [(photo.status.value, as_json.to_dict(photo, reader=reader))]


def _in_widget(_session: Session, photo: Photo, store: Store) -> str:
    return fragments.photo_card(photo, store, oob=True)


KIND = Kind(
    prefix="pho",
    model=Photo,
    keys=lambda photo_id: photo_keys(photo_id).all(),
    files=_files,
    jobs=Jobs(
        subject=Subject.PHOTO,
        unfinished=lifecycle.UNFINISHED,
        change=lifecycle.change,
        places=lambda _photo: (photos.PLACE,),
        remake=lambda _work, photo: photos.job_of(photo),
        end=photos.end_overdue,
    ),
    lifetime=Lifetime(lambda now: Photo.expires_at <= now, photos.delete_with_objects),
    live=Live(
        audiences=frozenset({"shopper", "site"}),
        prefix="photo.",
        events=_events,
        pages={"shopper": Page(_in_widget)},
    ),
)
