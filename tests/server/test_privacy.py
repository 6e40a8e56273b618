"""Privacy: what a shopper has not shared reaches no other caller, by any route or the live socket.

The tests go through the app's own URL map, so that no new route is forgotten.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from werkzeug.routing import Rule

from gpu_worker.contract import PhotoStatus, TryOnStatus
from server.auth import shopper_caller
from server.domain import photos, try_ons
from server.domain.audiences import channel_of
from server.infra import nudges
from server.infra.caller import Caller, sees_picture
from server.infra.jobs import connect
from server.infra.nudges import Heard
from server.infra.store import partial_key, picture_key
from server.models import IdempotencyKey, Photo, TryOn, now
from server.web.live.feed import Feed
from server.web.live.hub import Format, Hub, Kind, Outbox, Voice
from tests.server.actors import Actor, World, code
from tests.server.web.dashboard.conftest import Person

BOXES = [[0.31415, 0.27182, 0.16180, 0.57721], [0.69314, 0.11235, 0.14142, 0.66260]]
FILES = ("static", "docs.static", "dashboard.static", "widget.static_file")  # no rows in them
ELSEWHERE = ("live",)  # the socket: below
ECHOES = {"dashboard.create_garment": {"her upload"}}  # a refused form shows what was sent


@dataclass
class Hers:
    """Sam's rows in every state that shows her. `secrets`: what no other caller may receive."""

    world: World

    def __post_init__(self) -> None:
        world, sam = self.world, self.world.sam
        self.garment = world.garment()
        self.photo = world.photo(sam, people=BOXES, width_px=600, height_px=800)
        self.crowd = world.photo(
            sam, people=BOXES, status=PhotoStatus.REJECTED, reasons=["several_people"]
        )
        self.done = world.finished(self.photo, self.garment)
        self.running = world.try_on(
            self.photo, self.garment, status=TryOnStatus.RUNNING, step=2, steps=4
        )
        with world.services.database.session_scope() as session:
            session.add(self.running)
            self.running.partial_key = partial_key(self.running.id)
        self.upload_key = sam.upload()

    @property
    def secrets(self) -> dict[str, str]:
        return {
            "her photo": self.photo.clean_key,
            "its parts": self.photo.parts_key,
            "the photo with several people": self.crowd.clean_key,
            "her upload": self.upload_key,
            "her picture": picture_key(self.done.id),
            "the partial picture": partial_key(self.running.id),
            **{f"box number {n}": str(n) for box in BOXES for n in box},
        }

    def found_in(self, text: str) -> set[str]:
        return {name for name, secret in self.secrets.items() if secret in text}

    # --- arguments of the routes ------------------------------------------------------------------

    def values(self, rule: Rule) -> list[dict[str, str]]:
        """Her own ids and keys as arguments of a route.

        Raises:
            KeyError: the route has an argument that this test does not know yet.
        """
        site = self.world.site
        one = {
            "pk": site.live_key, "site_id": site.id, "garment_id": self.garment.id,
            "key_id": "key_0", "state": "ready", "version": "0.1.0", "rest": "x", "session_id": "x",
        }  # fmt: skip
        several = {
            "photo_id": [self.photo.id, self.crowd.id],
            "try_on_id": [self.done.id, self.running.id],
            "key": [secret for secret in self.secrets.values() if "/" in secret],
        }
        told: list[dict[str, str]] = [{}]
        for name in sorted(rule.arguments):
            choices = several[name] if name in several else [one[name]]
            told = [{**known, name: choice} for known in told for choice in choices]
        return told

    def bodies(self, endpoint: str) -> list[dict[str, Any]]:
        """The bodies to try at a route.

        Raises:
            KeyError: the route takes a body and this test does not know it yet.
        """
        picture = {"content_type": "image/jpeg", "size_bytes": 9}
        known: dict[str, list[dict[str, Any]]] = {
            "live_tickets.create_live_ticket": [{}],
            "uploads.create_upload": [{"purpose": "photo", **picture}],
            "photos.create_photo": [{"key": self.upload_key, "consent_version": "1"}],
            "photos.choose_person": [{"person": 0}],
            "garments.create_garment": [
                {"sku": "S", "title": "T", "category": "upper", "image_key": self.upload_key}
            ],
            "garments.change_garment": [{"title": "T"}],
            "try_ons.create_try_on": [
                {"photo_id": self.photo.id, "garment_id": self.garment.id}
            ],
            "try_ons.change_try_on": [{"shared": True}, {"shared": False}, {"liked": True}],
            "try_ons.cancel_try_on": [{}],
            "dashboard.create_garment": [
                {
                    "site_id": self.world.site.id, "title": "T", "sku": "S", "category": "upper",
                    "image_key": self.upload_key,
                }
            ],
            "dashboard.change_garment": [{"title": "T", "category": "upper"}],
            "dashboard.delete_garment": [{}],
            "dashboard.create_upload": [{"site_id": self.world.site.id, **picture}],
            "dashboard.add_origin": [{"origin": "https://x.example"}],
            "dashboard.remove_origin": [{"origin": "https://x.example"}],
            "dashboard.create_secret_key": [{"mode": "live"}],
            "dashboard.revoke_secret_key": [{}],
            "dashboard.create_ticket": [{}],
            "dashboard.log_in": [{}],
            "dashboard.change_password": [{"old": "wrong", "new": "x", "again": "x"}],
            "dashboard.end_others": [{}],
            "dashboard.end_session": [{}],
        }  # fmt: skip
        return known[endpoint]


