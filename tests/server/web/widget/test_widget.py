"""The widget's door: its document and policy, and the fragments that a shopper's page asks for."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from werkzeug.test import TestResponse

from gpu_worker.contract import GarmentStatus, PhotoStatus, Reason, TryOnStatus
from server.models import Garment, Photo, Shopper, Site, TryOn, now
from server.rendering.fragments import CONSENT_VERSION
from server.rendering.widget_states import STATES
from server.web.widget import csp as widget_csp
from tests.server.actors import SERVER, Actor, World


def send(actor: Actor, path: str, method: str = "POST", **form: str) -> TestResponse:
    """As htmx sends it: a form, with the bearer token."""
    headers = {"Authorization": f"Bearer {actor.bearer}"} if actor.bearer else {}
    key = form.pop("idempotency_key", None)
    headers |= {"Idempotency-Key": key} if key else {}
    sent: Any = {"query_string": form} if method == "GET" else {"data": form}
    return actor.client.open(path, method=method, headers=headers, base_url=SERVER, **sent)


def policy_of(answer: TestResponse) -> dict[str, str]:
    parts = answer.headers["Content-Security-Policy"].split("; ")
    return {part.split(" ", 1)[0]: part.partition(" ")[2] for part in parts}


def page(world: World, **query: str) -> TestResponse:
    path = f"/w/{world.site.live_key}"
    return world.anybody().client.get(path, query_string=query, base_url=SERVER)


# --- the document --------------------------------------------------------------------------------


def test_the_document_opens_with_consent_and_photo(world: World) -> None:
    garment = world.garment(title="Linen shirt")
    answer = page(world, garment=garment.sku)
    assert answer.status_code == 200
    assert "Linen shirt" in answer.text
    assert "I agree that Ada&#39;s uses my photo" in answer.text
    assert "Choose a photo" in answer.text


def test_a_title_is_escaped_everywhere(world: World) -> None:
    title = """<img src=x onerror=alert(1)>"'"""
    garment = world.garment(title=title, sku='"><script>alert(1)</script>')
    done = world.finished(world.photo(world.sam), garment)
    answers = [
        page(world, garment=garment.sku).text,
        send(world.sam, f"/w/{world.site.live_key}/try-ons/{done.id}", "GET").text,
        send(world.sam, f"/w/{world.site.live_key}/start", "GET", garment=garment.sku).text,
    ]
    for text in answers:
        assert "<img src=x" not in text
        assert "<script>alert" not in text
        assert "&lt;img src=x onerror" in text


def test_the_policy_names_our_files_the_store_and_the_shop_alone(world: World) -> None:
    found = policy_of(page(world))
    store = world.services.settings.store_origin
    assert found == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": f"'self' {store}",
        "connect-src": f"'self' ws://localhost:8080 {store}",
        "base-uri": "'self'",
        "form-action": "'none'",
        "frame-ancestors": "https://shop.example",
    }


def test_each_site_is_framed_by_its_own_origins(world: World) -> None:
    path = f"/w/{world.other_site.test_key}"
    answer = world.anybody().client.get(path, base_url=SERVER)
    assert policy_of(answer)["frame-ancestors"] == "https://cleo.example"


@pytest.mark.parametrize(
    "origin",
    [
        "*",
        "https://*.shop.example",
        "https://shop.example/",
        "https://shop.example/path",
        "https://shop.example; script-src *",
        "https://shop.example\nX-Evil: 1",
        "http://shop.example",
        "https://user@shop.example",
        "https://shop.example.evil.com:99999",
        "null",
        "",
        17,
    ],
)
def test_what_is_no_origin_never_comes_into_the_policy(origin: Any) -> None:
    site = Site(allowed_origins=[origin, "https://shop.example"])
    assert widget_csp.ancestors(site) == ["https://shop.example"]


def test_no_script_style_or_handler_is_inline(world: World) -> None:
    text = page(world, garment=world.garment().sku).text
    assert not re.search(r"<script(?![^>]*\bsrc=)", text)
    assert "<style" not in text
    assert not re.search(r"\s(style|on\w+)=", text)


