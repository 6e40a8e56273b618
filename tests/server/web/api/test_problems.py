"""Whatever goes wrong has one shape, one request id, the security headers, and no stack trace."""

from __future__ import annotations

import io
import json
import socket
import time
from pathlib import Path

import pytest
from apiflask import APIFlask

from server.app import create_app
from server.infra import errors
from server.infra.errors import STATUSES, Code, Problem
from server.models import SecretKey, now
from server.rendering import problems
from tests.server.actors import Actor, World, code
from tests.server.conftest import MakeWorld

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def test_every_answer_carries_its_id_and_headers(world: World) -> None:
    for path in ("/healthz", "/v1/try-ons", "/nowhere"):
        answer = world.sam.get(path)
        assert answer.headers["X-Request-Id"].startswith("req_")
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]


def test_a_request_id_from_a_proxy_is_kept_and_nonsense_is_not(world: World) -> None:
    assert (
        world.sam.get("/nowhere", X_Request_Id="abcd-1234").headers["X-Request-Id"] == "abcd-1234"
    )
    assert world.sam.get("/nowhere", X_Request_Id="a b").headers["X-Request-Id"] != "a b"


def test_what_no_view_answers(world: World, sam: Actor) -> None:
    assert code(sam.get("/nowhere")) == (404, "not_found")
    assert code(sam.get("/v1/nowhere")) == (404, "not_found")
    put = sam.call("PUT", "/v1/try-ons", {})
    assert code(put) == (405, "method_not_allowed")
    assert "POST" in put.headers["Allow"]


@pytest.mark.parametrize(
    ("sent", "content_type", "expected"),
    [
        (b"{", "application/json", (400, "bad_json")),
        (b"\xff", "application/json", (400, "bad_json")),
        (b"", "application/json", (400, "bad_json")),
        (b"[]", "application/json", (422, "invalid")),
        (b"null", "application/json", (422, "invalid")),
        (b"3", "application/json", (422, "invalid")),
        (b"[" * 20_000, "application/json", (400, "bad_json")),
        (b"{}", "text/plain", (415, "unsupported_media_type")),
        (b"a=b", "application/x-www-form-urlencoded", (415, "unsupported_media_type")),
        (b'{"key": "' + b"x" * 70_000 + b'"}', "application/json", (413, "body_too_large")),
    ],
)
def test_bodies_that_cannot_be_read(
    sam: Actor, sent: bytes, content_type: str, expected: tuple[int, str]
) -> None:
    answer = sam.client.post(
        "/v1/photos",
        data=sent,
        content_type=content_type,
        headers={"Authorization": f"Bearer {sam.bearer}"},
    )
    assert code(answer) == expected


def test_a_body_in_chunks_says_what_it_is_too(sam: Actor) -> None:
    """It comes without a Content-Length."""
    body = b'{"purpose": "photo", "content_type": "image/jpeg", "size_bytes": 4}'
    answer = sam.client.post(
        "/v1/uploads",
        input_stream=io.BytesIO(body),
        content_type="text/plain",
        headers={"Authorization": f"Bearer {sam.bearer}", "Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input_terminated": True},
    )
    assert code(answer) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "path", ["/v1/photos/%00", "/v1/garments/%00", "/v1/try-ons/%00", "/v1/files/pictures/%00.jpg"]
)
def test_a_nul_is_no_id(any_world: World, path: str) -> None:
    assert any_world.sam.get(path).status_code in (404, 422)
    assert any_world.anybody().post("/v1/sites/pk_live_%00/boot", {}).status_code in (404, 422)


@pytest.mark.parametrize("title", ["a\x00b", "a\nb", "\ud800", "\x7f"])
def test_unprintable_words_are_refused(any_world: World, title: str) -> None:
    sent = {"sku": "X", "title": title, "category": "upper", "image_key": "uploads/x"}
    assert code(any_world.ada.post("/v1/garments", sent)) == (422, "invalid")


