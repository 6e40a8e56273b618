"""GET /v1/files/{key}: only what a row of the caller's names."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gpu_worker.contract import PhotoStatus
from server.infra.store import picture_key
from server.models import now
from tests.server.actors import World, code


def test_sam_downloads_her_picture(world: World) -> None:
    row = world.finished(world.photo(world.sam), world.garment())
    answer = world.sam.get(f"/v1/files/{picture_key(row.id)}")
    assert answer.status_code == 302
    store = world.services.settings.store_origin or "-"
    assert answer.location.startswith(store)
    assert "X-Amz-Expires=300" in answer.location


def test_photo_and_garment_too(world: World) -> None:
    photo, garment = world.photo(world.sam), world.garment()
    for key in (photo.clean_key, garment.clean_key, garment.cutout_key):
        assert world.sam.get(f"/v1/files/{key}").status_code == 302
    for key in (garment.clean_key, garment.cutout_key):
        assert world.ada.get(f"/v1/files/{key}").status_code == 302


def test_nobody_else_does(any_world: World) -> None:
    world = any_world
    photo, garment = world.photo(world.sam), world.garment()
    row = world.finished(photo, garment)
    for key in (photo.clean_key, picture_key(row.id)):
        for stranger in (world.kim, world.cleo, world.ada):
            assert code(stranger.get(f"/v1/files/{key}")) == (404, "file_not_found")
    foreign = world.cleo.get(f"/v1/files/{garment.clean_key}")
    assert code(foreign) == (404, "file_not_found")
    anybody = world.anybody().get(f"/v1/files/{photo.clean_key}")
    assert code(anybody) == (401, "not_authenticated")


def test_uploads_and_parts_are_no_files(world: World) -> None:
    photo = world.photo(world.sam)
    for key in (photo.upload_key, photo.parts_key):
        assert code(world.sam.get(f"/v1/files/{key}")) == (404, "file_not_found")


@pytest.mark.parametrize(
    "key",
    ["x", "pictures/", "pictures/../photos/pho_0/photo.jpg", "photos/pho_0", "pictures/try_0.jpg"],
)
def test_made_up_keys(world: World, key: str) -> None:
    assert code(world.sam.get(f"/v1/files/{key}"))[0] == 404


def test_gone_is_gone(world: World) -> None:
    photo, garment = world.photo(world.sam), world.garment()
    row = world.finished(photo, garment)
    world.sam.delete(f"/v1/try-ons/{row.id}")
    assert code(world.sam.get(f"/v1/files/{picture_key(row.id)}")) == (410, "gone")
    old = world.finished(photo, garment, expires_at=now() - timedelta(seconds=1))
    assert code(world.sam.get(f"/v1/files/{picture_key(old.id)}")) == (410, "gone")


def test_what_is_not_there_yet(world: World) -> None:
    photo = world.photo(world.sam, status=PhotoStatus.CHECKING)
    assert code(world.sam.get(f"/v1/files/{photo.clean_key}")) == (404, "file_not_found")
    row = world.try_on(world.photo(world.sam), world.garment())
    assert code(world.sam.get(f"/v1/files/{picture_key(row.id)}")) == (404, "file_not_found")
