"""POST /v1/uploads, and what the store does with the address it gives, on both stores."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from server.domain import uploads
from server.infra.store import UPLOAD_EXPIRES_S
from server.models import Upload
from tests.server.actors import JPEG, Actor, World, after, code
from tests.server.conftest import MakeWorld
from tests.services import S3Settings


@pytest.fixture
def stored(make_world: MakeWorld, any_store: S3Settings) -> World:
    """A world on the local store, and then on Ceph."""
    return make_world(store=any_store)


def put(announced: Any, content: bytes = JPEG, url: str = "", **headers: str) -> int:
    sent = announced["headers"] | {k.replace("_", "-"): v for k, v in headers.items()}
    return httpx.put(url or announced["url"], content=content, headers=sent).status_code


def test_sam_uploads_exactly_what_she_announced(stored: World) -> None:
    announced = stored.sam.announce()
    assert announced["method"] == "PUT"
    assert announced["key"].startswith(f"uploads/{stored.site.id}/")
    assert put(announced) == 200
    head = stored.services.store.head(announced["key"])
    assert head is not None
    assert (head.size_bytes, head.content_type) == (len(JPEG), "image/jpeg")


def test_the_store_takes_nothing_else(stored: World) -> None:
    announced = stored.sam.announce()
    other = stored.sam.announce()
    assert put(announced, JPEG + b"!") == 403  # oversize
    assert put(announced, JPEG[:-1]) == 403
    assert put(announced, Content_Type="image/png") == 403  # mistyped
    forged = announced["url"].replace(announced["key"], "pictures/try_0.jpg")
    assert put(announced, url=forged) == 403  # another key
    swapped = announced["url"].replace(announced["key"], other["key"])
    assert put(announced, url=swapped) == 403
    tampered = announced["url"][:-4] + "0000"
    assert put(announced, url=tampered) == 403  # forged signature
    assert stored.services.store.head(announced["key"]) is None
    assert put(announced) == 200  # the honest one still may


def test_an_address_runs_out(stored: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        signed_at = datetime.now(UTC) - timedelta(seconds=UPLOAD_EXPIRES_S + 60)
        patch.setattr("botocore.auth.get_current_datetime", lambda: signed_at.replace(tzinfo=None))
        announced = stored.sam.announce()
    assert put(announced) in (400, 403)  # rclone's word for it is 400, Ceph's and AWS's 403
    assert stored.services.store.head(announced["key"]) is None


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"purpose": "picture"}, (422, "invalid")),
        ({"content_type": "image/svg+xml"}, (422, "unsupported_format")),
        ({"content_type": "image/gif"}, (422, "unsupported_format")),
        ({"content_type": "image/heic"}, (422, "unsupported_format")),
        ({"content_type": "text/html"}, (422, "unsupported_format")),
        ({"size_bytes": 0}, (422, "empty_file")),
        ({"size_bytes": -1}, (422, "invalid")),
        ({"size_bytes": 10_485_761}, (422, "file_too_large")),
        ({"size_bytes": "many"}, (422, "invalid")),
        ({"key": "pictures/try_0.jpg"}, (422, "invalid")),
        ({"purpose": "garment"}, (403, "not_allowed")),  # shoppers bring photos only
    ],
)
def test_refusals(sam: Actor, change: dict[str, Any], expected: tuple[int, str]) -> None:
    body = {"purpose": "photo", "content_type": "image/jpeg", "size_bytes": 4} | change
    assert code(sam.post("/v1/uploads", body)) == expected


def test_who_is_erased_in_another_window_announces_nothing(
    any_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, sam = any_world, any_world.sam
    after(monkeypatch, uploads, "_check", lambda: sam.delete("/v1/shoppers/me"))
    body = {"purpose": "photo", "content_type": "image/jpeg", "size_bytes": 4}
    assert code(sam.post("/v1/uploads", body)) == (401, "bad_token")
    with world.services.read() as session:
        assert session.query(Upload).count() == 0


def test_heic_is_told_what_to_do(sam: Actor) -> None:
    body = {"purpose": "photo", "content_type": "image/heic", "size_bytes": 4}
    answer: Any = sam.post("/v1/uploads", body).json
    assert "JPEG" in answer["detail"]


def test_ten_mebibytes_are_fine(sam: Actor) -> None:
    body = {"purpose": "photo", "content_type": "image/webp", "size_bytes": 10_485_760}
    assert sam.post("/v1/uploads", body).status_code == 201


def test_strangers_upload_nothing(world: World) -> None:
    body = {"purpose": "photo", "content_type": "image/jpeg", "size_bytes": 4}
    assert code(world.anybody().post("/v1/uploads", body)) == (401, "not_authenticated")