def test_nothing_personal_is_stored_in_caches(world: World) -> None:
    assert page(world).headers["Cache-Control"] == "no-store"


def test_an_unknown_key_gets_a_page_that_nobody_may_frame(world: World) -> None:
    answer = world.anybody().client.get("/w/pk_live_unknown", base_url=SERVER)
    assert answer.status_code == 404
    assert policy_of(answer)["frame-ancestors"] == "'none'"


def test_an_item_that_is_not_there_cannot_be_tried_on(world: World) -> None:
    for sku in ("", "UNKNOWN", "../../etc/passwd"):
        answer = page(world, garment=sku)
        assert answer.status_code == 200
        assert "This item can&#39;t be tried on yet." in answer.text


def test_an_item_that_was_rejected_cannot_be_tried_on(world: World) -> None:
    garment = world.garment(status=GarmentStatus.REJECTED)
    assert 'data-code="garment_missing"' in page(world, garment=garment.sku).text


def test_nobody_is_asked_for_a_photo_where_the_item_is_not_there(world: World) -> None:
    path, refused = f"/w/{world.site.live_key}/start", world.garment(status=GarmentStatus.REJECTED)
    world.photo(world.sam)  # she has been here before
    for sku in ("UNKNOWN", refused.sku):
        for more in ({"shown": "problem"}, {"fresh": "1"}):
            answer = send(world.sam, path, "GET", garment=sku, **more)
            assert 'data-code="garment_missing"' in answer.text
            assert "Choose a photo" not in answer.text


def test_an_item_that_is_being_cleaned_is_offered_and_asked_for_again(world: World) -> None:
    garment = world.garment(status=GarmentStatus.CLEANING)
    assert 'data-state="start"' in page(world, garment=garment.sku).text
    answer = ask(world, world.sam, world.photo(world.sam), garment)
    assert answer.status_code == 409
    assert "This item is still being made ready." in answer.text
    assert 'data-action="start"' in answer.text


def test_an_item_of_another_merchant_is_not_there(world: World) -> None:
    garment = world.garment(world.other_site, title="Cleo's coat")
    assert "Cleo" not in page(world, garment=garment.sku).text


# --- style sheets and files ----------------------------------------------------------------------


def test_the_merchants_accent_is_a_style_sheet(world: World) -> None:
    world.site.accent = "#ffe600"
    world.add(world.site)
    answer = world.anybody().get(f"/w/{world.site.live_key}/theme.css")
    assert answer.mimetype == "text/css"
    assert "--accent: light-dark(#ffe600, #ffe600);" in answer.text


def test_files_under_their_digest_are_kept_and_plain_ones_asked_for_again(world: World) -> None:
    text = page(world).text
    address = re.search(r'src="(/w/static/\w+/)main.js"', text)
    assert address
    kept = world.anybody().get(f"{address[1]}main.js")
    assert "immutable" in kept.headers["Cache-Control"]
    kept.close()
    plain = world.anybody().get("/w/static/tokens.css")
    assert plain.status_code == 200
    plain.close()
    assert "no-cache" in plain.headers["Cache-Control"] or "max-age=0" in str(plain.cache_control)
    assert world.anybody().get("/w/static/../widget.d.ts").status_code == 404


# --- states --------------------------------------------------------------------------------------


def test_every_state_can_be_looked_at_by_test_key(world: World) -> None:
    for state in STATES:
        answer = world.anybody().get(f"/w/{world.site.test_key}/states/{state}")
        assert answer.status_code == 200, state
        assert "<h1" in answer.text
        assert policy_of(answer)["default-src"] == "'none'"


def test_states_are_not_there_for_live_keys_or_unknown_names(world: World) -> None:
    assert world.anybody().get(f"/w/{world.site.live_key}/states/start").status_code == 404
    assert world.anybody().get(f"/w/{world.site.test_key}/states/nothing").status_code == 404


# --- her photo -----------------------------------------------------------------------------------


def give_photo(actor: Actor, key: str, pk: str, **form: str) -> TestResponse:
    return send(actor, f"/w/{pk}/photos", key=key, consent_version=CONSENT_VERSION, **form)