def test_a_page_says_it_in_its_own_words(make_world: MakeWorld) -> None:
    world = make_world(rate_limit=10)
    answers = [world.sam.get(f"/w/{world.site.live_key}/start") for _ in range(11)]
    assert [answer.status_code for answer in answers[9:]] == [200, 429]
    assert answers[10].mimetype == "text/html"  # a card, not JSON
    assert int(answers[10].headers["Retry-After"]) >= 1


def test_a_bug_shows_nothing_of_itself(world: World) -> None:
    def broken() -> str:
        raise RuntimeError("the secret is swordfish")

    app = create_app(world.services.settings, world.services)
    app.add_url_rule("/broken", view_func=broken)
    answer = Actor(app).get("/broken")
    assert code(answer) == (500, "internal")
    assert "swordfish" not in answer.text
    assert "Traceback" not in answer.text


def test_a_database_that_is_away_says_come_back(world: World) -> None:
    path = Path(world.services.database.url.removeprefix("sqlite:///"))
    world.services.database.dispose()
    path.unlink()
    path.mkdir()
    answer = world.sam.get("/v1/try-ons")
    assert code(answer) == (503, "unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    document = world.anybody().get(f"/w/{world.site.live_key}")
    assert (document.status_code, document.mimetype) == (503, "text/html")
    assert int(document.headers["Retry-After"]) > 0


def test_too_many_requests_say_when_to_come_back(make_world: MakeWorld) -> None:
    world = make_world(rate_limit=10)
    answers = [world.ada.get("/v1/garments") for _ in range(11)]
    assert [answer.status_code for answer in answers[:10]] == [200] * 10
    assert code(answers[10]) == (429, "rate_limited")
    assert 1 <= int(answers[10].headers["Retry-After"]) <= 61
    assert world.cleo.get("/v1/garments").status_code == 200  # her budget is her own


def with_redis_at(url: str, world: World) -> APIFlask:
    return create_app(world.services.settings.model_copy(update={"redis_url": url}))


def test_a_limit_is_no_error_while_redis_is_away(world: World) -> None:
    app = with_redis_at("redis://127.0.0.1:1/0", world)
    assert Actor(app, world.ada.bearer).get("/v1/garments").status_code == 200


def test_a_redis_that_hangs_hangs_nobody(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, says nothing
        app = with_redis_at(f"redis://127.0.0.1:{silent.getsockname()[1]}/0", world)
        ada = Actor(app, world.ada.bearer)
        began = time.monotonic()
        assert ada.get("/v1/garments").status_code == 200
        body = {"photo_id": world.photo(world.ada).id, "garment_id": world.garment().id}
        assert ada.post("/v1/try-ons", body).status_code == 202
        assert time.monotonic() - began < 60


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", (401, "not_authenticated")),
        ("Basic YTpi", (401, "not_authenticated")),
        ("Bearer", (401, "not_authenticated")),
        ("Bearer ", (401, "not_authenticated")),
        ("Bearer x", (401, "bad_token")),
        ("Bearer sk_live_x", (401, "bad_key")),
        ("Bearer pk_live_x", (401, "bad_token")),
    ],
)
def test_who_are_you(world: World, header: str, expected: tuple[int, str]) -> None:
    answer = world.anybody().get("/v1/try-ons", Authorization=header)
    assert code(answer) == expected
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_publishable_key_proves_nothing(world: World) -> None:
    actor = Actor(world.app, world.site.live_key)
    assert code(actor.get("/v1/garments")) == (401, "bad_token")


def test_a_revoked_secret_key_is_worth_nothing(world: World) -> None:
    assert world.ada.get("/v1/garments").status_code == 200
    with world.services.database.session_scope() as session:
        for key in session.query(SecretKey):
            assert world.ada.bearer not in (key.hash, key.hint)  # only its hash is kept
            key.revoked_at = now()
    assert code(world.ada.get("/v1/garments")) == (401, "bad_key")


def test_every_kind_of_problem_is_complete() -> None:
    for kind in Code:
        assert 400 <= STATUSES[kind] < 600
        told = problems.body(Problem(kind), "req_0")
        assert told["title"]
        assert str(told["detail"]).endswith("."), kind
        json.dumps(told)
    assert errors.Unavailable("redis").headers["Retry-After"]
