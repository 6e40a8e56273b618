"""What a picture may be is a setting, and whoever is told of a limit is told that setting."""

from __future__ import annotations

from typing import Any

import pytest

from gpu_worker.contract import GarmentStatus, PhotoStatus, Reason
from server.app import create_app
from server.rendering.words import limits, reasons, widget
from tests.server.actors import World, settings
from tests.server.conftest import MakeWorld
from tests.services import S3Settings

NOWHERE = S3Settings("http://unused", "proteus", "id", "secret")
SMALL: dict[str, Any] = {
    "max_upload_bytes": 2_500_000,
    "min_photo_side_px": 300,
    "max_photo_side_px": 1000,
    "max_pixels": 12_500_000,
}
TOLD = ["data-max-bytes=2500000", "data-min-side-px=300", "data-max-side-px=1000"]


def test_by_default_they_read_as_ever() -> None:
    assert limits.named() == {
        "largest_file": "10 MB",
        "least_side_px": "256",
        "most_megapixels": "50",
    }


@pytest.mark.parametrize(
    ("size_bytes", "said"),
    [
        (1024, "1 KB"),
        (1_048_575, "1023.9 KB"),
        (1_048_576, "1 MB"),
        (1_677_721, "1.5 MB"),
        (52_428_800, "50 MB"),
    ],
)
def test_a_size_is_never_said_larger_than_it_is(size_bytes: int, said: str) -> None:
    assert limits.size(size_bytes) == said


def test_sentences_name_the_settings_of_their_app() -> None:
    app = create_app(settings("redis://unused", "sqlite://", NOWHERE, **SMALL))
    with app.app_context():
        assert widget.words(Reason.FILE_TOO_LARGE)[0] == "This photo is larger than 2.3 MB."
        assert widget.words(Reason.IMAGE_TOO_SMALL)[1].endswith("at least 300 pixels on each side.")
        assert "12.5 megapixels" in reasons.merchant(Reason.TOO_MANY_PIXELS)
    assert widget.words(Reason.FILE_TOO_LARGE)[0] == "This photo is larger than 10 MB."


@pytest.fixture
def small(make_world: MakeWorld) -> World:
    return make_world(**SMALL)


def test_the_widget_and_the_api_tell_them(small: World) -> None:
    garment = small.garment()
    page = small.anybody().get(f"/w/{small.site.live_key}?garment={garment.sku}").text
    assert [told for told in TOLD if told not in page.replace('"', "")] == []
    assert 'data-types="image/jpeg image/png image/webp"' in page
    assert "This photo is larger than 2.3 MB." in page
    refused = [Reason.FILE_TOO_LARGE.value]
    photo = small.photo(small.sam, status=PhotoStatus.REJECTED, reasons=refused)
    body = small.sam.get(f"/v1/photos/{photo.id}").text
    assert "larger than 2.3 MB" in body
    row = small.garment(status=GarmentStatus.REJECTED, reasons=refused)
    assert "larger than 2.3 MB" in small.ada.get(f"/v1/garments/{row.id}").text