def test_a_photo_is_checked_and_she_is_remembered(world: World) -> None:
    answer = give_photo(world.sam, world.sam.upload(), world.site.live_key)
    assert answer.status_code == 200
    assert 'data-state="checking"' in answer.text
    cookie = answer.headers["Set-Cookie"]
    for word in ("Secure", "HttpOnly", "SameSite=None", "Partitioned", "Path=/v1/shopper-tokens"):
        assert word in cookie
    with world.services.read() as session:
        photo = session.query(Photo).one()
        shopper = session.get_one(Shopper, photo.shopper_id)
    assert shopper.consent_version == CONSENT_VERSION


def test_without_consent_to_the_present_words_nothing_is_taken(world: World) -> None:
    key, path = world.sam.upload(), f"/w/{world.site.live_key}/photos"
    for version in ("", "2020-01"):
        answer = send(world.sam, path, key=key, consent_version=version)
        assert answer.status_code == 422
        assert "Set-Cookie" not in answer.headers


def test_somebody_elses_upload_is_not_found(world: World) -> None:
    answer = give_photo(world.kim, world.sam.upload(), world.site.live_key)
    assert answer.status_code == 404
    assert 'data-state="problem"' in answer.text


def test_she_picks_herself_among_several(world: World) -> None:
    boxes = [[0.1, 0.1, 0.2, 0.8], [0.5, 0.1, 0.2, 0.8]]
    photo = world.photo(
        world.sam,
        status=PhotoStatus.REJECTED,
        reasons=[Reason.SEVERAL_PEOPLE.value],
        people=boxes,
    )
    path = f"/w/{world.site.live_key}/photos/{photo.id}/person"
    assert 'data-state="checking"' in send(world.sam, path, person="1").text
    assert send(world.kim, path, person="0").status_code == 404
    assert send(world.sam, path, person="nobody").status_code == 422


# --- her pictures --------------------------------------------------------------------------------


def ask(world: World, actor: Actor, photo: Photo, garment: Garment, **more: str) -> TestResponse:
    form = {"photo_id": photo.id, "garment": garment.sku, **more}
    return send(actor, f"/w/{world.site.live_key}/try-ons", **form)


def test_a_picture_is_asked_for_once_for_each_photo_and_item(world: World) -> None:
    photo, garment, other = world.photo(world.sam), world.garment(), world.garment()
    first = ask(world, world.sam, photo, garment, idempotency_key="p1")
    again = ask(world, world.sam, photo, garment, idempotency_key="p1")
    elsewhere = ask(world, world.sam, photo, other, idempotency_key="p1")
    assert first.status_code == again.status_code == elsewhere.status_code == 200
    ids = [re.findall(r'data-try-on="(\w+)"', text)[0] for text in
           (first.text, again.text, elsewhere.text)]  # fmt: skip
    assert ids[0] == ids[1] != ids[2]
    assert 'data-state="waiting"' in first.text
    assert "You&#39;re next" in first.text


def test_place_and_seconds_come_from_the_row(world: World) -> None:
    soon = now() + timedelta(seconds=25)
    row = world.try_on(world.photo(world.sam), world.garment(), position=4, ready_at=soon)
    text = send(world.sam, f"/w/{world.site.live_key}/try-ons/{row.id}", "GET").text
    assert "3 people ahead of you" in text
    assert "about 25 seconds" in text


def test_cancelling_says_so_and_offers_to_try_again(world: World) -> None:
    row = world.try_on(world.photo(world.sam), world.garment())
    answer = send(world.sam, f"/w/{world.site.live_key}/try-ons/{row.id}/cancel")
    assert "You cancelled this picture." in answer.text
    assert "Try again" in answer.text


def test_cancelling_what_has_come_shows_it(world: World) -> None:
    done = world.finished(world.photo(world.sam), world.garment())
    answer = send(world.sam, f"/w/{world.site.live_key}/try-ons/{done.id}/cancel")
    assert 'data-state="result"' in answer.text


def test_one_picture_is_deleted_and_her_photo_stays(world: World) -> None:
    photo = world.photo(world.sam)
    done = world.finished(photo, world.garment())
    path = f"/w/{world.site.live_key}/try-ons/{done.id}"
    answer = send(world.sam, path, "DELETE")
    assert 'data-state="again"' in answer.text
    assert done.id not in answer.text
    assert send(world.sam, path, "GET").status_code == 410


