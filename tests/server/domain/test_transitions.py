"""The tables of photos and garments: what they do not allow is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from gpu_worker.contract import GarmentStatus, PhotoStatus
from server.domain.garments import lifecycle as of_garments
from server.domain.photos import lifecycle as of_photos
from server.domain.transitions import IllegalMoveError, write
from server.models import Garment, Photo

T0 = datetime(2026, 11, 21, 12, tzinfo=UTC)


def test_a_photo_of_several_people_is_checked_again_for_one_of_them() -> None:
    photo = Photo(status=PhotoStatus.CHECKING, asked_from="a mark")
    write(photo, of_photos.rejected(photo, ["several_people"]))
    assert (photo.status, photo.asked_from) == (PhotoStatus.REJECTED, None)
    write(photo, of_photos.checked_again(photo, T0, 1, "a mark"))
    assert (photo.status, photo.reasons, photo.person) == (PhotoStatus.CHECKING, [], 1)
    assert (photo.asked_from, photo.queued_at) == ("a mark", T0)
    write(photo, of_photos.ready(photo, {"width_px": 3}))
    assert (photo.status, photo.width_px, photo.asked_from) == (PhotoStatus.READY, 3, None)


@pytest.mark.parametrize(
    "move",
    [
        lambda: of_photos.checked_again(Photo(status=PhotoStatus.READY), T0, 1, None),
        lambda: of_photos.checked_again(Photo(status=PhotoStatus.CHECKING), T0, 1, None),
        lambda: of_photos.rejected(Photo(status=PhotoStatus.READY), []),
        lambda: of_photos.ready(Photo(status=PhotoStatus.REJECTED), {}),
        lambda: of_garments.fetched(Garment(status=GarmentStatus.READY), T0, "key"),
        lambda: of_garments.rejected(Garment(status=GarmentStatus.READY), []),
        lambda: of_garments.ready(Garment(status=GarmentStatus.REJECTED), 3, 4),
    ],
)
def test_what_the_table_does_not_allow_is_refused(move: Any) -> None:
    with pytest.raises(IllegalMoveError):
        move()