@pytest.fixture
def hers(world: World) -> Hers:
    return Hers(world)


def walk(hers: Hers, callers: set[str]) -> Iterator[tuple[str, str, str, Any]]:
    """(method, endpoint, path, body) of all routes; DELETE comes last, as it removes her rows."""
    app = hers.world.app
    order = ("GET", "PATCH", "POST", "DELETE")
    steps = [
        (method, rule)
        for rule in app.url_map.iter_rules()
        for method in sorted((rule.methods or set()) & set(order), key=order.index)
        if rule.endpoint not in (*FILES, *ELSEWHERE, "dashboard.log_out")
    ]
    for method, rule in sorted(steps, key=lambda step: order.index(step[0])):
        ours = set(getattr(app.view_functions[rule.endpoint], "callers", ())) & callers
        takes_body = method in ("POST", "PATCH") and ours
        for body in hers.bodies(rule.endpoint) if takes_body else [{}]:
            for values in hers.values(rule):
                yield method, rule.endpoint, _path(hers.world, rule.endpoint, values), body


def _path(world: World, endpoint: str, values: dict[str, str]) -> str:
    with world.app.test_request_context():
        return str(world.app.url_map.bind("localhost").build(endpoint, values))


def _said(answer: Any) -> str:
    return f"{answer.headers}\n{answer.get_data(as_text=True)}"


def test_a_secret_key_never_receives_what_is_hers(hers: Hers) -> None:
    opened = 0
    for method, endpoint, path, body in walk(hers, {"secret"}):
        sent = body if method in ("POST", "PATCH") else None
        answer = hers.world.ada.call(method, path, sent)
        opened += answer.status_code < 300
        assert hers.found_in(_said(answer)) == set(), (method, endpoint)
    assert opened > 10
    assert hers.world.fetch(Photo, hers.photo.id) is not None
    assert hers.world.fetch(Photo, hers.crowd.id).person is None


@pytest.mark.parametrize("name", ["ada", "ben", "cleo"])
def test_no_person_at_the_dashboard_does(hers: Hers, name: str) -> None:
    world = hers.world
    site = world.other_site if name == "cleo" else world.site
    email = f"{name}@example.com"
    person = Person(world.app.test_client(), email, world.user(email), site)
    assert person.log_in("correct horse").status_code == 303
    opened = 0
    for method, endpoint, path, body in walk(hers, {"user"}):
        headers = {"X-CSRFToken": person.token}
        sent: Any = {"json" if endpoint == "dashboard.create_upload" else "data": body}
        answer = person.client.open(path, method=method, headers=headers, **sent)
        opened += answer.status_code < 300
        assert hers.found_in(_said(answer)) <= ECHOES.get(endpoint, set()), (method, endpoint)
    assert opened > 10


def test_she_herself_receives_all_of_it(hers: Hers) -> None:
    """Or the walks above would prove nothing."""
    found: set[str] = set()
    for method, _, path, _ in walk(hers, set()):
        if method == "GET":
            found |= hers.found_in(_said(hers.world.sam.get(path)))
    # Nobody downloads the first two; the last comes with its card, by the socket or a POST.
    never = {"its parts", "her upload", "the photo with several people"}
    assert set(hers.secrets) - found == never


# --- what a secret key is refused, and what stays its own ----------------------------------------


