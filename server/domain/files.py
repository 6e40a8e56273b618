"""Files by key: which objects of the store a caller may download. Only what the rows name, and of
a shopper's pictures only what the caller may see."""

from __future__ import annotations

import re

from gpu_worker.contract import GarmentStatus, PhotoStatus
from server.domain import garments, photos, try_ons
from server.infra.caller import Caller, sees_picture
from server.infra.errors import Code, Problem
from server.infra.services import Services

_KEY = re.compile(r"^(photos|garments|pictures)/([a-z]{3}_[0-9a-f]{24})(?:\.jpg|/(.+))$")


def find(services: Services, caller: Caller, key: str) -> str:
    """The key, if a row of the caller's names it.

    Raises:
        Problem: file_not_found; gone for a picture that was deleted or has run out.
    """
    match = _KEY.match(key)
    if match is None:
        raise Problem(Code.FILE_NOT_FOUND)
    try:
        known = _keys(services, caller, match[1], match[2])
    except Problem as problem:
        if problem.status == 404:
            raise Problem(Code.FILE_NOT_FOUND) from problem
        raise
    if key not in known:
        raise Problem(Code.FILE_NOT_FOUND)
    return key


def _keys(services: Services, caller: Caller, folder: str, row_id: str) -> list[str | None]:
    if folder == "photos":
        photo = photos.get(services, caller, row_id)
        return [photo.clean_key] if photo.status == PhotoStatus.READY else []
    if folder == "garments":
        garment = garments.get(services, caller, row_id)
        ready = garment.status == GarmentStatus.READY
        return [garment.clean_key, garment.cutout_key] if ready else []
    row = try_ons.get(services, caller, row_id)
    return [row.result_key] if sees_picture(caller.kind, row) else []