def test_delete_photo_and_pictures_deletes_everything(world: World) -> None:
    photo = world.photo(world.sam)
    done = world.finished(photo, world.garment())
    answer = send(world.sam, f"/w/{world.site.live_key}/shopper", "DELETE")
    assert "Your photo and pictures are deleted" in answer.text
    assert 'id="history"' in answer.text
    assert "Max-Age=0" in answer.headers["Set-Cookie"]
    with world.services.read() as session:
        assert session.get(Photo, photo.id) is None
        tombstone = session.get_one(TryOn, done.id)
        assert (tombstone.shopper_id, tombstone.result_key) == (None, None)
    assert send(world.sam, f"/w/{world.site.live_key}/start", "GET").status_code == 401


# --- where she left off --------------------------------------------------------------------------


def start(world: World, garment: Garment, **more: str) -> TestResponse:
    path = f"/w/{world.site.live_key}/start"
    return send(world.sam, path, "GET", garment=garment.sku, **more)


def test_a_new_shopper_keeps_the_first_card(world: World) -> None:
    garment = world.garment()
    answer = start(world, garment, shown="start")
    assert answer.headers["HX-Reswap"] == "none"
    assert "<section" not in answer.text
    assert 'data-state="start"' in start(world, garment, shown="problem").text


def test_a_shopper_who_comes_back_finds_photo_and_pictures(world: World) -> None:
    photo, garment = world.photo(world.sam), world.garment()
    done = world.finished(photo, garment)
    answer = start(world, garment)
    assert 'data-state="again"' in answer.text
    assert f'data-open="{done.id}"' in answer.text


def test_a_picture_on_its_way_is_shown_again(world: World) -> None:
    photo, garment = world.photo(world.sam), world.garment()
    row = world.try_on(photo, garment, status=TryOnStatus.RUNNING, step=3, steps=9)
    assert f'id="progress-{row.id}"' in start(world, garment).text


def test_a_fresh_start_remembers_that_she_agreed(world: World) -> None:
    garment = world.garment()
    assert "checked" not in start(world, garment, fresh="1").text
    give_photo(world.sam, world.sam.upload(), world.site.live_key)
    assert "checked" in start(world, garment, fresh="1").text


# --- refusals ------------------------------------------------------------------------------------

DOORS = [
    ("GET", "start"),
    ("POST", "photos"),
    ("POST", "photos/pho_0/person"),
    ("POST", "try-ons"),
    ("GET", "try-ons/try_0"),
    ("POST", "try-ons/try_0/cancel"),
    ("DELETE", "try-ons/try_0"),
    ("DELETE", "shopper"),
]


def test_nobody_without_a_token_gets_in(world: World) -> None:
    for method, path in DOORS:
        answer = send(world.anybody(), f"/w/{world.site.live_key}/{path}", method)
        assert answer.status_code == 401, path
        assert "This fitting room was open for a while" in answer.text


def test_a_token_is_good_for_its_own_site_and_mode_only(world: World) -> None:
    for method, path in DOORS:
        for key in (world.other_site.live_key, world.site.test_key, "pk_live_unknown"):
            assert send(world.sam, f"/w/{key}/{path}", method).status_code == 404, path


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_another_shoppers_picture_is_not_there(world: World, method: str) -> None:
    done = world.finished(world.photo(world.sam), world.garment())
    path = f"/w/{world.site.live_key}/try-ons/{done.id}"
    assert send(world.kim, path, method).status_code == 404


def test_a_refusal_is_a_card_with_words(world: World) -> None:
    photo, garment = world.photo(world.sam), world.garment()
    for _ in range(world.services.settings.unfinished_try_ons):
        world.try_on(photo, garment)
    answer = ask(world, world.sam, photo, garment)
    assert answer.status_code == 429
    assert "Several of your pictures are still being made." in answer.text
    assert answer.mimetype == "text/html"


def test_the_policy_without_any_origin() -> None:
    assert widget_csp.policy("https://s3", "https://p", []).endswith("frame-ancestors 'none'")