def test_a_shoppers_photo_is_as_unknown_as_a_foreign_one(hers: Hers) -> None:
    ada, path = hers.world.ada, f"/v1/photos/{hers.photo.id}"
    body = {"photo_id": hers.photo.id, "garment_id": hers.garment.id}
    upload = {"key": hers.upload_key, "consent_version": "1"}
    for answer in (
        ada.get(path),
        ada.patch(path, {"person": 0}),
        ada.delete(path),
        ada.post("/v1/try-ons", body),
        ada.post("/v1/try-ons", body, Idempotency_Key="again"),
    ):
        assert code(answer) == (404, "photo_not_found")
    assert code(ada.post("/v1/photos", upload)) == (404, "upload_not_found")
    assert hers.world.sam.post("/v1/photos", upload).status_code == 202
    assert code(ada.post("/v1/photos", upload)) == (404, "upload_not_found")


def test_an_old_idempotency_key_gives_no_picture_away(hers: Hers) -> None:
    """A key that an earlier version let a backend use for a shopper's photo."""
    world, ada = hers.world, hers.world.ada
    new = try_ons.NewTryOn(photo_id=hers.photo.id, garment_id=hers.garment.id)
    assert ada.caller is not None
    world.add(
        IdempotencyKey(
            owner=ada.caller.owner, key="old", body_hash=new.fingerprint(), try_on_id=hers.done.id
        )
    )
    body = {"photo_id": new.photo_id, "garment_id": new.garment_id}
    replayed = ada.post("/v1/try-ons", body, Idempotency_Key="old")
    assert (replayed.status_code, hers.found_in(_said(replayed))) == (202, set())


def test_sharing_is_hers_alone(hers: Hers) -> None:
    world, sam, ada = hers.world, hers.world.sam, hers.world.ada
    path, file = f"/v1/try-ons/{hers.done.id}", f"/v1/files/{picture_key(hers.done.id)}"
    assert code(ada.patch(path, {"shared": True, "liked": True})) == (403, "not_allowed")
    assert world.fetch(TryOn, hers.done.id).liked is None
    for shared, status in ((True, 302), (False, 404), (True, 302)):
        assert sam.patch(path, {"shared": shared}).status_code == 200
        seen: Any = ada.get(path).json
        assert (seen["shared"], seen["result_url"] is not None) == (shared, shared)
        assert ada.get(file).status_code == status
        assert hers.found_in(_said(ada.get("/v1/try-ons"))) == (
            {"her picture"} if shared else set()
        )
    assert code(ada.patch(path, {"shared": False})) == (403, "not_allowed")
    assert code(world.cleo.get(path)) == (404, "try_on_not_found")
    assert code(ada.get(f"/v1/photos/{hers.photo.id}")) == (404, "photo_not_found")


def test_what_a_secret_key_made_itself_stays_its_own(hers: Hers) -> None:
    world, ada = hers.world, hers.world.ada
    handed: Any = ada.post("/v1/photos", {"key": ada.upload(), "consent_version": "1"})
    assert ada.get(f"/v1/photos/{handed.json['id']}").status_code == 200
    photo = world.photo(ada, people=BOXES)
    row = world.finished(photo, hers.garment)
    body: Any = ada.get(f"/v1/photos/{photo.id}").json
    assert body["people"] == BOXES
    for key in (photo.clean_key, picture_key(row.id)):
        assert ada.get(f"/v1/files/{key}").status_code == 302
    seen: Any = ada.patch(f"/v1/try-ons/{row.id}", {"shared": True}).json
    assert (seen["shared"], seen["result_url"] is not None) == (True, True)
    for stranger in (world.sam, world.kim, world.cleo):
        assert code(stranger.get(f"/v1/photos/{photo.id}")) == (404, "photo_not_found")
    assert ada.delete(f"/v1/photos/{photo.id}").status_code == 204


@pytest.mark.parametrize("kind", ["shopper", "secret", "user", "embed"])
@pytest.mark.parametrize("hers", [True, False])
@pytest.mark.parametrize("shared", [True, False])
def test_the_rule(kind: Any, hers: bool, shared: bool) -> None:
    owner = {"shopper_id": "sho_1" if hers else None}
    its_own = kind == "shopper" or (kind == "secret" and not hers)
    assert sees_picture(kind, TryOn(shared=shared, **owner)) == (its_own or shared)
    assert sees_picture(kind, Photo(**owner)) == its_own


# --- the socket ----------------------------------------------------------------------------------


@dataclass
class Listeners:
    """Open sockets of the shop's side and of Sam, told by one feed, turn by turn."""

    hers: Hers

    def __post_init__(self) -> None:
        world = self.hers.world
        self.hub = Hub(10)
        self.feed = Feed(world.services, self.hub, connect(world.services.settings.redis_url))
        assert world.ada.caller is not None
        callers: dict[str, tuple[Caller, Format]] = {
            "backend": (world.ada.caller, "json"),
            "owner": (world.user("ada@example.com"), "html"),
            "staff": (world.user("ben@example.com"), "html"),
            "sam": (_shopper(world, world.sam), "json"),
        }
        self.boxes = {name: self._join(*who) for name, who in callers.items()}

    def _join(self, caller: Caller, form: Format) -> Outbox:
        kind: Kind = caller.kind  # type: ignore[assignment]
        outbox = Outbox(channel_of(caller), Voice(form, kind), lambda: None)
        self.hub.join(outbox)
        self.feed.tell_state(outbox)
        return outbox

    def tell(self, *rows: Photo | TryOn, restate: bool = False) -> dict[str, str]:
        """What each is sent after these rows changed, or after a silence of Redis."""
        self.feed.hear(Heard(restate, [nudges.of(row) for row in rows]))
        self.feed.tell(0)
        return self.take()

    def take(self) -> dict[str, str]:
        return {name: "\n".join(outbox.take()) for name, outbox in self.boxes.items()}


def _shopper(world: World, actor: Actor) -> Caller:
    with world.app.app_context():
        return shopper_caller(world.services, actor.bearer or "")


def _change(world: World, row: Any, **values: Any) -> Any:
    with world.services.database.session_scope() as session:
        fresh = session.get_one(type(row), row.id)
        for name, value in {"version": fresh.version + 1, **values}.items():
            setattr(fresh, name, value)
    return fresh


def _result_url(said: str, row: TryOn) -> Any:
    events = [json.loads(line) for line in said.splitlines()]
    return next(e["result_url"] for e in events if e["id"] == row.id and e["type"] == "succeeded")


def test_no_listener_but_she_hears_what_is_hers(hers: Hers) -> None:
    world = hers.world
    listeners = Listeners(hers)
    state = listeners.take()
    assert {"her picture", "the partial picture"} <= hers.found_in(state["sam"])
    assert f'"{hers.done.id}"' in state["backend"]
    changed = listeners.tell(
        *(_change(world, row) for row in (hers.photo, hers.done, hers.running))
    )
    for row in (hers.photo, hers.crowd, hers.done, hers.running):
        _change(world, row)
    restated = listeners.tell(restate=True)
    world.sam.delete(f"/v1/photos/{hers.crowd.id}")
    gone = listeners.tell(*[_later(hers.crowd)])
    for said in (state, changed, restated, gone):
        assert said["sam"]
        for name in ("backend", "owner", "staff"):
            assert hers.found_in(said[name]) == set(), name
            assert "photo." not in said[name], name
            assert hers.crowd.id not in said[name], name
    assert hers.running.id in changed["backend"]
    assert hers.running.id in restated["backend"]
    assert hers.running.id in changed["staff"]
    assert "photo.deleted" in gone["sam"]


def _later(photo: Photo) -> Photo:
    photo.version += 10
    return photo


def test_the_next_event_carries_what_she_shares_and_takes_it_back(hers: Hers) -> None:
    world, sam = hers.world, _shopper(hers.world, hers.world.sam)
    listeners = Listeners(hers)
    listeners.take()
    for shared in (True, False):
        row = try_ons.change(world.services, sam, hers.done.id, shared=shared)
        said = listeners.tell(row)
        assert (_result_url(said["backend"], row) is not None) == shared
        for name in ("owner", "staff"):
            assert hers.found_in(said[name]) == ({"her picture"} if shared else set())


def test_a_backend_hears_of_its_own_photos(hers: Hers, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many of shoppers' came since: those take no place of what is told at the start."""
    world, ada = hers.world, hers.world.ada
    monkeypatch.setattr("server.domain.audiences.STATE_ROWS", 1)
    photo = world.photo(ada, people=BOXES, created_at=now() - timedelta(hours=1))
    listeners = Listeners(hers)
    assert "photo.ready" in listeners.take()["backend"]
    assert str(BOXES[0][0]) in listeners.tell(_change(world, photo))["backend"]
    assert ada.caller is not None
    photos.remove(world.services, ada.caller, photo.id)
    assert "photo.deleted" in listeners.tell(_later(photo))["backend"]
